import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import { checkBody } from "../../src/facts/check/check.ts";
import { checkDependent, checkSequel, remembered, VOTE_TYPES } from "../../src/facts/check/sequel.ts";
import { isLegalStep } from "../../src/facts/check/steps.ts";
import { dependenciesOf } from "../../src/facts/dependencies.ts";
import { GENESIS_HASH, type LedgerHead } from "../../src/facts/entry.ts";
import { canPermit } from "../../src/facts/permits.ts";
import type { FactKey } from "../../src/facts/signature.ts";
import { signatureKeys } from "../../src/ledger/signatures/keys.ts";
import { endProblems, rewrittenAt } from "../../src/ledger/verify/end.ts";
import { createIdSet } from "../../src/verify/ids.ts";
import { createPiece } from "../../src/verify/piece.ts";
import type { StoredEntry } from "../../src/verify/rows.ts";
import { type LedgerProblem, merge, RANK, verdictOf } from "../../src/verify/verdict.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };
import { columnsOf, sha256 } from "../verify/ledger.ts";
import { CHECKS, type CheckName, OF_THE_DATABASE, ORDER } from "./format-checks.ts";

/** The ledger of the vectors, as a table of it has it. */
interface Copy {
  readonly rows: StoredEntry[];
  /** What is known from elsewhere, and what `oc_ledger_head` says instead of the truth. */
  readonly heads?: readonly LedgerHead[];
  readonly head?: LedgerHead;
}

const rows = (): StoredEntry[] =>
  vectors.entries.map(({ entry, payload }) => rowOf(entry, payload === "" ? null : payload));

function rowOf(text: string | Uint8Array, payload: string | null): StoredEntry {
  const bytes = Buffer.from(text);
  const { body, recordedAt, prevHash, seq } = JSON.parse(String(text)) as (typeof vectors.entries)[number];
  const columns = columnsOf(recordedAt, body as never);
  const stored = payload === null ? null : Buffer.from(payload);
  const payloadTime = payload === null ? null : recordedAt;
  return { seq: BigInt(seq), entry: bytes, hash: sha256(bytes), prevHash, columns, payload: stored, payloadTime };
}

/** The rows with the text at `seq` changed, and every link behind it made anew. */
function changed(seq: number, change: (entry: JsonObject & { readonly body: JsonObject }) => object): Copy {
  let prevHash = GENESIS_HASH;
  const all = rows().map((row, at) => {
    const entry = { ...(JSON.parse(String(row.entry)) as JsonObject & { body: JsonObject }), prevHash };
    const made = at + 1 === seq ? change(entry) : entry;
    const next = rowOf(canonicalize(made as JsonObject), row.payload === null ? null : String(row.payload));
    prevHash = next.hash;
    return next;
  });
  return { rows: all };
}
const body = (seq: number, members: object): Copy =>
  changed(seq, (entry) => ({ ...entry, body: { ...entry.body, ...members } }));
/** The row at `seq` with other columns, which no hash covers. */
const stored = (seq: number, columns: Partial<StoredEntry>): Copy => ({
  rows: rows().map((row) => (row.seq === BigInt(seq) ? { ...row, ...columns } : row)),
});
/** The last row with other bytes, and their hash. */
const bytes = (entry: Buffer): Copy => stored(vectors.entries.length, { entry, hash: sha256(entry) });

const LAST = vectors.entries.length;
const bodyAt = (seq: number) => JSON.parse(vectors.entries[seq - 1]?.body ?? "") as JsonObject;
const [DECIDED, NOTE] = [4, 14];
const other = (position: bigint): LedgerHead => ({ seq: position, hash: "f".repeat(64) });
const lastRow = () => rows().at(-1) as StoredEntry;
const moved = (seq: number, change: (thing: JsonObject & { readonly state: JsonObject }) => object) => {
  const [first, ...others] = bodyAt(seq).states as readonly (JsonObject & { readonly state: JsonObject })[];
  return { states: [change(first as JsonObject & { readonly state: JsonObject }), ...others] };
};

/** A ledger for each check of the specification, with which it is the first that finds something. */
const EXAMPLES: Readonly<Record<CheckName, () => Copy>> = {
  gap: () => ({ rows: rows().filter(({ seq }) => seq !== 5n) }),
  fork: () => ({ rows: [...rows(), lastRow()] }),
  hash: () => stored(LAST, { entry: Buffer.from(String(lastRow().entry).replace("LOGOUT", "logout")) }),
  utf8: () => bytes(Buffer.concat([lastRow().entry, Buffer.from([0xff])])),
  json: () => bytes(Buffer.from(`${lastRow().entry}}`)),
  version: () => bytes(Buffer.from(String(lastRow().entry).replace('"v":1', '"v":2'))),
  place: () => changed(LAST, (entry) => ({ ...entry, ledger: "vectors/us-1" })),
  link: () => changed(LAST, (entry) => ({ ...entry, prevHash: "f".repeat(64) })),
  members: () =>
    bytes(Buffer.from(String(lastRow().entry).replace('"recordedAt":"', '"recordedAt":["').replace('Z",', 'Z"],'))),
  form: () => bytes(Buffer.from(`${lastRow().entry} `)),
  time: () => changed(LAST, (entry) => ({ ...entry, recordedAt: "2026-01-01T00:00:00.000000Z" })),
  columns: () => stored(LAST, { columns: lastRow().columns.with(2, "NOTE") }),
  signature: () => body(DECIDED, { signature: `e30..${"A".repeat(86)}` }),
  payload: () =>
    stored(DECIDED, { payload: Buffer.from(vectors.entries[DECIDED - 1]?.payload.replace("👍", "👎") ?? "") }),
  value: () => stored(DECIDED, { payload: null, payloadTime: null }),
  first: () => body(1, { type: "NOTE" }),
  created: () => body(NOTE, { type: "LEDGER_CREATED", reason: undefined, action: undefined }),
  id: () => body(LAST, { id: bodyAt(1).id }),
  body: () => body(LAST, { reason: "BORED" }),
  states: () =>
    body(
      LAST,
      moved(LAST, (thing) => ({ ...thing, version: 1 })),
    ),
  alone: () => body(LAST, { reason: "EXPIRED" }),
  depends: () => appended({ type: "NOTE", states: undefined }),
  follows: () =>
    body(
      LAST,
      moved(LAST, (thing) => ({ ...thing, version: 3 })),
    ),
  step: () => appended(moved(LAST, (thing) => ({ ...thing, version: 3 }))),
  after: () => body(LAST, { conversation: "another" }),
  end: () => ({ rows: rows(), heads: [other(BigInt(LAST + 1))] }),
  gone: () => ({ rows: [], heads: [other(1n)] }),
  head: () => ({ rows: rows(), heads: [other(5n)] }),
  beyond: () => ({ rows: rows(), head: { seq: BigInt(LAST - 1), hash: lastRow().prevHash } }),
  before: () => ({ rows: rows(), head: other(BigInt(LAST + 1)) }),
  headHash: () => ({ rows: rows(), head: other(BigInt(LAST)) }),
};

/** The rows, and an entry behind them with `members` in place of those of the last one. */
function appended(members: object): Copy {
  const last = lastRow();
  const id = "01920000-0000-7000-8000-0000000000ff";
  const text = canonicalize({
    ...(JSON.parse(String(last.entry)) as JsonObject),
    body: { ...bodyAt(LAST), id, ...members } as JsonObject,
    prevHash: last.hash,
    seq: String(LAST + 1),
  });
  return { rows: [...rows(), rowOf(text, last.payload === null ? null : String(last.payload))] };
}

const keys = vectors.jwks.keys as unknown as readonly FactKey[];
const rules = {
  dependenciesOf,
  checkBody,
  canPermit,
  isLegalStep,
  remembered,
  voteTypes: VOTE_TYPES,
  checkDependent,
  checkSequel,
};

/** What a verification by entries, payloads, keys and heads finds. */
async function found({ rows, heads = [], head: said }: Copy): Promise<readonly LedgerProblem[]> {
  const last = rows.at(-1)?.seq ?? 0n;
  const range = { from: 1n, to: last };
  const options = { ledger: vectors.ledger, range, piece: range, states: [], digestKey: "k".repeat(32), sha256, rules };
  const piece = createPiece({ ...options, signatures: signatureKeys(keys), limit: 100 });
  for (const row of rows) piece.next(row);
  const { problems, ids, claims } = piece.end();
  expect(claims).toEqual([]);
  const known = createIdSet(100);
  known.add(ids);
  const repeated = known.repeated.map(({ seq }) => ({ verdict: "RULE_BROKEN", seq, detail: "a repeated id" }) as const);
  const entryHash = rows.at(-1)?.hash;
  const head = said ?? (entryHash === undefined ? undefined : { seq: last, hash: entryHash });
  const end = endProblems({ head, headDated: true, last, entryHash, trace: last }, heads.at(-1));
  const columns = rows.map(({ seq, hash }) => ({ seq: String(seq), hash }));
  // The statement that it runs selects hashes by position.
  const rewritten = await rewrittenAt(
    (async () => columns) as Parameters<typeof rewrittenAt>[0],
    "vectors/eu-1",
    heads,
  );
  return merge([...problems, ...repeated, ...end, ...(rewritten === undefined ? [] : [rewritten])]);
}

describe("the checks of section 7", () => {
  it("find a time that is no instant, whatever the column says", async () => {
    const { rows: copy } = changed(LAST, (entry) => ({ ...entry, recordedAt: "2126-02-30T00:00:00.000000Z" }));
    expect(await found({ rows: copy })).toMatchObject([{ verdict: "CONTENT_MISMATCH", seq: BigInt(LAST) }]);
  });

  it("find nothing wrong with the vectors", async () => {
    expect(await found({ rows: rows(), heads: [{ seq: 5n, hash: vectors.entries[4]?.hash ?? "" }] })).toEqual([]);
  });

  it.each(Object.entries(EXAMPLES))("give the verdict that stands there: %s", async (name, example) => {
    const problems = await found(example());
    expect(verdictOf(problems, 1n), JSON.stringify(problems[0]?.detail)).toBe(CHECKS[name as CheckName][1]);
  });

  it("name every verdict that a check of entries, payloads, keys and heads can give, and no other", async () => {
    const folders = ["../../src/verify/", "../../src/ledger/verify/"].map((path) => new URL(path, import.meta.url));
    const named = new Set<string>();
    for (const folder of folders) {
      for (const file of await readdir(folder)) {
        // It lists all of them, and those of an overall verdict.
        if (!file.endsWith(".ts") || file === "verdict.ts") continue;
        const text = await readFile(new URL(file, folder), "utf8");
        for (const [, verdict] of text.matchAll(/"([A-Z][A-Z_]+)"/g)) named.add(verdict ?? "");
      }
    }
    const verdicts = new Set<string>(Object.values(CHECKS).map(([, verdict]) => verdict));
    const given = RANK.filter((verdict) => named.has(verdict));
    expect(given.toSorted()).toEqual([...verdicts, ...OF_THE_DATABASE].toSorted());
    expect(ORDER.toSorted()).toEqual([...verdicts].toSorted());
  });
});
