import { randomBytes } from "node:crypto";
import { escapeIdentifier } from "pg";
import type { TestProject } from "vitest/node";
import { migrate } from "../../src/db/migrate.ts";
import { silent } from "./log.ts";
import { startTestServer, withClient, withDatabase } from "./server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the server that all tests share. */
    readonly postgresUrl: string;
    /** Name of the migrated database that test databases are copies of. */
    readonly templateDatabase: string;
  }
}

/**
 * Before the first test of a project that needs it: a server, and a database migrated once, for all such projects of
 * the run. Returns what ends both, to the project that came first.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const run = project.vitest.getRootProject();
  if ("postgresUrl" in run.getProvidedContext()) return undefined;
  const server = await startTestServer();
  const template = `template_${randomBytes(6).toString("hex")}`;
  const onServer = (sql: string) => withClient(server.url, (client) => client.query(sql));
  try {
    await onServer(`CREATE DATABASE ${escapeIdentifier(template)} TEMPLATE template0 ENCODING 'UTF8'`);
    await migrate({ connectionString: withDatabase(server.url, template), log: silent });
  } catch (error) {
    await server.stop();
    throw error;
  }
  run.provide("postgresUrl", server.url);
  run.provide("templateDatabase", template);
  return async () => {
    await onServer(`DROP DATABASE IF EXISTS ${escapeIdentifier(template)} WITH (FORCE)`);
    await server.stop();
  };
}
