import { escapeLiteral } from "pg";
import type { LedgerId } from "../../facts/entry.ts";
import type { EntryRow } from "../../verify/rows.ts";
import type { Range } from "../../verify/sequence.ts";

/** In the order of SEARCH_COLUMNS, behind the columns that are read in another way. */
const COLUMNS = [
  "seq",
  "entry",
  "hash",
  "prev_hash",
  "recorded_at",
  "id",
  "type",
  "actor_id",
  "on_behalf_of_id",
  "session_id",
  "action_id",
  "state_version",
  "platform",
  "tool",
  "effect",
  "chain",
  "source_chain",
].map((name) => `l.${name}`);

/**
 * Reads the entries of a range and the one before it, in order of position. A range from the first position on
 * also holds what claims to stand before it.
 */
export function selectEntries(ledger: LedgerId, { from, to }: Range): string {
  const positions = (seq: string) => (from > 1n ? `${seq} BETWEEN ${from - 1n} AND ${to}` : `${seq} <= ${to}`);
  const name = escapeLiteral(ledger);
  return `SELECT ${COLUMNS.join(", ")}, p.payload
    FROM public.oc_audit_log l
    LEFT JOIN ONLY public.oc_audit_payload p ON p.ledger = ${name} AND p.seq = l.seq AND ${positions("p.seq")}
   WHERE l.ledger = ${name} AND ${positions("l.seq")}
   ORDER BY l.seq`;
}

const NULL = -1;
/** Microseconds from 1970 to 2000, where PostgreSQL begins to count. */
const EPOCH = 946_684_800_000_000n;

/** Reads rows as `selectEntries` gives them, in binary. */
export function createEntryReader(): (row: Buffer) => EntryRow {
  const instantOf = createInstantReader();
  return (row) => {
    const fields = new Fields(row);
    const seq = fields.next(() => row.readBigInt64BE(fields.begin));
    const entry = fields.bytes();
    const hash = fields.hex();
    const prevHash = fields.hex();
    const columns = [
      fields.next(() => instantOf(row, fields.begin)),
      fields.uuid(),
      fields.text(),
      fields.text(),
      fields.text(),
      fields.uuid(),
      fields.uuid(),
      fields.next(() => String(row.readInt32BE(fields.begin))),
      fields.text(),
      fields.text(),
      fields.text(),
      fields.uuid(),
      fields.uuid(),
    ];
    return {
      seq: seq ?? 0n,
      entry: entry ?? row.subarray(0, 0),
      hash: hash ?? "",
      prevHash: prevHash ?? "",
      columns,
      payload: fields.bytes(),
    };
  };
}

/** The fields of one row in binary, one after the other: four bytes of length, -1 for null, and as many bytes. */
class Fields {
  readonly #row: Buffer;
  begin = 0;
  #end = 2;

  constructor(row: Buffer) {
    this.#row = row;
  }

  next<Value>(read: () => Value): Value | null {
    const length = this.#row.readInt32BE(this.#end);
    this.begin = this.#end + 4;
    this.#end = this.begin + Math.max(length, 0);
    return length === NULL ? null : read();
  }

  bytes = (): Buffer | null => this.next(() => this.#row.subarray(this.begin, this.#end));
  text = (): string | null => this.next(() => this.#row.toString("utf8", this.begin, this.#end));
  hex = (): string | null => this.next(() => this.#row.toString("hex", this.begin, this.#end));
  uuid = (): string | null => {
    const hex = this.hex();
    return hex === null
      ? null
      : `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
}

/** Entries of one batch share their time: it is written once. */
function createInstantReader(): (row: Buffer, at: number) => string {
  let last = { value: 0n, text: "" };
  return (row, at) => {
    const value = row.readBigInt64BE(at);
    if (value !== last.value || last.text === "") last = { value, text: instantText(value + EPOCH) };
    return last.text;
  };
}

const LATEST = 253_402_300_800_000_000n; // 10000-01-01
const EARLIEST = -62_135_596_800_000_000n; // 0001-01-01

/** RFC 3339 with six decimals. Times that it has no form for, which no entry can have, are said as a number. */
function instantText(microseconds: bigint): string {
  if (microseconds < EARLIEST || microseconds >= LATEST) return `${microseconds} µs`;
  const rest = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((microseconds - rest) / 1_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(rest).padStart(6, "0")}Z`;
}
