import { type ClientBase, DatabaseError } from "pg";
import { closed, type GuardFact, sha256 } from "./fact.ts";

/** SQLSTATEs of a table that is missing, is no table, lacks a column, or is closed to this role: for the report to say. */
const UNREADABLE = ["42P01", "42809", "42703", "42501"];

/** Facts about rows of tables that decide what others may read, or what event triggers let through. */
export async function readContents(client: Pick<ClientBase, "query">): Promise<readonly GuardFact[]> {
  /** What is wrong with a table that cannot be read, is among the facts about tables. */
  async function rowsOf<Row extends object>(sql: string): Promise<readonly Row[]> {
    await client.query("SAVEPOINT unread");
    try {
      return (await client.query<Row>(sql)).rows;
    } catch (error) {
      if (!(error instanceof DatabaseError) || !UNREADABLE.includes(error.code ?? "")) throw error;
      await client.query("ROLLBACK TO SAVEPOINT unread");
      return [];
    }
  }
  const access = await rowsOf<{ readonly login: string; readonly organization: string }>(
    "SELECT role_name AS login, organization FROM ONLY public.oc_bi_access",
  );
  const baseline = await rowsOf<{ readonly class: string; readonly fact: string }>(
    "SELECT class, fact FROM ONLY oc_guard.baseline WHERE NOT open",
  );
  const recorded = baseline.map((row) => `${row.class}\0${row.fact}`).sort();
  return [
    ...access.map(({ login, organization }) => closed("public.oc_bi_access", `row ${login} reads ${organization}`)),
    closed("oc_guard.baseline", `rows ${sha256(recorded.join("\n"))}`),
  ];
}
