import type { ClientBase } from "pg";
import { DomainError } from "../errors.ts";
import { GENESIS_HASH, type LedgerEntry, type LedgerHead, type LedgerId, parseEntry } from "../facts/entry.ts";
import type { Payload } from "../facts/payload.ts";
import type { RecordedBounds } from "./months.ts";

/** A pool, or one client of it inside a transaction. */
export type Queryable = Pick<ClientBase, "query">;

/** A stored row whose bytes are no entry of a known format: it was tampered with, or written by newer code. */
export class UnreadableEntryError extends DomainError<"UNREADABLE_ENTRY"> {
  constructor(ledger: LedgerId, seq: string, cause: unknown) {
    super("UNREADABLE_ENTRY", `entry ${seq} of ledger ${ledger} cannot be read; verify the ledger`, { cause });
  }
}

/** What every query over `oc_audit_log e LEFT JOIN oc_audit_payload p` selects to make entries of. */
export const ENTRY_COLUMNS = "e.seq, e.entry, encode(e.hash, 'hex') AS hash, p.payload";
export const ENTRY_TABLES =
  "oc_audit_log e LEFT JOIN oc_audit_payload p ON p.ledger = e.ledger AND p.seq = e.seq AND p.recorded_at = e.recorded_at";
/**
 * The same of the functions that read by position (sql/000002), with alias `e`. Use these to read known
 * positions: a query over the tables without bounds on recorded_at opens every partition.
 */
export const POSITION_COLUMNS = "e.seq, e.entry, encode(e.hash, 'hex') AS hash, e.payload";

export interface EntryRow {
  readonly seq: string;
  readonly entry: string;
  readonly hash: string;
  readonly payload: Payload | null;
}

/**
 * The entry of a stored row: everything but its hash from the hashed bytes, nothing from the search columns.
 * Throws UnreadableEntryError.
 */
export function toEntry(ledger: LedgerId, row: EntryRow): LedgerEntry {
  try {
    const { body, seq, recordedAt, prevHash, ...fields } = parseEntry(row.entry);
    const { entry, hash } = row;
    if (fields.ledger !== ledger || String(seq) !== row.seq) throw new SyntaxError("it names another place");
    return {
      ledger,
      seq,
      recordedAt,
      entry,
      hash,
      prevHash,
      type: String(body.type),
      body,
      payload: row.payload ?? undefined,
    };
  } catch (cause) {
    throw new UnreadableEntryError(ledger, row.seq, cause);
  }
}

const LAST_POSITION = 2n ** 63n - 1n;

/** `seq`, or the nearest position the database has a number for: callers send any integer. */
export function clampPosition(seq: bigint): bigint {
  if (seq > LAST_POSITION) return LAST_POSITION;
  return seq < 0n ? 0n : seq;
}

const READ_ENTRY = {
  name: "oc_read_entry",
  text: `SELECT ${POSITION_COLUMNS} FROM oc_entries_at($1, ARRAY[$2::bigint], true) e`,
};

/** The entry at position `seq`, or undefined when the ledger has none there. */
export async function readEntry(db: Queryable, ledger: LedgerId, seq: bigint): Promise<LedgerEntry | undefined> {
  const { rows } = await db.query<EntryRow>({ ...READ_ENTRY, values: [ledger, clampPosition(seq)] });
  return rows[0] && toEntry(ledger, rows[0]);
}

const READ_BY_HASH = {
  name: "oc_read_entry_by_hash",
  text: `
    SELECT ${POSITION_COLUMNS} FROM oc_entries_at($1, ARRAY[oc_position_of($1, decode($2, 'hex'))], true) e
     WHERE e.hash = decode($2, 'hex')`,
};

/** The entry whose hash is `hex` (64 lowercase hex digits), or undefined. */
export async function readEntryByHash(db: Queryable, ledger: LedgerId, hex: string): Promise<LedgerEntry | undefined> {
  if (!/^[0-9a-f]{64}$/.test(hex) || hex === GENESIS_HASH) return undefined;
  const { rows } = await db.query<EntryRow>({ ...READ_BY_HASH, values: [ledger, hex] });
  return rows[0] && toEntry(ledger, rows[0]);
}

const READ_ENTRIES = {
  name: "oc_read_entries",
  text: `
    SELECT ${POSITION_COLUMNS} FROM oc_entries_at($1, $2::bigint[], true) e ORDER BY e.seq`,
};

/** The entries at positions `seqs`, oldest first, each once; positions without an entry are omitted. */
export async function readEntries(db: Queryable, ledger: LedgerId, seqs: readonly bigint[]): Promise<LedgerEntry[]> {
  return (await readEntryRows(db, ledger, seqs)).map((row) => toEntry(ledger, row));
}

/** The same as they are stored. */
export async function readEntryRows(db: Queryable, ledger: LedgerId, seqs: readonly bigint[]): Promise<EntryRow[]> {
  if (seqs.length === 0) return [];
  const { rows } = await db.query<EntryRow>({ ...READ_ENTRIES, values: [ledger, seqs.map(clampPosition)] });
  return rows;
}

/** ENTRY_TABLES between two times, as a statement names them: no other partition is planned, or opened. */
export function entryTablesBetween(from: string, before: string): string {
  return `${ENTRY_TABLES} AND p.recorded_at >= ${from} AND p.recorded_at < ${before}`;
}

export interface EntryRange {
  /** Entries behind this position. */
  readonly after?: bigint | undefined;
  /** Entries ahead of this position. */
  readonly before?: bigint | undefined;
  readonly limit: number;
  readonly newestFirst?: boolean | undefined;
  /** When they were recorded; what is outside is not part of the range. */
  readonly recorded?: RecordedBounds | undefined;
}

const READ_HEAD = {
  name: "oc_read_head",
  text: "SELECT h.seq, encode(h.hash, 'hex') AS hash FROM oc_ledger_head h WHERE h.ledger = $1",
};

/** Where the ledger ends, or undefined when there is no such ledger. */
export async function readHead(db: Queryable, ledger: LedgerId): Promise<LedgerHead | undefined> {
  const { rows } = await db.query<{ seq: string; hash: string }>({ ...READ_HEAD, values: [ledger] });
  return rows[0] && { seq: BigInt(rows[0].seq), hash: rows[0].hash };
}

/** Entries and bytes of text in a page at most; an entry that is larger is a page alone. */
export const PAGE_ENTRIES = 64;
export const PAGE_BYTES = 256 * 1024;

const READ_PAGE = {
  name: "oc_read_page",
  text: `
    SELECT t.*
      FROM (SELECT r.*, sum(r.size) OVER (ORDER BY r.seq) - r.size AS bytes_before, count(*) OVER () AS found
              FROM (SELECT ${POSITION_COLUMNS}, octet_length(e.entry) + coalesce(octet_length(e.payload::text), 0) AS size
                      FROM oc_entries_between($1, $2::bigint, ${LAST_POSITION}, ${PAGE_ENTRIES}, true) e) r) t
     WHERE t.bytes_before < ${PAGE_BYTES}
     ORDER BY t.seq`,
};

export interface EntryPage {
  /** Consecutive entries, oldest first. */
  readonly entries: readonly LedgerEntry[];
  /** Whether there were, or may have been, more entries in the same snapshot. */
  readonly more: boolean;
}

/** The entries next after position `after`, bounded in number and in bytes. */
export async function readEntryPage(db: Queryable, ledger: LedgerId, after: bigint): Promise<EntryPage> {
  const values = [ledger, clampPosition(after)];
  const { rows } = await db.query<EntryRow & { readonly found: string }>({ ...READ_PAGE, values });
  const found = Number(rows[0]?.found ?? 0);
  return {
    entries: rows.map((row) => toEntry(ledger, row)),
    more: found === PAGE_ENTRIES || rows.length < found,
  };
}
