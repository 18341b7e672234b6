import type { ClientBase } from "pg";

/** The clock that entries are dated by, in one database. */
export interface LedgerClock {
  /** Entries that are appended from now on are recorded at `instant`, or at their ledger's last time if that is later. */
  set(instant: Date): Promise<void>;
  /** Puts the database's own clock, and the function that reads it, back. */
  reset(): Promise<void>;
}

/** Lets a test say when entries are recorded. Until `reset`, oc_ledger_append is not what the guards expect. */
export async function dateLedgers(superuser: ClientBase): Promise<LedgerClock> {
  const { rows } = await superuser.query<{ definition: string }>(
    "SELECT pg_get_functiondef(oid) AS definition FROM pg_proc WHERE proname ~ '^oc_\\w*append' AND prosrc ~ 'clock_timestamp\\(\\)'",
  );
  const originals = rows.map(({ definition }) => definition);
  if (originals.length === 0) throw new Error("no function dates entries by clock_timestamp()");
  await superuser.query(`
    CREATE SCHEMA dated; CREATE TABLE dated.clock (instant timestamptz NOT NULL);
    CREATE FUNCTION dated.instant() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT instant FROM dated.clock';
    GRANT USAGE ON SCHEMA dated TO PUBLIC; GRANT SELECT ON dated.clock TO PUBLIC`);
  const define = async (functions: readonly string[]) => {
    await superuser.query(`BEGIN; SET LOCAL countersign.migration = 'on'; ${functions.join(";")}; COMMIT`);
  };
  await define(originals.map((definition) => definition.replaceAll("clock_timestamp()", "dated.instant()")));
  return {
    async set(instant) {
      await superuser.query("DELETE FROM dated.clock");
      await superuser.query("INSERT INTO dated.clock VALUES ($1)", [instant]);
    },
    async reset() {
      await define(originals);
      await superuser.query("DROP SCHEMA dated CASCADE");
    },
  };
}
