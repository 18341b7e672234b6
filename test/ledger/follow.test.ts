import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createListener } from "../../src/db/listen.ts";
import { createPool } from "../../src/db/pool.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { CHANNEL } from "../../src/ledger/announce.ts";
import { createFollower, type Followed, type Follower, type FollowerOptions } from "../../src/ledger/follow.ts";
import { PAGE_ENTRIES } from "../../src/ledger/read.ts";
import { createLedgers } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { startProxy } from "../support/proxy.ts";
import { waitUntil } from "../support/wait.ts";
import { newId, note, openScene, type Scene } from "./scene.ts";

let scene: Scene;
const endings: (() => Promise<unknown> | undefined)[] = [];

beforeAll(async () => {
  scene = await openScene();
});

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

afterAll(() => scene.close());

const newLedger = (): LedgerId => `${newId()}/eu`;

/** Long enough that a test which waits for the poll, or for idleness, fails. */
const never = 1_000_000;

async function follow(options: Partial<FollowerOptions> & { readonly listening?: boolean } = {}): Promise<Follower> {
  const { listening = true, ...others } = options;
  const follower = createFollower({ pool: scene.pool, pollSeconds: never, idleSeconds: never, ...others });
  if (listening) {
    const { onNotify, onReconnect } = follower;
    const listener = createListener({
      connectionString: scene.database.appUrl,
      channel: CHANNEL,
      log: silent,
      onNotify,
      onReconnect,
    });
    endings.push(() => listener.stop());
    await listener.start();
  }
  return follower;
}

const open = (connectionString: string, role = "oc_app") =>
  createPool({ connectionString, max: 1, applicationName: "follow-test", log: silent, role });

interface Consumer {
  readonly seen: LedgerEntry[];
  readonly pages: number[];
  /** Resolves when the iteration has ended, however it did. */
  stop(): Promise<void>;
}

/** Consumes in the background until stopped. */
function consume(follower: Follower, ledger: LedgerId, after: bigint): Consumer {
  const controller = new AbortController();
  const seen: LedgerEntry[] = [];
  const pages: number[] = [];
  const work = (async () => {
    for await (const page of follower.follow(ledger, after, controller.signal)) {
      if (page === "idle") continue;
      pages.push(page.length);
      seen.push(...page);
    }
  })();
  const stop = () => {
    controller.abort();
    return work;
  };
  endings.push(stop);
  return { seen, pages, stop };
}

const seqs = (entries: readonly LedgerEntry[]) => entries.map((entry) => Number(entry.seq));
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, n) => n + first);

describe("follow", () => {
  it("starts nothing before the first next()", async () => {
    const pool = open(scene.database.appUrl);
    endings.push(() => pool.end());
    const follower = await follow({ pool, listening: false });
    const entries = follower.follow(newLedger(), 0n, new AbortController().signal);
    const iterator = entries[Symbol.asyncIterator]();
    expect(follower.following()).toBe(0);
    await iterator.return?.();
    expect((await iterator.next()).done).toBe(true);
    expect(pool.totalCount).toBe(0);
  });

  it("replays what is after the cursor, then continues live, without gap or duplicate", async () => {
    const ledger = newLedger();
    for (let n = 0; n < 5; n++) await scene.ledgers.append(ledger, note(`before ${n}`));
    const consumer = consume(await follow(), ledger, 2n);
    await waitUntil(() => consumer.seen.length === 4);
    await scene.ledgers.append(ledger, note("live 1"));
    await waitUntil(() => consumer.seen.length === 5);
    await scene.ledgers.append(ledger, note("live 2"));
    await waitUntil(() => consumer.seen.length === 6);
    await consumer.stop();
    expect(seqs(consumer.seen)).toEqual(upTo(8, 3));
    expect(consumer.seen.at(-1)?.payload?.text?.value).toBe("live 2");
  });

  it("is woken by appends of another process, and waits for a cursor ahead of the ledger", async () => {
    const ledger = newLedger();
    const elsewhere = open(scene.database.appUrl);
    const ledgers = createLedgers({ pool: elsewhere, capacity: 100 });
    endings.push(async () => {
      await ledgers.close();
      await elsewhere.end();
    });
    const follower = await follow();
    const present = consume(follower, ledger, 0n);
    const ahead = consume(follower, ledger, 3n);
    await waitUntil(() => follower.following() === 2);
    for (let n = 0; n < 3; n++) await ledgers.append(ledger, note(`${n}`));
    await waitUntil(() => present.seen.length === 4 && ahead.seen.length === 1);
    expect(seqs(present.seen)).toEqual([1, 2, 3, 4]);
    expect(seqs(ahead.seen)).toEqual([4]);
  });

  it("sees every entry of ten concurrent writers once and in order, in bounded pages, whatever the cursor", async () => {
    const ledger = newLedger();
    const follower = await follow();
    const early = consume(follower, ledger, 0n);
    const pools = Array.from({ length: 10 }, () => open(scene.database.appUrl));
    const writers = pools.map((pool) => createLedgers({ pool, capacity: 1_000 }));
    const writing = writers.map(async (writer, w) => {
      for (let n = 0; n < 60; n++) await writer.append(ledger, note(`${w}/${n}`));
    });
    await waitUntil(() => early.seen.length > 50);
    const late = consume(follower, ledger, 25n);
    await Promise.all(writing);
    await Promise.all(writers.map((writer) => writer.close()));
    await Promise.all(pools.map((pool) => pool.end()));
    await waitUntil(() => early.seen.length >= 601 && late.seen.length >= 576);
    const replay = consume(follower, ledger, 0n);
    await waitUntil(() => replay.seen.length >= 601);
    expect(seqs(early.seen)).toEqual(upTo(601));
    expect(seqs(late.seen)).toEqual(upTo(601, 26));
    const whole = Array.from({ length: Math.floor(601 / PAGE_ENTRIES) }, () => PAGE_ENTRIES);
    expect(replay.pages).toEqual([...whole, 601 % PAGE_ENTRIES]);
    expect(replay.seen.map((entry) => entry.hash)).toEqual(early.seen.map((entry) => entry.hash));
  });

  it("misses nothing when the listening connection is killed", async () => {
    const ledger = newLedger();
    await scene.ledgers.append(ledger, note("before"));
    const consumer = consume(await follow(), ledger, 0n);
    await waitUntil(() => consumer.seen.length === 2);
    const killed = await scene.asSuperuser(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'countersign-listen'`,
    );
    expect(killed.rows.length).toBeGreaterThan(0);
    await scene.ledgers.append(ledger, note("while deaf"));
    await waitUntil(() => consumer.seen.length === 3);
    await scene.ledgers.append(ledger, note("after"));
    await waitUntil(() => consumer.seen.length === 4);
    expect(seqs(consumer.seen)).toEqual([1, 2, 3, 4]);
  });

  it("is woken by the first entry of a ledger that did not exist", async () => {
    const ledger = newLedger();
    const follower = await follow();
    const consumer = consume(follower, ledger, 0n);
    await waitUntil(() => follower.following() === 1);
    await scene.ledgers.ensure(ledger);
    await waitUntil(() => consumer.seen.length === 1);
  });

  it("finds entries by polling when no notification ever comes", async () => {
    const ledger = newLedger();
    const follower = await follow({ listening: false, pollSeconds: 0.05 });
    const consumer = consume(follower, ledger, 0n);
    await waitUntil(() => follower.following() === 1);
    await scene.ledgers.append(ledger, note("unannounced"));
    await waitUntil(() => consumer.seen.length === 2);
  });

  it("finds later entries when a notification fails, which fails no append", async () => {
    const ledger = newLedger();
    const proxy = await startProxy(scene.database.appUrl);
    endings.push(() => proxy.close());
    const pool = open(proxy.url);
    const lost: unknown[] = [];
    const ledgers = createLedgers({ pool, capacity: 100, onUnannounced: (error) => lost.push(error) });
    endings.push(async () => {
      await ledgers.close();
      await pool.end();
    });
    const consumer = consume(await follow(), ledger, 0n);
    proxy.cutAnswerTo("oc_announce");
    await ledgers.append(ledger, note("first"));
    await waitUntil(() => lost.length === 1);
    await ledgers.append(ledger, note("second"));
    await waitUntil(() => consumer.seen.length === 3);
    expect(seqs(consumer.seen)).toEqual([1, 2, 3]);
  });

  it("goes on after a connection was lost while reading", async () => {
    const ledger = newLedger();
    await scene.ledgers.append(ledger, note("here"));
    const proxy = await startProxy(scene.database.appUrl);
    endings.push(() => proxy.close());
    const pool = open(proxy.url);
    endings.push(() => pool.end());
    proxy.cutAnswerTo("oc_read_page");
    const consumer = consume(await follow({ pool, listening: false, pollSeconds: 0.05 }), ledger, 0n);
    await waitUntil(() => consumer.seen.length === 2);
    expect(proxy.cuts).toBe(1);
  });

  it("rejects, and leaves nothing behind, when reading can never work", async () => {
    const pool = open(scene.database.appUrl, "oc_bi");
    endings.push(() => pool.end());
    const follower = await follow({ pool, listening: false });
    const iterator = follower.follow(newLedger(), 0n, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toThrow("permission denied");
    expect(follower.following()).toBe(0);
  });

  it("yields idle repeatedly while the ledger is quiet", async () => {
    const ledger = newLedger();
    await scene.ledgers.append(ledger, note("only"));
    const follower = await follow({ idleSeconds: 0.05 });
    const iterator = follower.follow(ledger, 1n, new AbortController().signal)[Symbol.asyncIterator]();
    const kinds: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { value } = (await iterator.next()) as IteratorYieldResult<Followed>;
      kinds.push(value === "idle" ? value : `entries ${seqs(value)}`);
    }
    expect(kinds).toEqual(["entries 2", "idle", "idle"]);
    await iterator.return?.();
    expect(follower.following()).toBe(0);
  });

  it("yields idle when its consumer uses none of the entries", async () => {
    const ledger = newLedger();
    await scene.ledgers.append(ledger, note("first"));
    const follower = await follow({ idleSeconds: 0.1 });
    let usedAt: number | undefined;
    /** Milliseconds since the last use at each "idle", on the clock the follower is told of the use by. */
    const idles: number[] = [];
    const controller = new AbortController();
    const consumer = (async () => {
      for await (const page of follower.follow(ledger, 0n, controller.signal, () => usedAt)) {
        if (page === "idle") {
          idles.push(performance.now() - (usedAt ?? Number.NEGATIVE_INFINITY));
        } else if (page.some(({ type }) => type === "useful")) usedAt = performance.now();
      }
    })();
    // Never quiet for as long as idleness takes, and of use for some of the time.
    for (let n = 0; idles.length < 4; n++) {
      await scene.ledgers.append(ledger, { ...note(`${n}`), type: n % 200 < 60 ? "useful" : "useless" });
    }
    for (const quiet of idles) expect(quiet).toBeGreaterThanOrEqual(100);
    controller.abort();
    await consumer;
  });

  it("ends at once when aborted or returned from while it waits, and leaves nothing behind", async () => {
    const ledger = newLedger();
    await scene.ledgers.append(ledger, note("only"));
    const follower = await follow();
    const controller = new AbortController();
    const aborted = follower.follow(ledger, 2n, controller.signal)[Symbol.asyncIterator]();
    const returned = follower.follow(ledger, 2n, new AbortController().signal)[Symbol.asyncIterator]();
    const waiting = [aborted.next(), returned.next()];
    await waitUntil(() => follower.following() === 2);
    controller.abort();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    await returned.return?.();
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
    expect(follower.following()).toBe(0);
    const already = follower.follow(ledger, 0n, AbortSignal.abort())[Symbol.asyncIterator]();
    expect((await already.next()).done).toBe(true);
  });

  it("shares one query among followers at the same position", async () => {
    const ledger = newLedger();
    await scene.ledgers.append(ledger, note("first"));
    const pool = open(scene.database.appUrl);
    endings.push(() => pool.end());
    let looks = 0;
    pool.on("acquire", () => {
      looks += 1;
    });
    const follower = await follow({ pool });
    const consumers = Array.from({ length: 50 }, () => consume(follower, ledger, 2n));
    await waitUntil(() => follower.following() === 50);
    looks = 0;
    await scene.ledgers.append(ledger, note("for all"));
    await waitUntil(() => consumers.every((consumer) => consumer.seen.length === 1));
    expect(looks).toBeLessThan(5);
  });
});
