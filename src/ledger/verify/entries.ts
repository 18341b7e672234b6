import { escapeLiteral } from "pg";
import type { LedgerId } from "../../facts/entry.ts";
import { createIntern } from "../../verify/intern.ts";
import { SEARCH_COLUMNS, type StoredEntry } from "../../verify/rows.ts";
import type { Range } from "../../verify/sequence.ts";
import { edgeColumns } from "../edges.ts";

/** What a row has, in the order in which it is read below. */
const COLUMNS = ["seq", "entry", "hash", "prev_hash", ...SEARCH_COLUMNS].map((name) => `l.${name}`);

/**
 * Reads the entries of a range and the one before it, in order of position. A range from the first position on
 * also includes rows with positions below 1.
 */
export function selectEntries(ledger: LedgerId, { from, to }: Range): string {
  const positions = (seq: string) => (from > 1n ? `${seq} BETWEEN ${from - 1n} AND ${to}` : `${seq} <= ${to}`);
  const name = escapeLiteral(ledger);
  return `SELECT ${COLUMNS.join(", ")}, d.edges, p.recorded_at, p.payload
    FROM public.oc_audit_log l
    LEFT JOIN (SELECT x.seq, json_agg(${edgeColumns("x")} ORDER BY x.n)::text AS edges
                 FROM ONLY public.oc_lineage_edge x WHERE x.ledger = ${name} AND ${positions("x.seq")} GROUP BY x.seq) d ON d.seq = l.seq
    LEFT JOIN public.oc_audit_payload p ON p.ledger = ${name} AND p.seq = l.seq AND ${positions("p.seq")}
   WHERE l.ledger = ${name} AND ${positions("l.seq")}
   ORDER BY l.seq`;
}

/** Microseconds from 1970 to 2000, where PostgreSQL begins to count. */
const EPOCH = 946_684_800_000_000n;

/** Reads rows as `selectEntries` gives them: in binary, each field four bytes of length, -1 for null, and as many bytes. */
export function createEntryReader(): (row: Buffer) => StoredEntry {
  const intern = createIntern();
  const instantOf = createInstantReader();
  let row: Buffer = Buffer.alloc(0);
  let begin = 0;
  let end = 0;
  /** Moves on to the next field; false when it is null. */
  const next = () => {
    const length = row.readInt32BE(end);
    begin = end + 4;
    end = length < 0 ? begin : begin + length;
    return length >= 0;
  };
  const bytes = () => (next() ? row.subarray(begin, end) : null);
  const text = () => (next() ? intern(row, begin, end) : null);
  const hex = () => (next() ? row.toString("hex", begin, end) : "");
  const uuid = () => (next() ? uuidText(row, begin) : null);
  return (given) => {
    row = given;
    end = 2; // behind the number of fields
    next();
    const seq = row.readBigInt64BE(begin);
    const entry = bytes() ?? NOTHING;
    const hash = hex();
    const prevHash = hex();
    const columns = [
      next() ? instantOf(row, begin) : null,
      uuid(),
      text(),
      text(),
      text(),
      uuid(),
      uuid(),
      next() ? String(row.readInt32BE(begin)) : null,
      text(),
      text(),
      text(),
      uuid(),
      uuid(),
    ];
    const edges = next() ? row.toString("utf8", begin, end) : null;
    const payloadTime = next() ? instantOf(row, begin) : null;
    return { seq, entry, hash, prevHash, columns, edges, payloadTime, payload: bytes() };
  };
}

const NOTHING = new Uint8Array();

const HYPHENS = [8, 13, 18, 23];
const DIGITS = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const uuidBytes = Buffer.alloc(36, "-");

function uuidText(row: Buffer, begin: number): string {
  let to = 0;
  for (let at = begin; at < begin + 16; at++) {
    if (HYPHENS.includes(to)) to += 1;
    const byte = row[at]!;
    uuidBytes[to] = DIGITS[byte >> 4]!;
    uuidBytes[to + 1] = DIGITS[byte & 15]!;
    to += 2;
  }
  return uuidBytes.toString("latin1");
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

/** RFC 3339 with six decimals. Times that it cannot express, which no entry can have, are written as a number. */
function instantText(microseconds: bigint): string {
  if (microseconds < EARLIEST || microseconds >= LATEST) return `${microseconds} µs`;
  const rest = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((microseconds - rest) / 1_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(rest).padStart(6, "0")}Z`;
}
