import { afterAll, beforeAll, expect, expectTypeOf, it } from "vitest";
import { copyOut } from "../../src/db/copy-out.ts";
import type { JsonObject } from "../../src/facts/canonical.ts";
import { createBodyCheck } from "../../src/facts/check/check.ts";
import { createStepCheck } from "../../src/facts/check/steps.ts";
import { type DraftOf, defineFact, defineState, made, steps } from "../../src/facts/definition.ts";
import { dependenciesOf } from "../../src/facts/dependencies.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { AREAS } from "../../src/facts/registry.ts";
import { code, erasable, object, text } from "../../src/facts/schema.ts";
import { createVocabulary } from "../../src/facts/vocabulary.ts";
import { sha256 } from "../../src/ledger/verify/check-piece.ts";
import { createEntryReader, selectEntries } from "../../src/ledger/verify/entries.ts";
import { inSnapshot } from "../../src/ledger/verify/session.ts";
import { openStates, toStateRow } from "../../src/ledger/verify/states.ts";
import { guardReport } from "../../src/ledger/verify.ts";
import { EMPTY_DIGEST } from "../../src/verify/digest.ts";
import { createPiece } from "../../src/verify/piece.ts";
import type { Rules } from "../../src/verify/rules.ts";
import { verdictOf } from "../../src/verify/verdict.ts";
import { manipulate } from "../ledger/manipulate-states.ts";
import { openScene, type Scene } from "../ledger/scene.ts";
import { verifyLedger } from "../support/ledgers.ts";

/**
 * An area that the product does not have, as one file of `src/facts/areas` would define it. It permits nothing: the append
 * signs what is in the registry.
 */
const SAMPLE = defineState("SAMPLE", {
  description: "something that must not be erased",
  id: "a name within the organization",
  state: object({ status: code(["HELD", "RELEASED"], "whether it is kept") }, "the sample from this entry on"),
});
const SAMPLES = {
  states: [SAMPLE],
  facts: [
    defineFact("SAMPLE_PLACED", {
      description: "something must not be erased from here on",
      members: { subjectId: text("whose data"), note: erasable<string>("why").optional() },
      moves: { SAMPLE: made("HELD") },
    }),
    defineFact("SAMPLE_RELEASED", {
      description: "it may be erased again",
      members: { note: erasable<string>("why").optional() },
      moves: { SAMPLE: steps(["HELD"], ["RELEASED"]) },
    }),
    defineFact("SAMPLE_REVIEWED", {
      description: "somebody looked whether it is still needed",
      members: { outcome: code(["KEPT", "IN_DOUBT"], "what came of it") },
    }),
  ],
} as const;
type SampleDraft = DraftOf<(typeof SAMPLES)["states"][number], (typeof SAMPLES)["facts"][number]>;

const vocabulary = createVocabulary([...AREAS, SAMPLES]);
const rules: Rules = {
  dependenciesOf,
  checkBody: createBodyCheck(vocabulary),
  isLegalStep: createStepCheck(vocabulary),
};

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const append = (ledger: LedgerId, draft: SampleDraft): Promise<LedgerEntry> =>
  scene.ledgers.append(ledger, { actor: SYSTEM_ACTOR, ...draft });

const placed = (id: string, version = 1) =>
  ({
    type: "SAMPLE_PLACED",
    subjectId: "member",
    note: new Erasable("a court asked for it"),
    states: [{ kind: "SAMPLE", id, version, state: { status: "HELD" } }],
  }) satisfies SampleDraft;
const released = (id: string, version: number) =>
  ({
    type: "SAMPLE_RELEASED",
    states: [{ kind: "SAMPLE", id, version, state: { status: "RELEASED" } }],
  }) satisfies SampleDraft;

/** What the verifier says of a ledger by the rules of `vocabulary`. */
async function verify(ledger: LedgerId) {
  const client = await scene.pool.connect();
  try {
    const { rows } = await client.query<{ seq: string }>("SELECT seq FROM oc_ledger_head WHERE ledger = $1", [ledger]);
    const range = { from: 1n, to: BigInt(rows[0]?.seq ?? 0) };
    const cursor = await inSnapshot(client, () => openStates(client, ledger, range, true));
    const states = (await cursor.fetch()).map(toStateRow);
    await cursor.close();
    const toEntry = createEntryReader();
    const options = { ledger, range, states, digestKey: "k".repeat(32), sha256, rules, limit: 10 };
    const piece = createPiece({ ...options, piece: range });
    await inSnapshot(client, () => copyOut(client, selectEntries(ledger, range), (row) => piece.next(toEntry(row))));
    const { problems, entries, digest, claims } = piece.end();
    expect(digest).toBe(EMPTY_DIGEST);
    expect(claims).toEqual([]);
    return { verdict: verdictOf(problems, BigInt(entries)), problems, entries };
  } finally {
    client.release();
  }
}

const stateRow = async (ledger: LedgerId, id: string) => {
  const found =
    "SELECT version, state, status, entries FROM oc_state WHERE ledger = $1 AND kind = 'SAMPLE' AND id = $2";
  const { rows } = await scene.pool.query<JsonObject>(found, [ledger, id]);
  return rows[0];
};

it("has a closed shape for each fact, like every area", () => {
  expectTypeOf<{ type: "SAMPLE_PLACED"; subjectId: string }>().not.toExtend<SampleDraft>();
  expectTypeOf<Omit<ReturnType<typeof placed>, "subjectId"> & { subjectId: number }>().not.toExtend<SampleDraft>();
  expectTypeOf<{ type: "SAMPLE_REVIEWED"; outcome: "LOST" }>().not.toExtend<SampleDraft>();
  expectTypeOf<{ type: "SAMPLE_REVIEWED"; outcome: "KEPT" }>().toExtend<SampleDraft>();
});

it("is recorded, projected and verified like every other", async () => {
  const ledger = "samples/eu";
  const first = await append(ledger, placed("case 1"));
  expect(await stateRow(ledger, "case 1")).toMatchObject({ version: 1, state: { status: "HELD" }, status: "HELD" });
  await append(ledger, { type: "SAMPLE_REVIEWED", outcome: "KEPT" });
  await append(ledger, placed("case 2"));
  const last = await append(ledger, released("case 1", 2));
  expect(await stateRow(ledger, "case 1")).toEqual({
    version: 2,
    state: { status: "RELEASED" },
    status: "RELEASED",
    entries: [String(first.seq), String(last.seq)],
  });
  expect(await verify(ledger)).toEqual({ verdict: "INTACT", problems: [], entries: 5 });
  expect((await guardReport(scene.pool)).problems).toEqual([]);
});

it("refuses a second placement and a version that is outdated with its kind", async () => {
  const ledger = "refused/eu";
  await append(ledger, placed("case 1"));
  await expect(append(ledger, placed("case 1"))).rejects.toMatchObject({ code: "MOVED", kind: "SAMPLE" });
  await append(ledger, released("case 1", 2));
  await expect(append(ledger, released("case 1", 2))).rejects.toMatchObject({ code: "MOVED", kind: "SAMPLE" });
  await expect(append(ledger, released("case 2", 2))).rejects.toMatchObject({ code: "MOVED", kind: "SAMPLE" });
  expect(await verify(ledger)).toMatchObject({ verdict: "INTACT", entries: 3 });
});

it("has its state rows compared with its entries", async () => {
  const ledger = "tampered/eu";
  const { seq } = await append(ledger, placed("case 1"));
  await manipulate(
    scene.database.superuserUrl,
    `UPDATE oc_state SET state = '{"status":"RELEASED"}' WHERE ledger = 'tampered/eu'`,
  );
  const detail = 'oc_state SAMPLE case 1: state is {"status": "RELEASED"}, in the entry it is {"status":"HELD"}';
  expect(await verify(ledger)).toMatchObject({
    verdict: "STATE_MISMATCH",
    problems: [{ verdict: "STATE_MISMATCH", seq, detail }],
  });
});

it("has steps that are checked", async () => {
  const ledger = "steps/eu";
  await append(ledger, placed("case 1"));
  await append(ledger, released("case 1", 2));
  const { seq } = await append(ledger, released("case 1", 3));
  const detail = "SAMPLE case 1 may not go from RELEASED to RELEASED by an entry of type SAMPLE_RELEASED";
  expect(await verify(ledger)).toMatchObject({
    verdict: "ILLEGAL_STEP",
    problems: [{ verdict: "ILLEGAL_STEP", seq, detail }],
  });
});

it("has members that are checked", async () => {
  const ledger = "members/eu";
  const { seq } = await scene.ledgers.append(ledger, { actor: SYSTEM_ACTOR, ...placed("case 1"), subjectId: 7 });
  await scene.ledgers.append(ledger, { actor: SYSTEM_ACTOR, type: "SAMPLE_REVIEWED", outcome: "KEPT", extra: 1 });
  expect(await verify(ledger)).toMatchObject({
    verdict: "RULE_BROKEN",
    problems: [
      { verdict: "RULE_BROKEN", seq, detail: expect.stringMatching(/^subjectId: /) },
      { verdict: "RULE_BROKEN", seq: seq + 1n, detail: "extra: is not known" },
    ],
  });
});

it("is accepted by a reader that does not know it where it moves no state, and nowhere else", async () => {
  const ledger = "unknown/eu";
  await append(ledger, { type: "SAMPLE_REVIEWED", outcome: "KEPT" });
  expect(await verifyLedger(scene.pool, ledger)).toMatchObject({ verdict: "INTACT", checkedEntries: 2n });
  const { seq } = await append(ledger, placed("case 1"));
  const detail = expect.stringContaining("type: SAMPLE_PLACED is not known, and the entry moves a state");
  expect(await verifyLedger(scene.pool, ledger)).toMatchObject({
    verdict: "RULE_BROKEN",
    problems: [{ verdict: "RULE_BROKEN", seq, detail }],
  });
  expect(await verify(ledger)).toMatchObject({ verdict: "INTACT", entries: 3 });
});
