import type { JsonObject, JsonValue } from "./canonical.ts";
import { parseJson } from "./parse-json.ts";
import type { Payload } from "./payload.ts";

/** `<organization>/<region>`: names one chain of entries. */
export type LedgerId = `${string}/${string}`;

/** An organization, or a region. */
export const LEDGER_PART = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const LEDGER_ID = /^[a-z0-9][a-z0-9-]{0,62}\/[a-z0-9][a-z0-9-]{0,62}$/;

/** Whether `text` can be the name of a ledger: whoever changed the database, or notifies, may have written anything. */
export function isLedgerId(text: string): text is LedgerId {
  return LEDGER_ID.test(text);
}

/** The ledger that `organization` has in `region`. */
export function ledgerOf(organization: string, region: string): LedgerId {
  return `${organization}/${region}`;
}

/**
 * One entry as read back. `entry` is the authority; the rest was derived from it.
 * `hash` and `prevHash` are 64 hex digits, `recordedAt` RFC 3339 with microseconds as in the hashed bytes.
 */
export interface LedgerEntry {
  readonly ledger: LedgerId;
  readonly seq: bigint;
  readonly recordedAt: string;
  readonly entry: string;
  readonly hash: string;
  readonly prevHash: string;
  readonly type: string;
  /** The body inside the hashed bytes: commitments where erasable values were. */
  readonly body: JsonObject;
  /** The erasable values still there, by dotted path; undefined when the entry never had any or all were erased. */
  readonly payload: Payload | undefined;
}

/** Where a ledger ends. `hash` is 64 hex digits. */
export interface LedgerHead {
  readonly seq: bigint;
  readonly hash: string;
}

export const GENESIS_HASH = "0".repeat(64);

/** What format 1 hashes, as parsed from an entry's text. */
export interface EntryFields {
  readonly body: JsonObject;
  readonly ledger: LedgerId;
  readonly prevHash: string;
  readonly recordedAt: string;
  readonly seq: bigint;
  readonly v: 1;
}

/** The exact text of an entry, format 1 (FORMAT.md). `body` is RFC 8785 text. */
export function entryText(fields: {
  readonly body: string;
  readonly ledger: LedgerId;
  readonly prevHash: string;
  readonly recordedAt: string;
  readonly seq: bigint;
}): string {
  return (
    `{"body":${fields.body},"ledger":${JSON.stringify(fields.ledger)},"prevHash":"${fields.prevHash}",` +
    `"recordedAt":"${fields.recordedAt}","seq":"${fields.seq}","v":1}`
  );
}

const HEX_64 = /^[0-9a-f]{64}$/;
/** PostgreSQL has no year 0. */
const INSTANT = /^(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;

/** Reads an entry's text. Throws a SyntaxError that names what is not of format 1. */
export function parseEntry(text: string): EntryFields {
  const parsed = parseJson(text);
  if (parsed === null || typeof parsed !== "object") throw new SyntaxError("an entry is a JSON object");
  const fields = parsed as { [key: string]: JsonValue };
  const { body, ledger, prevHash, recordedAt, seq, v } = fields;
  if (v !== 1) throw new SyntaxError(`entry format ${String(v)} is not known`);
  if (body === null || typeof body !== "object" || Array.isArray(body)) throw new SyntaxError("body is not an object");
  if (typeof ledger !== "string" || !ledger.includes("/"))
    throw new SyntaxError("ledger is not <organization>/<region>");
  if (typeof prevHash !== "string" || !HEX_64.test(prevHash)) throw new SyntaxError("prevHash is not 64 hex digits");
  if (typeof recordedAt !== "string" || !isInstant(recordedAt)) throw new SyntaxError("recordedAt is not an instant");
  if (typeof seq !== "string" || !/^[1-9]\d{0,18}$/.test(seq)) throw new SyntaxError("seq is not a decimal string");
  return { body: body as JsonObject, ledger: ledger as LedgerId, prevHash, recordedAt, seq: BigInt(seq), v };
}

/** Whether `text` is RFC 3339 in UTC with six decimals, of a day that there is. */
export function isInstant(text: string): boolean {
  if (!INSTANT.test(text)) return false;
  const day = Number(text.slice(8, 10));
  // The day before the first of the next month is the last of this one.
  return day <= 28 || day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
}

/** RFC 3339 in UTC with microseconds, as everywhere in a ledger. */
export function instant(moment: Date): string {
  return moment.toISOString().replace("Z", "000Z");
}

/** Microseconds from one instant to another, both as `instant` writes them. */
export function microsecondsBetween(one: string, other: string): number {
  return microseconds(other) - microseconds(one);
}

function microseconds(text: string): number {
  return Date.parse(`${text.slice(0, 23)}Z`) * 1_000 + Number(text.slice(23, 26));
}
