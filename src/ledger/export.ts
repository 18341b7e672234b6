import { hash } from "node:crypto";
import type { LedgerId } from "../facts/entry.ts";
import { LedgerDamagedError } from "./errors.ts";
import { clampPosition, type Queryable, readHead } from "./read.ts";

export interface ExportRange {
  /** First position to export. Default: 1. */
  readonly fromSeq?: bigint | undefined;
  /** Last position to export. Default: the end of the ledger when the export starts. */
  readonly toSeq?: bigint | undefined;
}

const BATCH_LINES = 512;
const PAGE_BYTES = 4 * 1024 * 1024;

/** A page of entries: as many as are not too large together. */
const page = (text: string, payloads: boolean) => `
    SELECT t.seq, t.text
      FROM (SELECT r.seq, ${text} AS text,
                   sum(octet_length(${text})) OVER (ORDER BY r.seq) - coalesce(octet_length(${text}), 0) AS bytes_before
              FROM oc_entries_between($1, $2::bigint, $3::bigint, ${BATCH_LINES}, ${payloads}) r) t
     WHERE coalesce(t.bytes_before, 0) < ${PAGE_BYTES}
     ORDER BY t.seq`;

const READ_LINES = { name: "oc_export_lines", text: page("r.entry", false) };
const READ_PAYLOADS = { name: "oc_export_payloads", text: page("r.payload::text", true) };

interface Row {
  readonly seq: string;
  /** null for an entry without a payload. */
  readonly text: string | null;
}

/**
 * The stored text of every entry of a range, oldest first, without a line feed: the SHA-256 of each is the `prevHash`
 * inside the next. Nothing is checked or rewritten, so that readers can verify the lines. Memory use does not grow
 * with the ledger; no transaction stays open while the consumer is slow.
 */
export async function* exportLines(
  db: Queryable,
  ledger: LedgerId,
  range: ExportRange = {},
): AsyncGenerator<string, void> {
  for await (const { text } of rowsOf(db, ledger, range, READ_LINES)) yield text ?? "";
}

/**
 * The stored payload of every entry of a range that has one, oldest first, as a line without its line feed: the position, a
 * space, and the text as FORMAT.md specifies it. These are personal values. Nothing is checked or rewritten.
 */
export async function* exportPayloads(
  db: Queryable,
  ledger: LedgerId,
  range: ExportRange = {},
): AsyncGenerator<string, void> {
  for await (const { seq, text } of rowsOf(db, ledger, range, READ_PAYLOADS)) if (text !== null) yield `${seq} ${text}`;
}

/** Entries that are read of one action at most: more approvals than that are asked of nobody. */
const MAX_STEPS = 10_000;
const READ_STEPS = {
  name: "oc_export_steps",
  text: `
    SELECT e.seq, e.entry AS text, encode(e.hash, 'hex') AS hash FROM oc_audit_log e
     WHERE e.action_id = $2::uuid AND e.ledger = $1 AND e.state_version IS NOT NULL AND e.seq <= $3::bigint
       AND e.type <> 'EXECUTION_EXTENDED'
     ORDER BY e.state_version LIMIT ${MAX_STEPS}`,
};

/**
 * The stored text of the entries that move an action, up to position `until`, oldest first. Those that give its execution more time are left
 * out, of which there may be any number. Each is hashed again. Throws LedgerDamagedError.
 */
export async function exportSteps(
  db: Queryable,
  ledger: LedgerId,
  action: string,
  until: bigint,
): Promise<readonly string[]> {
  const values = [ledger, action, clampPosition(until)];
  const { rows } = await db.query<{ seq: string; text: string; hash: string }>({ ...READ_STEPS, values });
  return rows.map((row) => {
    if (hash("sha256", row.text) === row.hash) return row.text;
    throw new LedgerDamagedError(ledger, `the text of entry ${row.seq} does not have the hash ${row.hash}`);
  });
}

async function* rowsOf(
  db: Queryable,
  ledger: LedgerId,
  range: ExportRange,
  statement: typeof READ_LINES,
): AsyncGenerator<Row, void> {
  const last = range.toSeq ?? (await readHead(db, ledger))?.seq ?? 0n;
  let next = range.fromSeq ?? 1n;
  while (next <= last) {
    const values = [ledger, clampPosition(next - 1n), clampPosition(last + 1n)];
    const { rows } = await db.query<Row>({ ...statement, values });
    const newest = rows.at(-1);
    if (newest === undefined) return;
    yield* rows;
    next = BigInt(newest.seq) + 1n;
  }
}
