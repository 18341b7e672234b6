#!/usr/bin/env node
// Tries to rewrite history in the built-in database of a running server, as its superuser.
//
//   npx node clients/demo/tamper.ts          the way a careless administrator would: the guards refuse
//   npx node clients/demo/tamper.ts --force  the way a determined one would: takes the guards off, changes one letter
//
// The second breaks the ledger for good: give it a DATA_DIR of its own. `countersign verify` then tells what happened.
import { parseArgs } from "node:util";
import { Client } from "pg";
import { loadConfig } from "../../src/config.ts";
import { readRecord } from "../../src/db/embedded/record.ts";

const { values } = parseArgs({ options: { force: { type: "boolean", default: false } } });
const { dataDir } = loadConfig();
const record = await readRecord(dataDir);
if (record?.pid === undefined || record.pid === null) {
  process.stderr.write(`No server runs on ${dataDir}: start one there first.\n`);
  process.exit(2);
}

/** The newest approval, with the approver's name spelled differently: one byte of it. */
const rewrite = `
  UPDATE oc_audit_log SET entry = replace(entry, '"id":"approver', '"id":"Approver')
   WHERE (ledger, seq) = (SELECT ledger, seq FROM oc_audit_log WHERE type = 'ACTION_APPROVED' ORDER BY seq DESC LIMIT 1)
  RETURNING ledger, seq`;

const takeGuardsOff = [
  "SET event_triggers = off",
  "ALTER TABLE oc_audit_log DISABLE TRIGGER ALL",
  "ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash",
];

const client = new Client({ connectionString: record.url });
try {
  await client.connect();
  // Ordinary triggers do not fire in this mode, which only a superuser may choose.
  await client.query("SET session_replication_role = replica");
  if (values.force) for (const statement of takeGuardsOff) await client.query(statement);
  const { rows } = await client.query<{ ledger: string; seq: string }>(rewrite);
  for (const { ledger, seq } of rows) process.stdout.write(`changed one letter of entry ${seq} of ${ledger}\n`);
  if (rows.length === 0) process.stdout.write("nothing was approved yet: run the demo first\n");
} catch (error) {
  process.stdout.write(`refused: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await client.end();
}
