import type { LedgerId } from "../facts/entry.ts";
import { clampPosition, type Queryable, readHead } from "./read.ts";

export interface ExportRange {
  /** First position to export. Default: 1. */
  readonly fromSeq?: bigint | undefined;
  /** Last position to export. Default: the end of the ledger when the export starts. */
  readonly toSeq?: bigint | undefined;
}

const BATCH_LINES = 512;
const PAGE_BYTES = 4 * 1024 * 1024;

const READ_LINES = {
  name: "oc_export_lines",
  text: `
    SELECT t.seq, t.entry
      FROM (SELECT r.*, sum(octet_length(r.entry)) OVER (ORDER BY r.seq) - octet_length(r.entry) AS bytes_before
              FROM oc_entries_between($1, $2::bigint, $3::bigint, ${BATCH_LINES}) r) t
     WHERE t.bytes_before < ${PAGE_BYTES}
     ORDER BY t.seq`,
};

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
  const last = range.toSeq ?? (await readHead(db, ledger))?.seq ?? 0n;
  let next = range.fromSeq ?? 1n;
  while (next <= last) {
    const values = [ledger, clampPosition(next - 1n), clampPosition(last + 1n)];
    const { rows } = await db.query<{ seq: string; entry: string }>({ ...READ_LINES, values });
    const newest = rows.at(-1);
    if (newest === undefined) return;
    for (const row of rows) yield row.entry;
    next = BigInt(newest.seq) + 1n;
  }
}
