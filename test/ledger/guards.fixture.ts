import { Client, type ClientBase, Pool } from "pg";
import { readGuards, SETTINGS } from "../../src/ledger/guards/read.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

/** What sql/guards.json has to say about a freshly migrated database: facts by class, both sorted. */
export async function describeGuards(client: ClientBase): Promise<string> {
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${SETTINGS}`);
  const facts = await readGuards(client);
  await client.query("COMMIT");
  // No role and no setting is expected to be anything; those of the server that this runs on are not the migrations'.
  const made = facts.filter(({ object }) => !/^(role |settings$)/.test(object));
  const classes = Map.groupBy(made, (fact) => fact.class);
  const lines = [...classes.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, its]) => list(name, [...new Set(its.map(({ fact }) => fact))].sort()));
  return `{\n${lines.join(",\n")}\n}\n`;
}

/** As the formatter writes it: on one line when that is at most 120 wide. */
function list(name: string, facts: readonly string[]): string {
  const key = JSON.stringify(name);
  const values = facts.map((fact) => JSON.stringify(fact));
  const line = `  ${key}: [${values.join(", ")}]`;
  return line.length < 120 ? line : `  ${key}: [\n${values.map((value) => `    ${value}`).join(",\n")}\n  ]`;
}

/** Gives `work` a database that nobody minds being broken, with a superuser's connection and a pool. */
export async function inOwnDatabase(
  work: (superuser: Client, pool: Pool, database: TestDatabase) => Promise<void>,
): Promise<void> {
  const database = await createTestDatabase();
  const superuser = new Client({ connectionString: database.superuserUrl });
  const pool = new Pool({ connectionString: database.superuserUrl, max: 3 });
  await superuser.connect();
  try {
    await work(superuser, pool, database);
  } finally {
    await pool.end();
    // Dropping the database would break the connections that are still saying goodbye.
    const others =
      "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    await waitUntil(async () => (await superuser.query<{ n: number }>(others)).rows[0]?.n === 0);
    await superuser.end();
    await database.drop();
  }
}
