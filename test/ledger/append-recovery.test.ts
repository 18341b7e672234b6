import type { Pool } from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/appending/call.ts";
import { AppendQueue, type AppendQueueOptions } from "../../src/ledger/appending/queue.ts";
import { silent } from "../support/log.ts";
import { actionState, note, openScene, type Scene } from "./scene.ts";

let scene: Scene;
/** May read the ledger, but has no right to append. */
let powerless: Pool;

beforeAll(async () => {
  scene = await openScene();
  powerless = createPool({
    connectionString: scene.database.appUrl,
    role: "oc_auditor",
    max: 1,
    applicationName: "powerless",
    log: silent,
  });
});
afterAll(async () => {
  await powerless.end();
  await scene.close();
});

type Append = AppendQueueOptions["append"];
type AppendAgain = AppendQueueOptions["appendAgain"];

/** The two calls a queue makes, on `ledger`. */
async function callsOn(ledger: LedgerId): Promise<{ readonly append: Append; readonly appendAgain: AppendAgain }> {
  await scene.ledgers.ensure(ledger);
  return {
    append: (drafts, call) => callAppend(scene.pool, ledger, drafts, call),
    appendAgain: (drafts, after, call) => callAppendAgain(scene.pool, ledger, drafts, after, call),
  };
}

function draft(body: UnsealedObject): Draft {
  const id = uuidv7();
  return { id, ...seal({ ...body, id }) };
}

const poison = () => draft({ actor: { id: "x" }, session: "not a uuid", type: "NOTE" });
const lost = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

/** Records the first batch, and loses the answer. */
function losing(append: Append, error: () => Error): Append {
  let first = true;
  return async (drafts, call) => {
    const outcomes = await append(drafts, call);
    if (!first) return outcomes;
    first = false;
    throw error();
  };
}

/** How often each draft is recorded. */
async function times(ledger: string, drafts: readonly Draft[]): Promise<readonly number[]> {
  const { rows } = await scene.pool.query<{ id: string }>("SELECT id FROM oc_audit_log WHERE ledger = $1", [ledger]);
  return drafts.map(({ id }) => rows.filter((row) => row.id === id).length);
}

describe("after a response was lost", () => {
  it("a second try that is refused leads to no entry twice, and to no rejection of one that is recorded", async () => {
    const { append, appendAgain } = await callsOn("refused/eu");
    let refusals = 0;
    const queue = new AppendQueue({
      append: losing(append, lost),
      appendAgain: (drafts, after, call) =>
        refusals++ < 6
          ? callAppendAgain(powerless, "refused/eu", drafts, after, call)
          : appendAgain(drafts, after, call),
      capacity: 10,
      head: 1n,
    });
    const drafts = [draft(note("one")), draft(note("two")), draft(note("three"))];
    const outcomes = await Promise.all(drafts.map((each) => queue.append(each)));
    expect(outcomes).toMatchObject([{ seq: 2n }, { seq: 3n }, { seq: 4n }]);
    expect(refusals).toBeGreaterThan(6);
    expect(await times("refused/eu", drafts)).toEqual([1, 1, 1]);
  });

  it("the call that the database gets to only after its retry records nothing", async () => {
    const { append, appendAgain } = await callsOn("overtaken/eu");
    const calls: (() => ReturnType<Append>)[] = [];
    const queue = new AppendQueue({
      // The connection breaks, and what was sent on it waits somewhere: for the head lock, or in a proxy.
      append: async (drafts, call) => {
        calls.push(() => append(drafts, call));
        throw lost();
      },
      appendAgain,
      capacity: 10,
      head: 1n,
    });
    const drafts = [draft(note("one")), draft(note("two"))];
    const outcomes = await Promise.all(drafts.map((each) => queue.append(each)));
    expect(outcomes).toMatchObject([{ seq: 2n }, { seq: 3n }]);
    const more = draft(note("three"));
    await queue.append(more);
    expect(calls).toHaveLength(2);
    for (const late of calls) await expect(late()).rejects.toMatchObject({ code: "OC005" });
    expect(await times("overtaken/eu", [...drafts, more])).toEqual([1, 1, 1]);
  });

  it("every draft is found once, behind much that others recorded", async () => {
    const { append, appendAgain } = await callsOn("behind/eu");
    const queue = new AppendQueue({ append: losing(append, lost), appendAgain, capacity: 1_000, head: 1n });
    await append(
      Array.from({ length: 3_000 }, (_, n) => draft(note(`other ${n}`))),
      uuidv7(),
    );
    const drafts = Array.from({ length: 200 }, (_, n) => draft(note(`${n}`)));
    const outcomes = await Promise.all(drafts.map((each) => queue.append(each)));
    expect(outcomes.every(({ refusal }) => refusal === undefined)).toBe(true);
    expect(await times("behind/eu", drafts)).toEqual(drafts.map(() => 1));
  });

  it("the draft that cannot be recorded is rejected alone, whichever attempt finds it", async () => {
    const { append, appendAgain } = await callsOn("poisoned/eu");
    let attempts = 0;
    const queue = new AppendQueue({
      // The connection breaks before anything is sent.
      append: async (drafts, call) => {
        if (attempts++ === 0) throw lost();
        return append(drafts, call);
      },
      appendAgain,
      capacity: 10,
      head: 1n,
    });
    const drafts = [draft(note("one")), poison(), draft(note("two"))];
    const results = await Promise.allSettled(drafts.map((each) => queue.append(each)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "DRAFT_REJECTED" } });
    expect(await times("poisoned/eu", drafts)).toEqual([1, 0, 1]);
  });

  it("what was recorded is found, also behind a draft that only the second try accepts", async () => {
    const { append, appendAgain } = await callsOn("order/eu");
    const id = uuidv7();
    const step = (version: number) =>
      draft({ actor: { id: "x" }, type: "STEP", ...actionState(id, version, "PENDING") });
    let refuse = true;
    const queue = new AppendQueue({
      append: async (drafts, call) => {
        await append(drafts, call);
        // Another server takes the action to the version at which the first draft of the batch fits.
        await append([step(1), step(2)], uuidv7());
        throw lost();
      },
      appendAgain: (drafts, after, call) => {
        if (!refuse) return appendAgain(drafts, after, call);
        refuse = false;
        return callAppendAgain(powerless, "order/eu", drafts, after, call);
      },
      capacity: 10,
      head: 1n,
    });
    const drafts = [step(3), draft(note("recorded"))];
    const outcomes = await Promise.all(drafts.map((each) => queue.append(each)));
    expect(outcomes).toMatchObject([{ seq: 5n }, { seq: 2n }]);
    expect(await times("order/eu", drafts)).toEqual([1, 1]);
  });

  it("an error that the database did not report is treated as a lost response", async () => {
    const { append, appendAgain } = await callsOn("garbled/eu");
    const calls = [
      losing(append, () => new TypeError("Cannot read properties of undefined")),
      (async (drafts, call) => (await append(drafts, call)).slice(1)) satisfies Append,
    ];
    for (const [at, garbled] of calls.entries()) {
      const queue = new AppendQueue({ append: garbled, appendAgain, capacity: 10, head: 1n });
      const drafts = [draft(note(`one ${at}`)), draft(note(`two ${at}`))];
      const outcomes = await Promise.all(drafts.map((each) => queue.append(each)));
      expect(outcomes).toMatchObject([{ refusal: undefined }, { refusal: undefined }]);
      expect(await times("garbled/eu", drafts)).toEqual([1, 1]);
    }
  });

  it("a full database leads to UNKNOWN, never to NOTHING", async () => {
    const { append } = await callsOn("full/eu");
    const full = Object.assign(new Error("could not extend file: No space left on device"), { code: "53100" });
    const queue = new AppendQueue({
      append: losing(append, lost),
      appendAgain: () => Promise.reject(full),
      capacity: 10,
      head: 1n,
    });
    const only = draft(note("one"));
    await expect(queue.append(only)).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE", outcome: "UNKNOWN" });
    expect(await times("full/eu", [only])).toEqual([1]);
  });
});

describe("a call that never returns", () => {
  const never = () => new Promise<never>(() => undefined);

  it("holds the queue no longer than its limit: what it recorded is found, and what waits goes on", async () => {
    const { append, appendAgain } = await callsOn("silent/eu");
    let calls = 0;
    const queue = new AppendQueue({
      append: async (drafts, call) => {
        const outcomes = await append(drafts, call);
        return calls++ === 0 ? never() : outcomes;
      },
      appendAgain,
      capacity: 10,
      head: 1n,
      callLimitMs: 300,
    });
    const first = draft(note("recorded in silence"));
    const recorded = queue.append(first);
    await expect.poll(() => times("silent/eu", [first])).toEqual([1]);
    const next = draft(note("behind it"));
    expect(await Promise.all([recorded, queue.append(next)])).toMatchObject([{ seq: 2n }, { seq: 3n }]);
    expect(await times("silent/eu", [first, next])).toEqual([1, 1]);
  });

  it("leads to UNKNOWN when no other one returns either, and to NOTHING for what was never sent", async () => {
    let together: Promise<readonly PromiseSettledResult<unknown>[]> | undefined;
    const queue: AppendQueue = new AppendQueue({
      append: () => {
        together = queue.appendTogether([draft(note("waits")), draft(note("waits with it"))]);
        return never();
      },
      appendAgain: never,
      capacity: 10,
      head: 1n,
      callLimitMs: 200,
      recoveryLimitMs: 200,
    });
    const error = (outcome: string) => expect.objectContaining({ code: "LEDGER_UNAVAILABLE", outcome });
    await expect(queue.append(draft(note("sent")))).rejects.toEqual(error("UNKNOWN"));
    const refused = { status: "rejected", reason: error("NOTHING") };
    expect(await together).toEqual([refused, refused]);
    await queue.drain();
  });
});

describe("before anything was recorded", () => {
  it("the batch is halved down to the draft at fault", async () => {
    const { append, appendAgain } = await callsOn("plain/eu");
    const drafts = [draft(note("one")), draft(note("two")), poison(), draft(note("three"))];
    const queue = new AppendQueue({ append, appendAgain, capacity: 10, head: 1n });
    const results = await Promise.allSettled(drafts.map((each) => queue.append(each)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(await times("plain/eu", drafts)).toEqual([1, 1, 0, 1]);
  });
});
