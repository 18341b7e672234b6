import { type ClientBase, DatabaseError } from "pg";
import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../errors.ts";
import type { Queryable } from "../read.ts";
import { Collected } from "./collect.ts";
import { addEntry, DERIVATION } from "./derive.ts";
import { BEGINNING, readPage } from "./page.ts";
import { writeRows } from "./write.ts";

/** What one run did. */
export interface Kept {
  /** Whether more is left to do. */
  readonly more: boolean;
  /** Ledgers that were found not to be readable, with the reason, each once. */
  readonly stopped: readonly { readonly ledger: LedgerId; readonly problem: string }[];
}

/** Ledgers of one run: a page of each. */
const LEDGERS = 4;
/** Rows of one table that are deleted at a time, where they are derived again. */
const DELETED = 2_000;
/** After this time a ledger that could not be read is tried again: it may have been restored. */
const RETRY = "1 minute";

// Those that were looked at the longest ago, first. Rows of a later derivation are those of newer servers.
const BEHIND = `
  SELECT h.ledger, h.seq
    FROM oc_ledger_head h LEFT JOIN oc_work.bi_position p ON p.ledger = h.ledger
   WHERE (h.seq > coalesce(p.seq, 0) OR p.format < $1) AND coalesce(p.format, $1) <= $1
     AND (p.problem IS NULL OR p.tried_at < clock_timestamp() - interval '${RETRY}')
   ORDER BY p.tried_at NULLS FIRST, h.ledger LIMIT ${LEDGERS}`;
// Whoever has the lock works on the ledger. Nobody waits for it.
const LOCK = `
  SELECT p.seq, encode(p.hash, 'hex') AS hash, p.format FROM oc_work.bi_position p WHERE p.ledger = $1 FOR UPDATE SKIP LOCKED`;
const MOVE = `
  UPDATE oc_work.bi_position SET seq = $2, hash = decode($3, 'hex'), recorded_at = $4, format = $5, tried_at = clock_timestamp(), problem = NULL
   WHERE ledger = $1`;
const STOP = `
  INSERT INTO oc_work.bi_position AS p (ledger, format, tried_at, problem) VALUES ($1, $2, clock_timestamp(), $3)
      ON CONFLICT (ledger) DO UPDATE SET tried_at = excluded.tried_at, problem = excluded.problem
  RETURNING old.problem IS DISTINCT FROM $3 AS is_new`;

/** Tables in an order in which rows can be deleted, with their keys. */
const TABLES = [
  ["fact_lineage_edge", "edge_key"],
  ["fact_decision", "decision_key"],
  ["fact_action", "action_id"],
  ["dim_tool", "tool_key"],
  ["dim_platform", "platform_key"],
  ["dim_principal", "principal_key"],
] as const;

/**
 * Brings the tables of `oc_bi` a page of entries closer to the ends of the ledgers. Each page is one transaction with the position up to
 * which rows are derived: it is derived once, however many servers call this, and whenever one of them is killed. A ledger that cannot be
 * read as it was recorded stays where it is, and does not keep others.
 */
export async function keepReports(client: ClientBase): Promise<Kept> {
  const { rows } = await client.query<{ ledger: LedgerId; seq: string }>(BEHIND, [DERIVATION]);
  const stopped: { ledger: LedgerId; problem: string }[] = [];
  const outcomes: Advance[] = [];
  for (const { ledger, seq } of rows) {
    try {
      outcomes.push(await inTransaction(client, () => advance(client, ledger, BigInt(seq))));
    } catch (error) {
      const problem = problemOf(error);
      if (problem === undefined) throw error;
      const { rows: noted } = await client.query<{ is_new: boolean }>(STOP, [ledger, DERIVATION, problem]);
      if (noted[0]?.is_new === true) stopped.push({ ledger, problem });
    }
  }
  // Where other servers have all of these, there is nothing to hurry for.
  const more = outcomes.includes("MORE") || (rows.length === LEDGERS && outcomes.includes("DONE"));
  return { more, stopped };
}

/** LEFT: another server works on the ledger, or has brought it this far. */
type Advance = "MORE" | "DONE" | "LEFT";

async function advance(client: ClientBase, ledger: LedgerId, end: bigint): Promise<Advance> {
  await client.query("INSERT INTO oc_work.bi_position (ledger, format) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    ledger,
    DERIVATION,
  ]);
  const { rows } = await client.query<{ seq: string; hash: string | null; format: number }>(LOCK, [ledger]);
  const [position] = rows;
  if (position === undefined || position.format > DERIVATION) return "LEFT";
  const after: LedgerHead = position.hash === null ? BEGINNING : { seq: BigInt(position.seq), hash: position.hash };
  // The position goes back before the first row is deleted: whoever reads tables that have lost rows is told so.
  if (position.format < DERIVATION || (after.seq === 0n && (await deleteSome(client, ledger)))) {
    await client.query(MOVE, [ledger, 0, null, null, DERIVATION]);
    return "MORE";
  }
  if (after.seq >= end) return "LEFT";
  const entries = await readPage(client, ledger, after);
  const last = entries.at(-1);
  if (last === undefined)
    throw new LedgerDamagedError(ledger, `it has no entry ${after.seq + 1n}, and its head is at ${end}`);
  const collected = new Collected();
  for (const entry of entries) addEntry(collected, entry);
  await writeRows(client, ledger, collected);
  await client.query(MOVE, [ledger, last.seq, last.hash, last.recordedAt, DERIVATION]);
  return last.seq < end ? "MORE" : "DONE";
}

/** Deletes rows of `ledger`, at most so many. Returns whether there were any. */
async function deleteSome(db: Queryable, ledger: LedgerId): Promise<boolean> {
  for (const [table, key] of TABLES) {
    if (table === "dim_principal" && (await disown(db, ledger))) return true;
    const { rowCount } = await db.query(
      `DELETE FROM oc_bi.${table} WHERE ${key} IN
         (SELECT t.${key} FROM oc_bi.${table} t WHERE t.organization = $1 AND t.ledger_region = $2 LIMIT ${DELETED})`,
      ledger.split("/"),
    );
    if (rowCount !== 0) return true;
  }
  return false;
}

/** Agents refer to who is responsible for them. No row does so any more before the first is deleted, so that they go in any order. */
async function disown(db: Queryable, ledger: LedgerId): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE oc_bi.dim_principal SET owner_key = NULL WHERE principal_key IN
       (SELECT t.principal_key FROM oc_bi.dim_principal t
         WHERE t.organization = $1 AND t.ledger_region = $2 AND t.owner_key IS NOT NULL LIMIT ${DELETED})`,
    ledger.split("/"),
  );
  return rowCount !== 0;
}

/** Why this ledger cannot go on, where that is about what it holds. Of the rest, such as a lost connection, undefined. */
function problemOf(error: unknown): string | undefined {
  if (error instanceof LedgerDamagedError) return error.what;
  // A value that a column does not take: of no entry that a server has recorded.
  if (error instanceof DatabaseError && /^2[23]/.test(error.code ?? ""))
    return `a row of oc_bi is refused: ${error.message}`;
  return undefined;
}

async function inTransaction<Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> {
  // What is lost with a crash is derived again.
  await client.query("BEGIN; SET LOCAL synchronous_commit = off");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    // Where that fails the connection is lost, and the transaction with it.
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Has the rows of `ledger`, or of all, deleted and derived again by the next runs. */
export async function deriveAgain(db: Queryable, ledger: LedgerId | undefined): Promise<void> {
  await db.query(
    `UPDATE oc_work.bi_position SET format = 0, seq = 0, hash = NULL, recorded_at = NULL, problem = NULL
      WHERE $1::text IS NULL OR ledger = $1`,
    [ledger ?? null],
  );
}

/** How far the tables are with a ledger. */
export interface LedgerReport {
  readonly ledger: LedgerId;
  readonly seq: string;
  readonly last: string;
  readonly problem: string | null;
}

/** Of `ledger`, or of all, by name. */
export async function reportsOf(db: Queryable, ledger: LedgerId | undefined): Promise<readonly LedgerReport[]> {
  const { rows } = await db.query<LedgerReport>(
    `SELECT h.ledger, coalesce(p.seq, 0) AS seq, h.seq AS last, p.problem
       FROM oc_ledger_head h LEFT JOIN oc_work.bi_position p ON p.ledger = h.ledger
      WHERE $1::text IS NULL OR h.ledger = $1 ORDER BY h.ledger`,
    [ledger ?? null],
  );
  return rows;
}

/** How far behind the tables are. */
export interface ReportsBehind {
  /** Entries that are not in them yet, over all ledgers. */
  readonly entries: number;
  /** Ledgers that cannot be read as they were recorded. */
  readonly stopped: number;
}

export async function reportsBehind(db: Queryable): Promise<ReportsBehind> {
  const { rows } = await db.query<{ entries: string; stopped: string }>(`
    SELECT coalesce(sum(greatest(h.seq - coalesce(p.seq, 0), 0)), 0) AS entries, count(p.problem) AS stopped
      FROM oc_ledger_head h LEFT JOIN oc_work.bi_position p ON p.ledger = h.ledger`);
  return { entries: Number(rows[0]?.entries ?? 0), stopped: Number(rows[0]?.stopped ?? 0) };
}
