import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { LedgerId } from "../../facts/entry.ts";
import { boundsOf, readMonths } from "../months.ts";
import type { Queryable } from "../read.ts";
import { BLOCK, FORMAT, SEGMENT, SegmentBits, startOf } from "./bits.ts";
import { addRow, type IndexedRow } from "./facts.ts";

/** One segment of one ledger. */
export interface SegmentId {
  readonly ledger: LedgerId;
  readonly segment: bigint;
}

/** Entries, in whole blocks, that are read and added without a pause for other work of the process. */
const ROWS = 64n;
/** After this time, another server may build a claimed segment: the one that claimed it must have stopped. */
const CLAIM = "1 minute";

/**
 * Nothing of it changes when entries are appended later. `asked` of a proposal is in the entry itself; for other entries about an
 * action, see READ_ASKED.
 */
export const READ_ROWS = `
  SELECT e.seq, e.entry, p.payload::text AS payload, e.type, e.platform, e.tool, e.effect, e.actor_id AS actor,
         e.on_behalf_of_id AS "onBehalfOf", e.session_id::text AS session, e.chain::text AS chain,
         e.source_chain::text AS "sourceChain", s.actor_id AS "aboutActor", s.on_behalf_of_id AS "aboutOnBehalfOf",
         CASE WHEN s.id IS NULL THEN e.action_id::text END AS "aboutUnknown", s.first_seq AS proposed,
         CASE WHEN e.type = 'ACTION_PROPOSED' THEN oc_asked_groups(e.entry) ELSE '{}' END AS asked
    FROM oc_audit_log e
    LEFT JOIN LATERAL (SELECT p.payload FROM oc_audit_payload p
                        WHERE p.ledger = e.ledger AND p.seq = e.seq AND p.recorded_at = e.recorded_at
                          AND p.recorded_at >= $4::timestamptz AND p.recorded_at < $5::timestamptz LIMIT 1) p ON true
    LEFT JOIN LATERAL (SELECT s.id, s.actor_id, s.on_behalf_of_id, s.first_seq FROM oc_state s
                        WHERE s.ledger = e.ledger AND s.kind = 'ACTION' AND s.id = e.action_id::text
                          AND s.first_seq <= e.seq LIMIT 1) s ON true
   WHERE e.ledger = $1 AND e.seq >= $2::bigint AND e.seq < $3::bigint
     AND e.recorded_at >= $4::timestamptz AND e.recorded_at < $5::timestamptz
   ORDER BY e.seq`;
const READ_ASKED = `
  SELECT e.seq, oc_asked_groups(e.entry) AS asked FROM oc_entries_at($1, $2::bigint[]) e WHERE e.type = 'ACTION_PROPOSED'`;

interface BuildRow extends IndexedRow {
  /** Where the action it is about was proposed. */
  readonly proposed: string | null;
}

/** What the index must have of a segment, from its entries and their values as they are now. */
export async function bitsOf(db: Queryable, { ledger, segment }: SegmentId): Promise<Uint8Array> {
  const bits = new SegmentBits();
  const first = startOf(segment);
  const months = await readMonths(db, ledger, { after: first - 1n, before: first + SEGMENT });
  const asked = new Map<string, readonly string[]>();
  for (let from = first; from < first + SEGMENT; from += ROWS) {
    const bounds = boundsOf(months, from, from + ROWS - 1n);
    if (bounds === undefined) break;
    const values = [ledger, from, from + ROWS, bounds.from, bounds.before];
    const { rows } = await db.query<BuildRow>(READ_ROWS, values);
    await readAsked(db, ledger, rows, asked);
    for (const [block, members] of Map.groupBy(rows, ({ seq }) => Number((BigInt(seq) - first) / BLOCK))) {
      bits.beginBlock(block);
      for (const row of members) {
        addRow(bits, { ...row, asked: [...row.asked, ...(asked.get(row.proposed ?? "") ?? [])] });
      }
    }
    await setImmediate();
  }
  return bits.finish();
}

/** Adds to `asked`, by position, the groups of the proposals of the actions that `rows` are about. */
async function readAsked(
  db: Queryable,
  ledger: LedgerId,
  rows: readonly BuildRow[],
  asked: Map<string, readonly string[]>,
): Promise<void> {
  const missing = new Set(rows.map(({ proposed }) => proposed).filter((seq) => seq !== null && !asked.has(seq)));
  if (missing.size === 0) return;
  for (const seq of missing) asked.set(String(seq), []);
  const found = await db.query<{ seq: string; asked: readonly string[] }>(READ_ASKED, [ledger, [...missing]]);
  for (const row of found.rows) asked.set(row.seq, row.asked);
}

/** At most `limit` segments that are full and not in the index, or in another format; nobody builds them now. */
export async function missingSegments(db: Queryable, limit: number, ledger?: LedgerId): Promise<SegmentId[]> {
  // Counted first, so that a ledger with nothing missing costs one index scan, and one shorter than a segment nothing.
  const { rows } = await db.query<{ ledger: LedgerId; segment: string }>(
    `SELECT h.ledger, n.segment
       FROM oc_ledger_head h
      CROSS JOIN LATERAL (SELECT count(*) AS built FROM oc_work.search_segment s
                           WHERE s.ledger = h.ledger AND s.segment < h.seq / ${SEGMENT} AND s.format = ${FORMAT}) s
      CROSS JOIN LATERAL (SELECT g.segment FROM generate_series(h.seq / ${SEGMENT} - 1, 0, -1) AS g(segment)
                           WHERE NOT EXISTS (SELECT FROM oc_work.search_segment s
                                              WHERE s.ledger = h.ledger AND s.segment = g.segment
                                                AND (s.format = ${FORMAT}
                                                     OR s.claimed_at > clock_timestamp() - interval '${CLAIM}'))
                           LIMIT $1) n
      WHERE h.seq >= ${SEGMENT} AND s.built < h.seq / ${SEGMENT} AND ($2::text IS NULL OR h.ledger = $2)
      LIMIT $1`,
    [limit, ledger ?? null],
  );
  return rows.map((row) => ({ ledger: row.ledger, segment: BigInt(row.segment) }));
}

/**
 * Builds a segment of the index. Returns false when another server builds it, or when a value was erased meanwhile: then it is
 * missing, and is built again.
 */
export async function buildSegment(db: Queryable, id: SegmentId): Promise<boolean> {
  const { ledger, segment } = id;
  const claim = randomUUID();
  // Committed before any value is read: an erasure that commits later deletes this row, so that nothing is written below, or
  // leaves a row in oc_work.search_erased.
  const claimed = await db.query(
    `INSERT INTO oc_work.search_segment AS s (ledger, segment, claim) VALUES ($1, $2, $3)
     ON CONFLICT (ledger, segment) DO UPDATE
       SET claim = excluded.claim, claimed_at = clock_timestamp(), format = NULL, bits = NULL
     WHERE s.format IS DISTINCT FROM ${FORMAT} AND s.claimed_at <= clock_timestamp() - interval '${CLAIM}'`,
    [ledger, segment, claim],
  );
  if (claimed.rowCount === 0) return false;
  const bits = await bitsOf(db, id);
  const built = await db.query(
    `UPDATE oc_work.search_segment s SET format = ${FORMAT}, bits = $4
      WHERE s.ledger = $1 AND s.segment = $2 AND s.claim = $3`,
    [ledger, segment, claim, bits],
  );
  return built.rowCount === 1;
}

/**
 * Deletes segments of which a value was erased, where the erasure itself did not: they were being built, or another erasure
 * held them. Returns for how many segments, at most `limit`.
 */
export async function forgetErased(db: Queryable, limit: number): Promise<number> {
  const { rows } = await db.query<{ ledger: LedgerId; segment: string }>(
    "SELECT DISTINCT e.ledger, e.segment FROM oc_work.search_erased e LIMIT $1",
    [limit],
  );
  // One at a time: an erasure of several values holds the rows of several segments.
  for (const { ledger, segment } of rows) {
    await db.query(
      `WITH noted AS (DELETE FROM oc_work.search_erased e WHERE e.ledger = $1 AND e.segment = $2)
       DELETE FROM oc_work.search_segment s WHERE s.ledger = $1 AND s.segment = $2`,
      [ledger, segment],
    );
  }
  return rows.length;
}

/** Deletes the whole index of `ledger`, or of all ledgers. Searches read every entry until it is built again. */
export async function dropIndex(db: Queryable, ledger?: LedgerId): Promise<void> {
  await db.query("DELETE FROM oc_work.search_segment s WHERE $1::text IS NULL OR s.ledger = $1", [ledger ?? null]);
}

/** How many segments the complete index of `ledger`, or of all ledgers, has. */
export async function fullSegments(db: Queryable, ledger?: LedgerId): Promise<number> {
  const { rows } = await db.query<{ segments: string | null }>(
    `SELECT sum(h.seq / ${SEGMENT}) AS segments FROM oc_ledger_head h WHERE $1::text IS NULL OR h.ledger = $1`,
    [ledger ?? null],
  );
  return Number(rows[0]?.segments ?? 0);
}

/**
 * Every segment of the index, and whether its bits are those of its entries and values. Segments that are deleted or built
 * again meanwhile are omitted.
 */
export async function* checkSegments(
  db: Queryable,
  ledger?: LedgerId,
): AsyncGenerator<{ readonly id: SegmentId; readonly correct: boolean }> {
  const { rows } = await db.query<{ ledger: LedgerId; segment: string; claim: string }>(
    `SELECT s.ledger, s.segment, s.claim FROM oc_work.search_segment s
      WHERE s.format = ${FORMAT} AND ($1::text IS NULL OR s.ledger = $1) ORDER BY s.ledger, s.segment`,
    [ledger ?? null],
  );
  for (const row of rows) {
    const id = { ledger: row.ledger, segment: BigInt(row.segment) };
    const values = [id.ledger, id.segment, row.claim, await bitsOf(db, id)];
    const compared = await db.query<{ correct: boolean }>(
      `SELECT s.bits IS NOT DISTINCT FROM $4 AS correct FROM oc_work.search_segment s
        WHERE s.ledger = $1 AND s.segment = $2 AND s.claim = $3`,
      values,
    );
    for (const { correct } of compared.rows) yield { id, correct };
  }
}
