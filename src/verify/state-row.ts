import type { JsonObject } from "../facts/canonical.ts";
import { isSame } from "../facts/members.ts";
import { parseJson } from "../facts/parse-json.ts";
import type { EntryState, Maker, StoredState } from "./rows.ts";
import type { Range } from "./sequence.ts";
import type { LedgerProblem } from "./verdict.ts";

/** Problems within a state row: its version, positions and entries must be consistent. */
export function rowProblems(row: StoredState): string[] {
  const { version, entries, firstSeq, updatedSeq } = row;
  const named = name(row);
  const problems: string[] = [];
  if (entries.length !== version) problems.push(`${named}: version is ${version}, its entries are ${entries.length}`);
  if (entries[0] !== firstSeq) {
    problems.push(`${named}: first_seq is ${firstSeq}, its first entry is ${entries[0] ?? "nothing"}`);
  }
  if (entries.at(-1) !== updatedSeq) {
    problems.push(`${named}: updated_seq is ${updatedSeq}, its last entry is ${entries.at(-1) ?? "nothing"}`);
  }
  if (entries.some((seq, at) => at > 0 && seq <= entries[at - 1]!)) {
    problems.push(`${named}: its entries are not in order`);
  }
  return problems;
}

/** How a state row differs from the state in its last entry, which has the hash `hash`. */
export function stateProblems(row: StoredState, expected: EntryState | undefined, hash: string): string[] {
  if (expected === undefined) return [`${name(row)}: the entry has no state of it`];
  const { status, expiresAt } = expected.state;
  const problems: string[] = [];
  const compare = (what: string, stored: string | null, expected: string | null) => {
    if (stored !== expected) problems.push(differs(row, what, stored, expected));
  };
  compare("version", String(row.version), String(expected.version));
  compare("status", row.status, typeof status === "string" ? status : null);
  compare("expires_at", row.expiresAt, typeof expiresAt === "string" ? toInstant(expiresAt) : null);
  compare("hash", row.hash, hash);
  if (!isSameState(row.state, expected.state)) {
    problems.push(differs(row, "state", row.state, JSON.stringify(expected.state)));
  }
  return problems;
}

/** How the columns of the creator of a state differ from the entry of its first version. */
export function makerProblems(row: StoredState, expected: Maker): string[] {
  const problems: string[] = [];
  const compare = (what: string, stored: string | null, expected: string | null) => {
    if (stored !== expected) problems.push(differs(row, what, stored, expected));
  };
  compare("actor_id", row.actorId, expected.actorId);
  compare("on_behalf_of_id", row.onBehalfOfId, expected.onBehalfOfId);
  compare("conversation", row.conversation, expected.conversation);
  return problems;
}

/** The problem of a row that does not list the entry at `seq` as its `version`. */
export function unlisted(kind: string, id: string, version: number): string {
  return `oc_state ${kind} ${id} does not list this entry as its version ${version}`;
}

/** What is wrong with how the row of a thing, if there is one, has an entry in `range` that moves the thing. */
export function placeProblems(
  expected: EntryState & Maker & { readonly seq: bigint; readonly hash: string },
  row: StoredState | undefined,
  range: Range,
): LedgerProblem[] {
  const { seq, kind, id, version } = expected;
  if (row === undefined || row.entries[version - 1] !== seq) {
    return [{ verdict: "STATE_MISMATCH", seq, detail: unlisted(kind, id, version) }];
  }
  const inRange = row.updatedSeq >= range.from && row.updatedSeq <= range.to;
  const at = inRange ? row.updatedSeq : seq;
  const problems = [
    ...(row.updatedSeq === seq ? [...rowProblems(row), ...stateProblems(row, expected, expected.hash)] : []),
    ...(version > 1 ? [] : makerProblems(row, expected)),
  ];
  return problems.map((detail) => ({ verdict: "STATE_MISMATCH", seq: at, detail }));
}

const name = ({ kind, id }: StoredState) => `oc_state ${kind} ${id}`;

function differs(row: StoredState, what: string, stored: string | null, expected: string | null): string {
  return `${name(row)}: ${what} is ${stored ?? "nothing"}, in the entry it is ${expected ?? "nothing"}`;
}

const INSTANT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/;

/** RFC 3339 in UTC with six decimals; text that is not a time of up to six decimals in UTC stays as it is. */
export function toInstant(text: string): string {
  const [, seconds, decimals = ""] = INSTANT.exec(text) ?? [];
  return seconds === undefined ? text : `${seconds}.${decimals.padEnd(6, "0")}Z`;
}

function isSameState(text: string, expected: JsonObject): boolean {
  try {
    return isSame(parseJson(text), expected);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
