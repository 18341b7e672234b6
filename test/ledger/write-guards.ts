// Rewrites sql/guards.json from a freshly migrated database: `node test/ledger/write-guards.ts`.
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { escapeIdentifier } from "pg";
import { migrate } from "../../src/db/migrate.ts";
import { silent } from "../support/log.ts";
import { startTestServer, withClient, withDatabase } from "../support/server.ts";
import { describeGuards } from "./guards.fixture.ts";

const server = await startTestServer();
try {
  const database = `guards_${randomBytes(6).toString("hex")}`;
  await withClient(server.url, (client) =>
    client.query(`CREATE DATABASE ${escapeIdentifier(database)} TEMPLATE template0`),
  );
  const url = withDatabase(server.url, database);
  await migrate({ connectionString: url, log: silent });
  await writeFile(new URL("../../sql/guards.json", import.meta.url), await withClient(url, describeGuards));
  await withClient(server.url, (client) => client.query(`DROP DATABASE ${escapeIdentifier(database)}`));
} finally {
  await server.stop();
}
