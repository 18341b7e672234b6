import type { JsonObject, JsonValue } from "../facts/canonical.ts";
import { parseJson } from "../facts/parse-json.ts";
import type { Maker, SaidState, StoredState } from "./rows.ts";
import type { Range } from "./sequence.ts";
import type { LedgerProblem } from "./verdict.ts";

/** What is wrong with a state row by itself: how its versions, positions and entries go together. */
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

/** How a state row differs from what its last entry, whose hash is `hash`, says of the thing. */
export function stateProblems(row: StoredState, said: SaidState | undefined, hash: string): string[] {
  if (said === undefined) return [`${name(row)}: the entry says nothing of it`];
  const { status, expiresAt } = said.state;
  const problems: string[] = [];
  const compare = (what: string, stored: string | null, expected: string | null) => {
    if (stored !== expected) problems.push(differs(row, what, stored, expected));
  };
  compare("version", String(row.version), String(said.version));
  compare("status", row.status, typeof status === "string" ? status : null);
  compare("expires_at", row.expiresAt, typeof expiresAt === "string" ? toInstant(expiresAt) : null);
  compare("hash", row.hash, hash);
  if (!saysTheSame(row.state, said.state)) {
    problems.push(differs(row, "state", row.state, JSON.stringify(said.state)));
  }
  return problems;
}

/** How the columns that say who made a thing differ from what the entry of its first version says. */
export function makerProblems(row: StoredState, said: Maker): string[] {
  const problems: string[] = [];
  const compare = (what: string, stored: string | null, expected: string | null) => {
    if (stored !== expected) problems.push(differs(row, what, stored, expected));
  };
  compare("actor_id", row.actorId, said.actorId);
  compare("on_behalf_of_id", row.onBehalfOfId, said.onBehalfOfId);
  compare("conversation", row.conversation, said.conversation);
  return problems;
}

/** What is said of a row that does not have the entry at `seq` as `version` of its thing. */
export function unlisted(kind: string, id: string, version: number): string {
  return `oc_state ${kind} ${id} does not list this entry as its version ${version}`;
}

/** What is wrong with how the row of a thing, if there is one, has an entry in `range` that moves the thing. */
export function placeProblems(
  said: SaidState & Maker & { readonly seq: bigint },
  row: StoredState | undefined,
  range: Range,
): LedgerProblem[] {
  const { seq, kind, id, version } = said;
  if (row === undefined || row.entries[version - 1] !== seq) {
    return [{ verdict: "CONTENT_MISMATCH", seq, detail: unlisted(kind, id, version) }];
  }
  if (version > 1) return [];
  const inRange = row.updatedSeq >= range.from && row.updatedSeq <= range.to;
  const at = inRange ? row.updatedSeq : seq;
  return makerProblems(row, said).map((detail) => ({ verdict: "CONTENT_MISMATCH", seq: at, detail }));
}

const name = ({ kind, id }: StoredState) => `oc_state ${kind} ${id}`;

function differs(row: StoredState, what: string, stored: string | null, expected: string | null): string {
  return `${name(row)}: ${what} is ${stored ?? "nothing"}, the entry says ${expected ?? "nothing"}`;
}

const INSTANT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/;

/** RFC 3339 in UTC with six decimals; text that is not a time of up to six decimals in UTC stays as it is. */
export function toInstant(text: string): string {
  const [, seconds, decimals = ""] = INSTANT.exec(text) ?? [];
  return seconds === undefined ? text : `${seconds}.${decimals.padEnd(6, "0")}Z`;
}

function saysTheSame(text: string, said: JsonObject): boolean {
  try {
    return isSame(parseJson(text), said);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as JsonObject, b as JsonObject];
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]))
  );
}
