// Rewrites sql/schema.txt from a freshly migrated database: `npm run schema:db`.
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { escapeIdentifier } from "pg";
import { migrate } from "../../src/db/migrate.ts";
import { describeSchema } from "../db/schema-description.ts";
import { silent } from "./log.ts";
import { startTestServer, withClient, withDatabase } from "./server.ts";

const server = await startTestServer();
try {
  const database = `schema_${randomBytes(6).toString("hex")}`;
  await withClient(server.url, (client) =>
    client.query(`CREATE DATABASE ${escapeIdentifier(database)} TEMPLATE template0`),
  );
  const url = withDatabase(server.url, database);
  await migrate({ connectionString: url, log: silent });
  await writeFile(new URL("../../sql/schema.txt", import.meta.url), await withClient(url, describeSchema));
  await withClient(server.url, (client) => client.query(`DROP DATABASE ${escapeIdentifier(database)}`));
} finally {
  await server.stop();
}
