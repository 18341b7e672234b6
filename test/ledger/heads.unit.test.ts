import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LedgerHead, LedgerId } from "../../src/facts/entry.ts";
import {
  createHeadStore as createStore,
  type HeadStoreOptions,
  HeadsUnreadableError,
  type KnownHead,
  type KnownHeads,
  readHeads as read,
  thinned,
  withHead,
} from "../../src/ledger/heads.ts";
import { waitUntil } from "../support/wait.ts";

let directory: string;
const ledger = "acme/eu";
const head = (seq: number, mark = "a"): LedgerHead => ({ seq: BigInt(seq), hash: mark.repeat(64) });
const known = (seq: number, mark?: string): KnownHead => ({ ...head(seq, mark), seenAt: new Date(0) });
const unexpected = (error: Error) => {
  throw error;
};
/** A ledger that has every head. */
const createHeadStore = (options: Pick<HeadStoreOptions, "directory" | "onError"> & Partial<HeadStoreOptions>) =>
  createStore({
    standing: async (_ledger, heads) => heads,
    onContradiction: () => undefined,
    onNotCompared: unexpected,
    ...options,
  });
/** Without the times. */
async function readHeads(where: string, name: LedgerId) {
  const { head, earlier } = await read(where, name);
  const bare = ({ seq, hash }: KnownHead) => ({ seq, hash });
  return { head: head && bare(head), earlier: earlier.map(bare) };
}

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "countersign-heads-")), "heads");
});
afterEach(() => rm(join(directory, ".."), { recursive: true }));

describe("createHeadStore", () => {
  it("knows nothing of a ledger it never saw", async () => {
    const store = createHeadStore({ directory, onError: unexpected });
    expect(await store.known(ledger)).toEqual({ head: undefined, earlier: [] });
  });

  it("keeps heads for the next process, one file a ledger", async () => {
    const store = createHeadStore({ directory, onError: unexpected });
    store.record(ledger, head(3));
    store.record("acme/us", head(9));
    store.record(ledger, head(5, "b"));
    expect((await store.known(ledger)).head).toMatchObject(head(5, "b"));
    await store.close();
    expect((await readdir(directory)).sort()).toEqual([".lock", "acme__eu.json", "acme__us.json"]);
    expect(await readHeads(directory, ledger)).toEqual({ head: head(5, "b"), earlier: [] });
    expect(await readHeads(directory, "acme/us")).toEqual({ head: head(9), earlier: [] });
    expect(JSON.parse(await readFile(join(directory, "acme__eu.json"), "utf8"))).toMatchObject({
      ledger,
      head: { seq: "5" },
    });
  });

  it("writes in the background, without a call", async () => {
    const store = createHeadStore({ directory, intervalMs: 5, onError: unexpected });
    store.record(ledger, head(3));
    await waitUntil(async () => (await readHeads(directory, ledger)).head?.seq === 3n);
    await store.close();
  });

  it("never moves back, and keeps both hashes of one position, which is an alarm", async () => {
    const contradictions: bigint[] = [];
    const onContradiction: HeadStoreOptions["onContradiction"] = (_ledger, { seq }) => contradictions.push(seq);
    const store = createHeadStore({ directory, onError: unexpected, onContradiction });
    for (const next of [head(5), head(4, "b"), head(5, "c"), head(5), head(5, "c")]) {
      store.record(ledger, next);
      await store.flush();
    }
    expect(await readHeads(directory, ledger)).toEqual({ head: head(5), earlier: [head(5, "c")] });
    expect(contradictions).toEqual([5n]);
    for (const next of [head(6, "d"), head(6, "e"), head(7)]) store.record(ledger, next);
    await store.flush();
    const earlier = [head(5, "c"), head(5), head(6, "e"), head(6, "d")];
    expect(await readHeads(directory, ledger)).toEqual({ head: head(7), earlier });
    expect(contradictions).toEqual([5n, 6n]);
  });

  it("never forgets a head that the ledger does not have, and forgets none while it cannot be asked", async () => {
    const lost = new Set([3n, 4n, 5n]);
    let answers = true;
    const errors: Error[] = [];
    const store = createHeadStore({
      directory,
      onError: unexpected,
      onNotCompared: (error) => errors.push(error),
      standing: async (_ledger, heads) => {
        if (!answers) throw new Error("the database is away");
        return heads.filter(({ seq }) => !lost.has(seq));
      },
    });
    const grow = async (from: number, to: number) => {
      for (let seq = from; seq <= to; seq++) {
        store.record(ledger, head(seq));
        await store.flush();
      }
    };
    await grow(1, 300);
    const { earlier } = await readHeads(directory, ledger);
    expect(earlier.length).toBeLessThan(80);
    expect(earlier.map(({ seq }) => seq)).toEqual(expect.arrayContaining([1n, 3n, 4n, 5n, 299n]));
    answers = false;
    await grow(301, 420);
    expect((await readHeads(directory, ledger)).earlier.length).toBe(earlier.length + 120);
    expect(errors.at(-1)?.message).toBe("the database is away");
  });

  it("takes the furthest of several processes that share the directory", async () => {
    const stores = Array.from({ length: 8 }, () => createHeadStore({ directory, onError: unexpected }));
    await Promise.all(
      stores.flatMap((store, at) =>
        [1, 2, 3, 4].map(async (round) => {
          store.record(ledger, head(round * 100 + at));
          await store.flush();
        }),
      ),
    );
    expect((await readHeads(directory, ledger)).head).toEqual(head(407));
    expect((await readdir(directory)).sort()).toEqual([".lock", "acme__eu.json"]);
  });

  it("loses nothing to a lock file that a process of long ago left behind", async () => {
    await mkdir(directory, { recursive: true });
    const left = ["acme__eu.json.lock", ".lock"].map((name) => join(directory, name));
    for (let round = 0; round < 20; round++) {
      for (const lock of left) {
        await writeFile(lock, "");
        await utimes(lock, 0, 0);
      }
      await Promise.all(
        Array.from({ length: 16 }, async (_, at) => {
          const store = createHeadStore({ directory, onError: unexpected });
          store.record(ledger, head(round * 16 + at + 1));
          for (let turns = 0; turns < at; turns++) await new Promise((resolve) => setImmediate(resolve));
          await store.flush();
        }),
      );
      expect((await readHeads(directory, ledger)).head).toEqual(head(round * 16 + 16));
    }
  });

  it("refuses a damaged file, and does not write over it", async () => {
    const errors: Error[] = [];
    const store = createHeadStore({ directory, intervalMs: 1, onError: (error) => errors.push(error) });
    store.record(ledger, head(3));
    await store.flush();
    for (const damaged of [
      "",
      "{}",
      '{"head":{"seq":"x","hash":"y"},"earlier":[]}',
      `{"head":{"seq":"1","hash":"${"a".repeat(64)}"},"earlier":[]}`,
      '{"head":null,"earlier":[]}',
    ]) {
      await writeFile(join(directory, "acme__eu.json"), damaged);
      await expect(store.known(ledger)).rejects.toBeInstanceOf(HeadsUnreadableError);
      store.record(ledger, head(4));
      await expect(store.flush()).rejects.toMatchObject({ code: "HEADS_UNREADABLE" });
      expect(await readFile(join(directory, "acme__eu.json"), "utf8")).toBe(damaged);
    }
    store.record(ledger, head(5));
    await waitUntil(() => errors.length > 0);
    expect(errors[0]).toBeInstanceOf(HeadsUnreadableError);
  });
});

describe("thinned", () => {
  it("forgets ever more of the past, but never the first head and the recent ones", () => {
    let heads: KnownHeads = { head: undefined, earlier: [] };
    for (let seq = 1; seq <= 5_000; seq++) {
      heads = withHead(heads, known(seq));
      heads = thinned(heads, new Set(heads.earlier));
    }
    const seqs = heads.earlier.map(({ seq }) => Number(seq));
    expect(heads.head?.seq).toBe(5_000n);
    expect(seqs).toHaveLength(64);
    expect(seqs[0]).toBe(1);
    expect(seqs.slice(-3)).toEqual([4_997, 4_998, 4_999]);
    // However far back one looks, the next known head is not much further.
    for (let at = 1; at < seqs.length - 1; at++)
      expect(5_000 - seqs[at]!).toBeLessThan(2 * (5_000 - seqs[at + 1]!) + 3);
  });
});
