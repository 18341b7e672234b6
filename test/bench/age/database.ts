import { Client, escapeIdentifier } from "pg";
import { migrate } from "../../../src/db/migrate.ts";
import { createPool } from "../../../src/db/pool.ts";
import type { LedgerId } from "../../../src/facts/entry.ts";
import type { Logger } from "../../../src/log.ts";
import { dateLedgers } from "../../support/clock.ts";
import { createLedgers } from "../../support/ledgers.ts";
import { withClient, withDatabase } from "../../support/server.ts";
import { body, facts } from "../append/drafts.ts";

export const LEDGER: LedgerId = "acme/eu";
const BATCH = 50;
/** Batches in which each caller goes on with its chain. */
const STEPS = 2;

/**
 * A database with a partition for each of the last `months` months and `entries` proposals recorded evenly over them: the
 * same entries for any number of months, but for their times. Returns the URL of its superuser.
 */
export async function createAgedDatabase(
  serverUrl: string,
  months: number,
  entries: number,
  log: Logger,
): Promise<string> {
  const name = `months_${months}`;
  await withClient(serverUrl, (client) => client.query(`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0`));
  const url = withDatabase(serverUrl, name);
  await migrate({ connectionString: url, log });
  const superuser = new Client({ connectionString: url });
  await superuser.connect();
  const pool = createPool({ connectionString: url, max: 4, applicationName: "bench", log });
  try {
    await makeMonths(superuser, months);
    const ledgers = createLedgers({ pool, capacity: 10_000 });
    const clock = await dateLedgers(superuser);
    const now = Date.now();
    // From the middle of the first month on.
    const span = (months - 1) * 30.4 * 24 * 3600 * 1000;
    for (let at = 0; at < entries; at += BATCH) {
      await clock.set(new Date(now - span * (1 - at / entries)));
      const chains = `${name} ${Math.floor(at / BATCH / STEPS)}`;
      await Promise.all(Array.from({ length: BATCH }, (_, n) => ledgers.append(LEDGER, body(facts(n, chains)))));
    }
    await ledgers.close();
    await clock.reset();
    await superuser.query("VACUUM ANALYZE");
  } finally {
    await pool.end();
    await superuser.end();
  }
  return url;
}

/** Those that the migration made for the months to come stay. */
async function makeMonths(superuser: Client, months: number): Promise<void> {
  await superuser.query("SET countersign.migration = 'on'; SET ROLE oc_owner");
  await superuser.query(
    `SELECT oc_make_month(family, first_day)
       FROM unnest(ARRAY['oc_audit_log', 'oc_audit_payload']) AS family,
            generate_series(0, ${months - 1}) AS back,
            LATERAL (SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => back))::date) AS m(first_day)
      WHERE to_regclass(family || to_char(first_day, '_YYYY_MM')) IS NULL`,
  );
  await superuser.query("RESET ROLE; RESET countersign.migration");
}
