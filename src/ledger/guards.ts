import { readFileSync } from "node:fs";
import { type ClientBase, DatabaseError, type Pool } from "pg";
import { type ByObject, compareGuards, type GuardProblem, hasEventTriggers } from "./guards/compare.ts";
import { readGuards, SETTINGS } from "./guards/read.ts";

export type { ByObject, GuardProblem } from "./guards/compare.ts";

/** What should keep the ledger append-only, as the catalog of the database has it, compared with what the code expects. */
export interface GuardReport {
  readonly intact: boolean;
  /** Whether the database has the event triggers; it cannot when no superuser migrated it. */
  readonly eventTriggers: boolean;
  readonly problems: readonly GuardProblem[];
}

/** The facts shipped with the code, by class: `sql/guards.json`, written by test/ledger/write-guards.ts. */
const shipped = JSON.parse(readFileSync(new URL("../../sql/guards.json", import.meta.url), "utf8")) as ByObject;

/**
 * Reads the guards as they are at one moment, as oc_app, oc_auditor or any role that may do more.
 *
 * @param excepted problems that the operator accepts, as a report has them, by object.
 */
export async function guardReport(pool: Pool, excepted: ByObject = {}): Promise<GuardReport> {
  const client = await pool.connect();
  try {
    await client.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '60s'; ${SETTINGS}`,
    );
    await lockPartitions(client);
    const facts = await readGuards(client);
    await client.query("COMMIT");
    client.release();
    const problems = compareGuards(facts, shipped, excepted);
    return { intact: problems.length === 0, eventTriggers: hasEventTriggers(facts, shipped), problems };
  } catch (error) {
    // Whatever state the connection is in, nobody else gets it.
    client.release(true);
    throw error;
  }
}

/** SQLSTATEs of a table that is missing, is no table, or is closed to this role: for the report to say. */
const NOT_LOCKED = ["42P01", "42809", "42501"];

/**
 * Waits until partitions that are being made are there, and lets no others be made until the transaction ends: what was read
 * before would have some of their guards as they were, and others as they are.
 */
async function lockPartitions(client: Pick<ClientBase, "query">): Promise<void> {
  for (const table of ["oc_audit_log", "oc_audit_payload"]) {
    await client.query("SAVEPOINT unlocked");
    try {
      await client.query(`LOCK TABLE ONLY public.${table} IN ACCESS SHARE MODE`);
    } catch (error) {
      if (!(error instanceof DatabaseError) || !NOT_LOCKED.includes(error.code ?? "")) throw error;
      await client.query("ROLLBACK TO SAVEPOINT unlocked");
    }
  }
}
