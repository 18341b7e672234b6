import fc from "fast-check";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { callAppend, callAppendEach, type Draft, type DraftOutcome } from "../../src/ledger/appending/call.ts";
import { AppendQueue } from "../../src/ledger/appending/queue.ts";
import { drafts } from "./random-drafts.ts";
import { openScene, type Scene } from "./scene.ts";

const SEED = 20_261_125;
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

let ledgers = 0;
async function newLedger(): Promise<LedgerId> {
  const ledger: LedgerId = `property-${++ledgers}/eu`;
  const { body } = seal({ actor: { id: "tester" }, id: uuidv7(), type: "LEDGER_CREATED" });
  await scene.pool.query("SELECT oc_ledger_create($1, $2)", [ledger, body]);
  return ledger;
}

/** RECORDED, the refusal, or MALFORMED: what the database or the queue throws for a draft that can never be recorded. */
type Fate = string;
const fateOf = ({ refusal }: DraftOutcome): Fate => refusal ?? "RECORDED";

function malformed(error: unknown): Fate {
  const { code = "" } = error as { readonly code?: string };
  // Ours, those of data that does not fit, and those of constraints.
  if (/^(OC003|22...|23...|DRAFT_REJECTED)$/.test(code)) return "MALFORMED";
  throw error;
}

const alone = (ledger: LedgerId, draft: Draft): Promise<Fate> =>
  callAppend(scene.pool, ledger, [draft]).then(([outcome]) => fateOf(outcome as DraftOutcome), malformed);

async function oneByOne(all: readonly Draft[]) {
  const ledger = await newLedger();
  const fates: Fate[] = [];
  for (const draft of all) fates.push(await alone(ledger, draft));
  return { ledger, fates };
}

/** Everything the database holds of a ledger, but for its name, times, and hashes, which have both of them in them. */
async function contents(ledger: LedgerId) {
  const rows = async (sql: string) => (await scene.pool.query<Record<string, unknown>>(sql, [ledger])).rows;
  const states = await rows(`
    SELECT s.kind, s.id, s.version, s.state, s.status, s.expires_at, s.actor_id, s.on_behalf_of_id, s.conversation,
           s.first_seq, s.updated_seq, s.entries, s.hash = l.hash AS tied
      FROM oc_state s LEFT JOIN oc_audit_log l ON l.ledger = s.ledger AND l.seq = s.updated_seq
     WHERE s.ledger = $1 ORDER BY kind, id`);
  const entries = await rows(`
    SELECT l.seq, l.id, l.type, l.actor_id, l.on_behalf_of_id, l.session_id, l.action_id, l.state_version, l.platform,
           l.tool, l.effect, l.chain, l.source_chain, substring(l.entry FOR strpos(l.entry, ',"ledger":"' || $1) - 1) AS body,
           l.prev_hash = coalesce(p.hash, decode(repeat('00', 32), 'hex')) AS linked
      FROM oc_audit_log l LEFT JOIN oc_audit_log p ON p.ledger = l.ledger AND p.seq = l.seq - 1
     WHERE l.ledger = $1 AND l.seq > 1 ORDER BY l.seq`);
  const payloads = await rows("SELECT seq, payload::text FROM oc_audit_payload WHERE ledger = $1 ORDER BY seq");
  const head = await rows(`
    SELECT h.seq, h.hash = l.hash AS tied, h.recorded_at >= max(l.recorded_at) OVER () AS behind
      FROM oc_ledger_head h JOIN oc_audit_log l USING (ledger, seq) WHERE h.ledger = $1`);
  for (const row of [...states, ...head]) expect(row).toMatchObject({ tied: true });
  for (const row of entries) expect(row).toMatchObject({ linked: true });
  return { states, entries, payloads, head };
}

/** How often each fate was met, to know that all of them were. */
class Tally {
  readonly counts = new Map<Fate, number>();
  add(fates: readonly Fate[]): void {
    for (const fate of fates) this.counts.set(fate, (this.counts.get(fate) ?? 0) + 1);
  }
  expectAtLeast(least: number, ...fates: readonly Fate[]): void {
    for (const fate of fates) expect(this.counts.get(fate) ?? 0, fate).toBeGreaterThanOrEqual(least);
  }
}

describe("a batch and its drafts one at a time", () => {
  it("lead to the same ledger", async () => {
    const met = new Tally();
    await fc.assert(
      fc.asyncProperty(drafts({ flawed: false }), async (all) => {
        const single = await oneByOne(all);
        const batch = await newLedger();
        const fates = (await callAppend(scene.pool, batch, all)).map(fateOf);
        expect(fates).toEqual(single.fates);
        expect(await contents(batch)).toEqual(await contents(single.ledger));
        met.add(fates);
      }),
      { seed: SEED, numRuns: 200 },
    );
    met.expectAtLeast(20, "RECORDED", "LATE", "ACTION", "SESSION", "CHAIN", "PRINCIPAL", "TOKEN");
    expect(met.counts.has("MALFORMED")).toBe(false);
  });

  it("fail together when one of them is malformed, and nothing of the batch is written", async () => {
    const met = new Tally();
    await fc.assert(
      fc.asyncProperty(drafts({ flawed: true }), async (all) => {
        const { fates } = await oneByOne(all);
        const batch = await newLedger();
        const fails = await callAppend(scene.pool, batch, all).then(() => "RECORDED", malformed);
        expect(fails === "MALFORMED").toBe(fates.includes("MALFORMED"));
        if (fails === "MALFORMED") {
          const { states, entries, payloads, head } = await contents(batch);
          expect({ states, entries, payloads, head }).toMatchObject({ states: [], entries: [], payloads: [] });
          expect(head).toMatchObject([{ seq: "1" }]);
        }
        met.add([fails]);
      }),
      { seed: SEED, numRuns: 80 },
    );
    met.expectAtLeast(5, "RECORDED", "MALFORMED");
  });

  it("lead to the same ledger through the queue, which refuses the malformed ones alone", async () => {
    const met = new Tally();
    await fc.assert(
      fc.asyncProperty(drafts({ flawed: true }), async (all) => {
        const single = await oneByOne(all);
        const ledger = await newLedger();
        const sizes: number[] = [];
        const queue = new AppendQueue({
          append: (some) => callAppend(scene.pool, ledger, some),
          appendAgain: () => Promise.reject(new Error("no commit of this test has an unknown outcome")),
          capacity: all.length,
          head: 1n,
          onBatch: (size) => sizes.push(size),
        });
        const fates = await Promise.all(all.map((draft) => queue.append(draft).then(fateOf, malformed)));
        await queue.drain();
        expect(sizes).toEqual([all.length]);
        expect(fates).toEqual(single.fates);
        expect(await contents(ledger)).toEqual(await contents(single.ledger));
        met.add(fates);
      }),
      { seed: SEED, numRuns: 80 },
    );
    met.expectAtLeast(10, "RECORDED", "MALFORMED", "LATE", "ACTION", "SESSION");
  });
});

describe("batches of several ledgers in one transaction", () => {
  it("lead to the same ledgers as each alone, also when some are malformed", async () => {
    const met = new Tally();
    const some = fc.array(
      fc.boolean().chain((flawed) => drafts({ flawed })),
      { minLength: 2, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(some, async (all) => {
        const alone = await Promise.all(all.map(newLedger));
        const expected: Fate[][] = [];
        for (const [n, batch] of all.entries()) {
          const append = callAppend(scene.pool, alone[n]!, batch);
          expected.push(
            await append.then(
              (outcomes) => outcomes.map(fateOf),
              (error) => [malformed(error)],
            ),
          );
        }
        const together = await Promise.all(all.map(newLedger));
        const results = await callAppendEach(
          scene.pool,
          all.map((batch, n) => ({ ledger: together[n]!, drafts: batch })),
        );
        const fates = results.map((result) => (result instanceof Error ? [malformed(result)] : result.map(fateOf)));
        expect(fates).toEqual(expected);
        for (const [n, ledger] of together.entries()) {
          expect(await contents(ledger)).toEqual(await contents(alone[n]!));
        }
        met.add(fates.flat());
      }),
      { seed: SEED, numRuns: 30 },
    );
    met.expectAtLeast(10, "RECORDED", "MALFORMED", "LATE", "ACTION", "SESSION");
  });

  it("are refused as a whole when a list is shorter than the others", async () => {
    const ledgersOf = await Promise.all([1, 2].map(newLedger));
    const bodies = ledgersOf.map(() => seal({ id: uuidv7(), type: "NOTE", actor: { id: "tester" } }).body);
    const lists = [ledgersOf, bodies, ["", ""], ["", ""], [null, null]];
    for (let short = 1; short < lists.length; short++) {
      const values = lists.map((list, n) => (n === short ? list.slice(1) : list));
      const call = scene.pool.query("SELECT * FROM oc_ledger_append_each($1, $2, $3, $4, $5::uuid[], false)", values);
      await expect(call).rejects.toMatchObject({ code: "OC003" });
    }
    for (const ledger of ledgersOf) expect((await contents(ledger)).entries).toEqual([]);
  });

  it("are refused as a whole when a ledger is named twice, and record nothing", async () => {
    const ledger = await newLedger();
    const batch = (): Draft => ({ ...seal({ id: uuidv7(), type: "NOTE", actor: { id: "tester" } }), id: uuidv7() });
    const twice = [batch(), batch()].map((draft) => ({ ledger, drafts: [draft] }));
    await expect(callAppendEach(scene.pool, twice)).rejects.toMatchObject({ code: "OC003" });
    expect((await contents(ledger)).entries).toEqual([]);
  });
});
