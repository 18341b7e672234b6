#!/usr/bin/env node
// Tries to rewrite history in the built-in database of a running server, as its superuser.
//
//   npx node clients/demo/tamper.ts          the way a careless administrator would: the guards refuse; exit code 1
//   npx node clients/demo/tamper.ts --force  the way a determined one would: takes the guards off, changes one letter
//
// The second breaks the ledger for good: give it a DATA_DIR of its own. `countersign verify` then tells what happened.
// Where there is nothing to change, both end with 2 and leave everything as it is, the guards included.
import { parseArgs } from "node:util";
import { Client } from "pg";
import { loadConfig } from "../../src/config.ts";
import { readRecord } from "../../src/db/embedded/record.ts";

const { values } = parseArgs({ options: { force: { type: "boolean", default: false } } });
const { dataDir } = loadConfig();
const record = await readRecord(dataDir);
if (record?.pid === undefined || record.pid === null) {
  process.stderr.write(`no server runs on DATA_DIR ${dataDir}: start one there first\n`);
  process.exit(2);
}

/** The newest approval, which is what gets changed. */
const findApproval = `
  SELECT ledger, seq, substring(entry from '"id":"approver[^"]*"') AS before FROM oc_audit_log
   WHERE type = 'ACTION_APPROVED' AND entry LIKE '%"id":"approver%' ORDER BY recorded_at DESC, seq DESC LIMIT 1`;

const takeGuardsOff = [
  "SET event_triggers = off",
  "ALTER TABLE oc_audit_log DISABLE TRIGGER ALL",
  "ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash",
];

/** The approver's id spelled differently: one byte of it. */
const rewrite = `UPDATE oc_audit_log SET entry = regexp_replace(entry, '"id":"approver', '"id":"Approver') WHERE (ledger, seq) = ($1, $2)`;

const client = new Client({ connectionString: record.url });
try {
  await client.connect();
  const { rows } = await client.query<{ ledger: string; seq: string; before: string }>(findApproval);
  const [approval] = rows;
  if (approval === undefined) {
    process.stderr.write("nothing was approved yet, so there is nothing to change: run `npm run demo` first\n");
    process.exitCode = 2;
  } else {
    // Ordinary triggers do not fire in this mode, which only a superuser may choose.
    await client.query("SET session_replication_role = replica");
    if (values.force) for (const statement of takeGuardsOff) await client.query(statement);
    await client.query(rewrite, [approval.ledger, approval.seq]);
    const after = approval.before.replace('"approver', '"Approver');
    process.stdout.write(
      `changed one letter of entry ${approval.seq} of ${approval.ledger}: ${approval.before} is now ${after}\n`,
    );
  }
} catch (error) {
  process.stdout.write(`refused: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await client.end();
}
