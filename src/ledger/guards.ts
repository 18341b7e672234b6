import { readFileSync } from "node:fs";
import { type ClientBase, DatabaseError, type Pool } from "pg";

/**
 * What should keep the ledger append-only, compared with what the code was shipped with: triggers and their function
 * bodies, constraints, unique indexes, rules, inheritance, ownership, grants, event triggers, powers of the roles.
 *
 * The database keeps the same facts (`oc_guard.baseline`) for its event triggers. This report does not use them, because an
 * attacker who can weaken a guard can change that table as well.
 */
export interface GuardReport {
  readonly intact: boolean;
  /** Whether the database has the event triggers; it cannot when no superuser migrated it. */
  readonly eventTriggers: boolean;
  readonly problems: readonly GuardProblem[];
}

export interface GuardProblem {
  readonly object: string;
  readonly problem: string;
}

/** One fact about a guard. Of an `open` kind an object may have more than those of its class; see 000005. */
export interface GuardFact {
  readonly object: string;
  readonly class: string;
  readonly fact: string;
  readonly open: boolean;
}

/** The facts shipped with the code, by class: `sql/guards.json`, written by test/ledger/write-guards.ts. */
export type ShippedGuards = Readonly<Record<string, readonly string[]>>;

const shipped = JSON.parse(readFileSync(new URL("../../sql/guards.json", import.meta.url), "utf8")) as ShippedGuards;

/** A pattern for all monthly partitions, of which there may be none. */
const MONTHS = /<month>$/;
const EVENT_TRIGGER = /^event trigger /;

/** The identity of the functions that report the rest, read past them. */
const REPORTERS = ["oc_guard.state()", "oc_guard.tables()"] as const;
const REPORTER_FACTS = `
  SELECT p.oid::regprocedure::text AS object,
         'sha256 ' || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex') AS body, l.lanname AS language
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
   WHERE n.nspname = 'oc_guard'`;
const STATE = "SELECT object, class, fact, open FROM oc_guard.state()";
const SETTINGS = `
  SELECT name, current_setting(name, true) AS value FROM (VALUES ('countersign.migration'), ('event_triggers')) AS s(name)`;

/** Reads the guards as they are, by any role. */
export async function guardReport(pool: Pool): Promise<GuardReport> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL statement_timeout = '60s'");
    await lockPartitions(client);
    const problems: GuardProblem[] = [];
    const reporters = (await client.query<{ object: string; body: string; language: string }>(REPORTER_FACTS)).rows;
    for (const object of REPORTERS) {
      const reporter = reporters.find((candidate) => candidate.object === object);
      const expected = shipped[object]?.some(
        (fact) => fact.startsWith(`function ${reporter?.language} `) && fact.endsWith(reporter?.body ?? "missing"),
      );
      if (expected !== true) {
        problems.push({
          object,
          problem: reporter === undefined ? "missing" : "changed: what it reports cannot be relied on",
        });
      }
    }
    const untold = problems.length > 0;
    const facts = untold ? [] : (await client.query<GuardFact>(STATE)).rows;
    if (!untold) problems.push(...compareGuards(facts, shipped));
    for (const { name, value } of (await client.query<{ name: string; value: string | null }>(SETTINGS)).rows) {
      if (name === "countersign.migration" && value === "on") {
        problems.push({
          object: "settings",
          problem: "unexpected: countersign.migration is on for ordinary connections",
        });
      }
      if (name === "event_triggers" && value === "off") {
        problems.push({ object: "settings", problem: "unexpected: event_triggers is off" });
      }
    }
    await client.query("COMMIT");
    client.release();
    const eventTriggers = facts.some((fact) => EVENT_TRIGGER.test(fact.object));
    return { intact: problems.length === 0, eventTriggers, problems };
  } catch (error) {
    // Whatever state the connection is in, nobody else gets it.
    client.release(true);
    throw error;
  }
}

/** SQLSTATEs of a table that is missing, is no table, or is closed to this role: for the report to say. */
const NOT_LOCKED = ["42P01", "42809", "42501"];

/**
 * Waits until partitions that are being made are there, and lets no others be made until the transaction ends: a statement that
 * began before reads some of their guards as they were, and others as they are.
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

/** How `facts` differ from `expected`, in the form of `oc_guard.problems()`. */
export function compareGuards(facts: readonly GuardFact[], expected: ShippedGuards): GuardProblem[] {
  const problems: GuardProblem[] = [];
  const objects = new Map<string, { readonly class: string; readonly facts: Set<string> }>();
  for (const [name] of Object.entries(expected))
    if (!MONTHS.test(name)) objects.set(name, { class: name, facts: new Set() });
  for (const fact of facts) {
    const object = objects.get(fact.object) ?? { class: fact.class, facts: new Set<string>() };
    object.facts.add(fact.fact);
    objects.set(fact.object, object);
    if (!fact.open && expected[fact.class]?.includes(fact.fact) !== true) {
      problems.push({ object: fact.object, problem: `unexpected: ${fact.fact}` });
    }
  }
  const eventTriggers = facts.some((fact) => EVENT_TRIGGER.test(fact.object));
  for (const [name, object] of objects) {
    if (!eventTriggers && EVENT_TRIGGER.test(name)) continue;
    for (const fact of expected[object.class] ?? []) {
      if (!object.facts.has(fact)) problems.push({ object: name, problem: `missing: ${fact}` });
    }
  }
  if (!eventTriggers) {
    const problem =
      "missing: a superuser has to create them. Until then a change of the schema can weaken the other guards";
    problems.push({ object: "event triggers", problem });
  }
  return problems.toSorted((a, b) => (a.object + a.problem < b.object + b.problem ? -1 : 1));
}
