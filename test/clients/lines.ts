import type { JsonObject, JsonValue } from "../../src/facts/canonical.ts";
import { GENESIS_HASH, isInstant } from "../../src/facts/entry.ts";
import { parseJson } from "../../src/facts/parse-json.ts";
import type { SignatureKeys } from "../../src/facts/signature.ts";
import { RULES, sha256 } from "../../src/ledger/verify/check-piece.ts";
import { columnsOf } from "../../src/verify/columns.ts";
import { createIdSet } from "../../src/verify/ids.ts";
import { createPiece } from "../../src/verify/piece.ts";
import { memberOf, type StoredEntry } from "../../src/verify/rows.ts";
import { type LedgerProblem, merge } from "../../src/verify/verdict.ts";
import { OF_THE_DATABASE } from "../facts/format-checks.ts";

/** A ledger as files have it (FORMAT.md, section 10): lines without their line feeds. */
export interface Lines {
  readonly entries: readonly Buffer[];
  readonly payloads: readonly Buffer[];
}

const MOST = 1_000;
const SEQ = /^[1-9]\d{0,18}$/;

/** The problems that our verifier finds in files, `<verdict> <seq>`, those of the database left out. */
export function problemsOf(ledger: string, { entries, payloads }: Lines, signatures: SignatureKeys): readonly string[] {
  const values = new Map(
    payloads.map((line) => [line.subarray(0, line.indexOf(" ")).toString(), line.subarray(line.indexOf(" ") + 1)]),
  );
  const rows = rowsOf(entries, values);
  const to = rows.at(-1)?.seq ?? 0n;
  const range = { from: 1n, to };
  const piece = createPiece({
    ledger,
    range,
    piece: range,
    states: [],
    digestKey: "k".repeat(32),
    sha256,
    rules: RULES,
    signatures,
    limit: MOST,
  });
  for (const row of rows) piece.next(row);
  const report = piece.end();
  const ids = createIdSet(MOST);
  ids.add(report.ids);
  const problems: LedgerProblem[] = [...report.problems];
  for (const { seq } of ids.repeated) problems.push({ verdict: "RULE_BROKEN", seq, detail: "" });
  // Claims are of things that no entry made; the first that moves one is the one at fault.
  const moved = new Set<string>();
  for (const { seq, kind, id, to: stage } of report.claims) {
    if (stage !== undefined && moved.has(`${kind} ${id}`)) continue;
    if (stage !== undefined) moved.add(`${kind} ${id}`);
    problems.push({ verdict: "ILLEGAL_STEP", seq, detail: "" });
  }
  if ([...values.keys()].some((seq) => BigInt(seq) > to))
    problems.push({ verdict: "TRUNCATED", seq: to + 1n, detail: "" });
  return [
    ...new Set(
      merge(problems)
        .filter(({ verdict }) => !OF_THE_DATABASE.includes(verdict))
        .map(({ verdict, seq }) => `${verdict} ${seq}`),
    ),
  ];
}

/** Rows of the database as they would be of these lines, in the order of their places. */
function rowsOf(lines: readonly Buffer[], payloads: ReadonlyMap<string, Buffer>): readonly StoredEntry[] {
  let before = 0n;
  const placed = lines.map((line) => {
    const parsed = parse(line);
    const seq = memberOf(parsed, "seq");
    before = typeof seq === "string" && SEQ.test(seq) && BigInt(seq) < 2n ** 63n ? BigInt(seq) : before + 1n;
    return { seq: before, line, parsed };
  });
  placed.sort((one, other) => (one.seq < other.seq ? -1 : Number(one.seq > other.seq)));
  let predecessor = GENESIS_HASH;
  let datedAt = "";
  return placed.map(({ seq, line, parsed }) => {
    const known = memberOf(parsed, "v") === 1;
    const [prevHash, recordedAt, body] = ["prevHash", "recordedAt", "body"].map((name) => memberOf(parsed, name));
    const at = typeof recordedAt === "string" ? recordedAt : "";
    if (known && isInstant(at)) datedAt = at;
    const payload = payloads.get(String(seq)) ?? null;
    const row: StoredEntry = {
      seq,
      entry: line,
      hash: sha256(line),
      prevHash: known ? (typeof prevHash === "string" ? prevHash : "none") : predecessor,
      columns: columnsOf(at, isObject(body) ? body : {}).with(0, datedAt),
      payload,
      payloadTime: payload && at,
    };
    predecessor = row.hash;
    return row;
  });
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(line: Buffer): JsonValue | undefined {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    return undefined;
  }
}
