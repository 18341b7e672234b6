import { spawn } from "node:child_process";
import path from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, expect, it } from "vitest";
import { factJwks } from "../../src/domain/identity/fact-keys.ts";
import type { JsonObject } from "../../src/facts/canonical.ts";
import { signatureKeys } from "../../src/ledger/signatures/keys.ts";
import { actionBodies } from "../ledger/verify.fixture.ts";
import { FACT_KEYS } from "../support/fact-keys.ts";
import { sealSigned } from "../support/ledgers.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };
import { type Lines, problemsOf } from "./lines.ts";
import { type Draft, LEDGER, linesOf, type Manipulated, ofEntries, ofMembers, ofOrder } from "./manipulations.ts";

/** The verifier in Python and ours, of the same ledgers that somebody manipulated: each has to find the same, everywhere. */
const FOLDER = path.resolve(import.meta.dirname, "../../clients/verify/python");
let drafts: readonly Draft[];

beforeAll(() => {
  const recordedAt = vectors.entries.at(-1)?.recordedAt ?? "";
  const lives = actionBodies(0).map((body) => {
    const { body: text, payload } = sealSigned(LEDGER, body);
    return { body: JSON.parse(text) as JsonObject, recordedAt, payload };
  });
  // Beside those that Python's own tests look at: all that the format knows, and a few that it does not.
  const ofVectors = vectors.entries
    .map((vector) => ({ ...vector, body: JSON.parse(vector.body) as JsonObject }))
    .filter(({ body, seq }) => body.type !== "NOTE" || ["8", "13"].includes(seq));
  drafts = [...ofVectors, ...lives];
});

/** What the verifier in Python finds in each of `ledgers`, `<verdict> <seq>`. One process for all. */
async function inPython(ledgers: readonly Lines[], signed: boolean): Promise<readonly (readonly string[])[]> {
  const script = path.join(import.meta.dirname, "verify-many.py");
  const python = spawn("python3", ["-B", script], { env: { ...process.env, PYTHONPATH: FOLDER } });
  const encoded = (lines: readonly Buffer[]) => lines.map((line) => line.toString("base64"));
  const results = Promise.all([text(python.stdout), text(python.stderr)]);
  for (const { entries, payloads } of ledgers) {
    const ledger = {
      ledger: LEDGER,
      signed,
      keys: factJwks(FACT_KEYS),
      entries: encoded(entries),
      payloads: encoded(payloads),
    };
    python.stdin.write(`${JSON.stringify(ledger)}\n`);
  }
  python.stdin.end();
  const [out, errors] = await results;
  expect(errors).toBe("");
  return out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as string[]);
}

/** Keys by which every signature of the right form is valid: to verify it in Python takes milliseconds. */
const ANY_SIGNATURE = { byId: { get: () => ({}) } as unknown as ReadonlyMap<string, object>, verify: () => true };

/**
 * Without what the format leaves open (FORMAT.md, section 7): ILLEGAL_STEP of an entry that is RULE_BROKEN, and behind the first place
 * where it is not known what is recorded; BAD_SIGNATURE of an entry of another form.
 */
function comparable(problems: readonly string[]): string {
  const all = problems.map((problem) => problem.split(" ") as [verdict: string, seq: string]);
  const placesOf = (...verdicts: readonly string[]) =>
    all.flatMap(([one, seq]) => (verdicts.includes(one) ? [Number(seq)] : []));
  const first = Math.min(...placesOf("SEQUENCE_GAP", "FORKED", "UNVERIFIABLE", "CONTENT_MISMATCH"));
  const [broken, other] = [placesOf("RULE_BROKEN"), placesOf("CONTENT_MISMATCH")];
  const isOpen = (verdict: string, seq: number) =>
    (verdict === "ILLEGAL_STEP" && (seq >= first || broken.includes(seq))) ||
    (verdict === "BAD_SIGNATURE" && other.includes(seq));
  const kept = all.filter(([verdict, seq]) => !isOpen(verdict, Number(seq)));
  return kept.map((one) => one.join(" ")).join(", ");
}

async function expectAgreement(ledgers: readonly Manipulated[], signed = false): Promise<void> {
  const theirs = await inPython(ledgers, signed);
  const keys = signed ? signatureKeys(FACT_KEYS) : ANY_SIGNATURE;
  const ours = ledgers.map((ledger) => problemsOf(LEDGER, ledger, keys).toSorted());
  const differences = ledgers.flatMap(({ name }, at) => {
    const [here, there] = [ours[at] ?? [], theirs[at]?.toSorted() ?? []].map(comparable);
    return here === there ? [] : [{ name, ours: here, inPython: there }];
  });
  expect(differences).toEqual([]);
}

it("find nothing in a ledger that nobody manipulated", async () => {
  const lines = linesOf(drafts);
  expect(await inPython([lines], true)).toEqual([[]]);
  expect(problemsOf(LEDGER, lines, signatureKeys(FACT_KEYS))).toEqual([]);
});

it("find the same when members of entries were changed", async () => {
  await expectAgreement([...ofMembers(drafts, 1)]);
}, 180_000);

it("find the same when entries and payloads were changed", async () => {
  await expectAgreement([...ofEntries(drafts, [0, 2, 5])]);
}, 180_000);

it("find the same when entries were removed, moved or repeated", async () => {
  await expectAgreement([...ofOrder(drafts)]);
}, 180_000);
