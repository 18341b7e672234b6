import { randomBytes } from "node:crypto";
import { escapeIdentifier } from "pg";
import { inject } from "vitest";
import { withClient, withDatabase } from "./server.ts";

export { withClient, withDatabase } from "./server.ts";

export interface TestDatabase {
  readonly name: string;
  /** Connects as the superuser that migrated the database. */
  readonly superuserUrl: string;
  /** What a server is given as DATABASE_URL; `createPool` drops to `oc_app` on it. */
  readonly appUrl: string;
  /** Ends every connection to the database and removes it. */
  drop(): Promise<void>;
}

function isBusyTemplate(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "55006";
}

/** Copies the template; one copy at a time may read it, so whoever comes second tries again. */
async function copyTemplate(serverUrl: string, name: string, template: string): Promise<void> {
  await withClient(serverUrl, async (client) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await client.query(`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE ${escapeIdentifier(template)}`);
        return;
      } catch (error) {
        if (!isBusyTemplate(error) || attempt === 200) throw error;
        await client.query("SELECT pg_sleep(0.05)");
      }
    }
  });
}

async function create(template: string): Promise<TestDatabase> {
  const serverUrl = inject("postgresUrl");
  const name = `test_${randomBytes(6).toString("hex")}`;
  await copyTemplate(serverUrl, name, template);
  const superuserUrl = withDatabase(serverUrl, name);
  return {
    name,
    superuserUrl,
    appUrl: superuserUrl,
    drop: () =>
      withClient(serverUrl, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`);
      }),
  };
}

/** A fresh, fully migrated database of its own for a test file. */
export function createTestDatabase(): Promise<TestDatabase> {
  return create(inject("templateDatabase"));
}

/** A database that was never migrated. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return create("template0");
}
