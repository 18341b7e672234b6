import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/appending/call.ts";
import { AppendQueue, type AppendQueueOptions } from "../../src/ledger/appending/queue.ts";
import { actionState, newId, note, openScene, type Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const notes = (prefix: string, count: number) =>
  Array.from(
    { length: count },
    (_, n): UnsealedObject => ({ actor: { id: "tester" }, type: "NOTE", remark: `${prefix} ${n}` }),
  );
const together = (ledger: LedgerId, bodies: readonly UnsealedObject[]) =>
  scene.ledgers.appendTogether(
    ledger,
    bodies.map((body) => ({ body })),
  );
const poison: UnsealedObject = { actor: { id: "x" }, session: "not a uuid", type: "NOTE" };

function draft(body: UnsealedObject): Draft {
  const id = uuidv7();
  return { id, ...seal({ ...body, id }) };
}

/** The transactions that inserted the entries at `positions`. */
async function transactionsOf(ledger: LedgerId, positions: readonly bigint[]): Promise<ReadonlySet<string>> {
  const { rows } = await scene.pool.query<{ xmin: string }>(
    "SELECT xmin::text AS xmin FROM oc_audit_log WHERE ledger = $1 AND seq = ANY ($2::bigint[])",
    [ledger, positions.map(String)],
  );
  expect(rows).toHaveLength(positions.length);
  return new Set(rows.map(({ xmin }) => xmin));
}

function recorded(results: readonly PromiseSettledResult<LedgerEntry>[]): bigint[] {
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value.seq] : []));
}

describe("facts appended together", () => {
  it("are inserted by one transaction, next to each other and in order, among many other callers", async () => {
    const ledger: LedgerId = "together/eu";
    await scene.ledgers.ensure(ledger);
    const singles: Promise<LedgerEntry>[] = [];
    const groups: Promise<readonly PromiseSettledResult<LedgerEntry>[]>[] = [];
    for (const [round, size] of [100, 60, 2, 30, 100, 16, 16, 16, 100, 1, 100, 100, 100, 100, 100].entries()) {
      for (const body of notes(`before ${round}`, 7)) singles.push(scene.ledgers.append(ledger, body));
      groups.push(together(ledger, notes(`group ${round}`, size)));
    }
    for (const group of await Promise.all(groups)) {
      const positions = recorded(group);
      expect(positions).toEqual(group.map((_, n) => positions[0]! + BigInt(n)));
      expect((await transactionsOf(ledger, positions)).size).toBe(1);
    }
    // More than one transaction holds: so they could have been parted.
    const all = (await Promise.all(singles)).map(({ seq }) => seq);
    expect((await transactionsOf(ledger, all)).size).toBeGreaterThan(1);
  });

  it("share a transaction with those of other ledgers", async () => {
    const ledgers = Array.from({ length: 8 }, (_, n): LedgerId => `together-${n}/eu`);
    await Promise.all(ledgers.map((ledger) => scene.ledgers.ensure(ledger)));
    const groups = await Promise.all(ledgers.map((ledger) => together(ledger, notes("x", 10))));
    for (const [at, group] of groups.entries()) {
      expect(recorded(group)).toEqual(Array.from({ length: 10 }, (_, n) => BigInt(n + 2)));
      expect((await transactionsOf(ledgers[at]!, recorded(group))).size).toBe(1);
    }
  });

  it("are refused each by itself, and see what those before them did", async () => {
    const ledger: LedgerId = "judged/eu";
    const id = newId();
    const results = await together(ledger, [
      note("one", actionState(id, 1, "PENDING")),
      note("again", actionState(id, 1, "PENDING")),
      note("two", actionState(id, 2, "APPROVED")),
      note("three"),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "MOVED", kind: "ACTION" } });
    expect(recorded(results)).toEqual([2n, 3n, 4n]);
    expect((await transactionsOf(ledger, recorded(results))).size).toBe(1);
  });

  it("have deadlines of their own", async () => {
    const results = await scene.ledgers.appendTogether("deadlines/eu", [
      { body: note("late"), notAfter: new Date(Date.now() - 60_000) },
      { body: note("in time"), notAfter: new Date(Date.now() + 60_000) },
    ]);
    expect(results).toMatchObject([{ reason: { code: "LATE" } }, { value: { seq: 2n } }]);
  });

  it("lose only the one that can never be recorded", async () => {
    const ledger: LedgerId = "poisoned-group/eu";
    await scene.ledgers.ensure(ledger);
    const other = scene.ledgers.append(ledger, note("before"));
    const whole = together(ledger, notes("whole", 5));
    const results = await together(ledger, [note("one"), poison, note("two"), note("three")]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "DRAFT_REJECTED" } });
    // Others that shared the batch stay together.
    expect((await transactionsOf(ledger, recorded(await whole))).size).toBe(1);
    await other;
  });

  it("may be more text than other batches hold", async () => {
    const ledger: LedgerId = "large/eu";
    const text = "x".repeat(100_000);
    const large = Array.from({ length: 60 }, () => note("", { text: new Erasable(text) }));
    const results = await together(ledger, large);
    expect(recorded(results)).toHaveLength(60);
    expect((await transactionsOf(ledger, recorded(results))).size).toBe(1);
  });

  it("are none when there is nothing to append", async () => {
    expect(await together("nothing/eu", [])).toEqual([]);
  });
});

describe("a queue", () => {
  const lost = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  type Append = AppendQueueOptions["append"];

  async function queueOn(ledger: LedgerId, capacity: number, wrap: (append: Append) => Append = (append) => append) {
    await scene.ledgers.ensure(ledger);
    return new AppendQueue({
      append: wrap((drafts, call) => callAppend(scene.pool, ledger, drafts, call)),
      appendAgain: (drafts, after, call) => callAppendAgain(scene.pool, ledger, drafts, after, call),
      capacity,
      head: 1n,
    });
  }

  it("takes all of a group or nothing of it", async () => {
    const queue = await queueOn("room/eu", 5);
    const first = queue.appendTogether([draft(note("a")), draft(note("b")), draft(note("c"))]);
    const second = await queue.appendTogether([draft(note("d")), draft(note("e")), draft(note("f"))]);
    for (const result of second)
      expect(result).toMatchObject({ reason: { code: "LEDGER_UNAVAILABLE", outcome: "NOTHING" } });
    expect((await first).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    // Otherwise it could never be recorded.
    const large = await queue.appendTogether(notes("large", 8).map(draft));
    expect(large.map(({ status }) => status)).toEqual(large.map(() => "fulfilled"));
  });

  it("records a group once and in one transaction when the response to its commit is lost", async () => {
    for (const before of [true, false]) {
      const ledger: LedgerId = `lost-${before}/eu`;
      let calls = 0;
      const queue = await queueOn(ledger, 100, (append) => async (drafts, call) => {
        if (calls++ === 0 && before) throw lost();
        const outcomes = await append(drafts, call);
        if (calls === 1) throw lost();
        return outcomes;
      });
      const drafts = notes("lost", 50).map(draft);
      const results = await queue.appendTogether(drafts);
      const positions = results.flatMap((result) =>
        result.status === "fulfilled" && result.value.refusal === undefined ? [result.value.seq] : [],
      );
      expect(positions).toEqual(drafts.map((_, n) => BigInt(n + 2)));
      expect((await transactionsOf(ledger, positions)).size).toBe(1);
    }
  });
});
