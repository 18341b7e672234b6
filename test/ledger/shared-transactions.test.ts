import { Client, type Pool } from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { callAppend, callAppendEach, type Draft, HEAD_LOCKED } from "../../src/ledger/appending/call.ts";
import { AppendQueue } from "../../src/ledger/appending/queue.ts";
import { createSharedTransactions } from "../../src/ledger/appending/shared-transactions.ts";
import type { Ledgers } from "../../src/ledger/ledger.ts";
import { createLedgers, verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let pool: Pool;
let ledgers: Ledgers;
/** How often a ledger was opened, and the statements that append that were sent, with the number of ledgers of each. */
let creations = 0;
const statements: { readonly name: string; readonly ledgers: number }[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.appUrl, max: 8, applicationName: "shared-test", log: silent });
  const query = pool.query.bind(pool) as (...all: unknown[]) => unknown;
  const watched = Object.create(pool, {
    query: {
      value: (...all: unknown[]) => {
        const { name, values } = Object(all[0]) as { readonly name?: string; readonly values?: readonly unknown[] };
        const first = values?.[0];
        if (String(all[0]).includes("oc_ledger_create")) creations += 1;
        if (name?.startsWith("oc_ledger_append")) {
          statements.push({ name, ledgers: Array.isArray(first) ? first.length : 1 });
        }
        return query(...all);
      },
    },
  }) as Pool;
  ledgers = createLedgers({ pool: watched, capacity: 2_000 });
});

afterAll(async () => {
  await ledgers.close();
  await pool.end();
  await database.drop();
});

const note = (text: string): UnsealedObject => ({ type: "NOTE", actor: { id: "tester" }, text });
const names = (prefix: string, count: number): LedgerId[] =>
  Array.from({ length: count }, (_, n) => `${prefix}-${n}/eu` as const);

async function opened(prefix: string, count: number): Promise<LedgerId[]> {
  const all = names(prefix, count);
  await Promise.all(all.map((ledger) => ledgers.ensure(ledger)));
  statements.splice(0);
  return all;
}

/** Holds the head of `ledger` until the function that is returned is called. */
async function hold(ledger: LedgerId): Promise<() => Promise<void>> {
  const owner = new Client({ connectionString: database.superuserUrl });
  await owner.connect();
  await owner.query("BEGIN");
  await owner.query("SELECT FROM oc_ledger_head WHERE ledger = $1 FOR UPDATE", [ledger]);
  return async () => {
    await owner.query("ROLLBACK");
    await owner.end();
  };
}

describe("appends to many ledgers", () => {
  it("share transactions, and each ledger is as if it were alone", async () => {
    const all = await opened("shared", 16);
    const entries = await Promise.all(
      all.map(async (ledger) => {
        const seqs: bigint[] = [];
        for (let step = 0; step < 20; step++) seqs.push((await ledgers.append(ledger, note(`${step}`))).seq);
        return seqs;
      }),
    );
    for (const seqs of entries) expect(seqs).toEqual(Array.from({ length: 20 }, (_, n) => BigInt(n + 2)));
    // 320 entries, never two of one ledger at a time.
    expect(statements.length).toBeLessThan(160);
    expect(Math.max(...statements.map(({ ledgers: count }) => count))).toBeGreaterThan(4);
    for (const ledger of all.slice(0, 2)) expect(await verifyLedger(pool, ledger)).toMatchObject({ verdict: "INTACT" });
  });

  it("are refused or rejected each by itself", async () => {
    const all = await opened("apart", 8);
    const past = new Date(Date.now() - 60_000);
    const told = all.map((ledger, n) => {
      if (n === 1) return ledgers.append(ledger, note("late"), { notAfter: past });
      // A session that is no UUID: the column does not take it.
      if (n === 2) return ledgers.append(ledger, { ...note("broken"), session: "none" });
      return ledgers.append(ledger, note("fine"));
    });
    const settled = await Promise.allSettled(told);
    expect(statements.some(({ ledgers: count }) => count > 2)).toBe(true);
    expect(settled.map(({ status }) => status)).toEqual(
      all.map((_, n) => (n === 1 || n === 2 ? "rejected" : "fulfilled")),
    );
    await expect(told[1]).rejects.toMatchObject({ code: "LATE" });
    await expect(told[2]).rejects.toMatchObject({ code: "DRAFT_REJECTED" });
    const { rows } = await pool.query(
      "SELECT ledger, seq FROM oc_ledger_head WHERE ledger LIKE 'apart-%' ORDER BY ledger",
    );
    expect(rows.map(({ seq }) => seq)).toEqual(["2", "1", "1", "2", "2", "2", "2", "2"]);
  });

  it("do not wait for one whose head somebody else holds", async () => {
    const all = await opened("held", 16);
    const release = await hold(all[3]!);
    let answered = false;
    const waiting = ledgers.append(all[3]!, note("waits")).finally(() => {
      answered = true;
    });
    const others = all.filter((_, n) => n !== 3);
    for (let round = 0; round < 5; round++) {
      await Promise.all(others.map((ledger) => ledgers.append(ledger, note(`round ${round}`))));
    }
    expect(answered).toBe(false);
    await release();
    expect((await waiting).seq).toBe(2n);
  });

  it("go on with more held heads than there are connections", async () => {
    const all = await opened("several", 14);
    const held = all.slice(0, 10);
    const releases = await Promise.all(held.map(hold));
    const waiting = held.map((ledger) => ledgers.append(ledger, note("waits")));
    for (const ledger of all.slice(10)) expect((await ledgers.append(ledger, note("goes"))).seq).toBe(2n);
    for (const release of releases) await release();
    expect((await Promise.all(waiting)).map(({ seq }) => seq)).toEqual(held.map(() => 2n));
  });
});

describe("batches of more held heads than may wait for them", () => {
  it("are given up in time, with nothing recorded, while those before them wait on", async () => {
    const all = await opened("given-up", 7);
    const transactions = createSharedTransactions({
      appendOne: ({ ledger, drafts, call }) => callAppend(pool, ledger, drafts, call),
      appendEach: (batches) => callAppendEach(pool, batches),
      headWasLocked: ({ code }) => code === HEAD_LOCKED,
      headWaitLimitMs: 300,
    });
    const queues = all.map((ledger) => {
      const append = (drafts: readonly Draft[], call: string) => transactions.append({ ledger, drafts, call });
      const appendAgain = () => Promise.reject(new Error("no commit of this test has an unknown outcome"));
      return new AppendQueue({ append, appendAgain, capacity: 10, head: 1n });
    });
    const releases = await Promise.all(all.map(hold));
    try {
      const waiting = queues.map((queue) => {
        const id = uuidv7();
        return queue.append({ id, ...seal({ ...note("waits"), id }) });
      });
      const settled = Promise.allSettled(waiting);
      const given: unknown[] = [];
      for (const one of waiting) one.catch((error: unknown) => given.push(error));
      await waitUntil(() => given.length === 3, 10_000);
      for (const error of given) expect(error).toMatchObject({ code: "LEDGER_LOCKED", outcome: "NOTHING" });
      for (const release of releases.splice(0)) await release();
      expect((await settled).filter(({ status }) => status === "fulfilled")).toHaveLength(4);
      const { rows } = await pool.query(
        "SELECT count(*)::integer AS n FROM oc_audit_log WHERE ledger LIKE 'given-up-%' AND seq > 1",
      );
      expect(rows).toEqual([{ n: 4 }]);
    } finally {
      for (const release of releases) await release();
    }
  });
});

describe("the queues of ledgers", () => {
  it("are forgotten when idle, and their ledgers go on", async () => {
    const all = names("many", 600);
    for (const ledger of all) await ledgers.append(ledger, note("first"));
    creations = 0;
    for (const ledger of all.slice(-20)) expect((await ledgers.append(ledger, note("second"))).seq).toBe(3n);
    expect(creations).toBe(0);
    for (const ledger of all.slice(0, 20)) expect((await ledgers.append(ledger, note("second"))).seq).toBe(3n);
    expect(creations).toBe(20);
  });
});
