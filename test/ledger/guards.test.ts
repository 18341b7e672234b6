import { readFile } from "node:fs/promises";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { guardReport } from "../../src/ledger/guards.ts";
import { LEDGER_TABLES } from "../../src/ledger/tables.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { describeGuards, inOwnDatabase } from "./guards.fixture.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

const MESSAGE = "oc_audit_log is append-only. Modification and deletion are blocked for Article 12 compliance.";
const LEDGER = "acme/eu";
let database: TestDatabase;
let client: Client;
let pool: Pool;
let tables: readonly string[];

/** Who tries: what `SET`s make of the superuser's connection. */
const ATTACKERS = {
  oc_owner: "SET LOCAL ROLE oc_owner",
  "a superuser": "SELECT",
  "a superuser in replica mode": "SET LOCAL session_replication_role = replica",
} as const;
type Attacker = keyof typeof ATTACKERS;
const attackers = Object.keys(ATTACKERS) as Attacker[];

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  pool = new Pool({ connectionString: database.superuserUrl, max: 2 });
  await createLedger(client, LEDGER);
  await appendActions(client, LEDGER, 0, 3);
  const { rows } = await client.query<{ name: string }>(
    "SELECT 'oc_audit_log' AS name UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass",
  );
  tables = rows.map(({ name }) => name);
});

afterAll(async () => {
  await pool.end();
  await client.end();
  await database.drop();
});

/** Runs `sql` as `attacker` and rolls it back; answers the error's message, or undefined when it went through. */
async function attempt(attacker: Attacker, sql: string): Promise<string | undefined> {
  await client.query(`BEGIN; ${ATTACKERS[attacker]}`);
  try {
    await client.query(sql);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await client.query("ROLLBACK");
  }
}

const columns = "ledger, seq, recorded_at, entry, hash, prev_hash, id, type";
const CHANGES: Readonly<Record<string, (table: string) => string>> = {
  UPDATE: (table) => `UPDATE ${table} SET type = 'FORGED'`,
  "UPDATE of no row": (table) => `UPDATE ${table} SET type = 'FORGED' WHERE false`,
  "UPDATE of one column to itself": (table) => `UPDATE ${table} SET tool = tool WHERE seq = 2`,
  DELETE: (table) => `DELETE FROM ${table}`,
  "DELETE of no row": (table) => `DELETE FROM ${table} WHERE false`,
  TRUNCATE: (table) => `TRUNCATE ${table}`,
  "TRUNCATE … CASCADE": (table) => `TRUNCATE ${table} CASCADE`,
  "MERGE … UPDATE": (table) =>
    `MERGE INTO ${table} t USING (SELECT 2::bigint AS seq) s ON t.seq = s.seq WHEN MATCHED THEN UPDATE SET type = 'FORGED'`,
  "MERGE … DELETE": (table) =>
    `MERGE INTO ${table} t USING (SELECT 2::bigint AS seq) s ON t.seq = s.seq WHEN MATCHED THEN DELETE`,
  "a CTE that deletes": (table) => `WITH gone AS (DELETE FROM ${table} RETURNING *) SELECT count(*) FROM gone`,
  "a CTE that updates": (table) =>
    `WITH gone AS (UPDATE ${table} SET type = 'FORGED' RETURNING *) SELECT count(*) FROM gone`,
  "copy and delete": (table) =>
    `CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM ${table}; DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept`,
  "UPDATE … FROM": (table) => `UPDATE ${table} t SET entry = o.entry FROM oc_audit_log o WHERE o.seq = t.seq + 1`,
};

describe.each(attackers)("as %s", (attacker) => {
  it.each(Object.keys(CHANGES))(
    "%s is refused on the table and on every partition, with the same message",
    async (change) => {
      expect(tables.length).toBeGreaterThanOrEqual(4);
      for (const table of tables) expect(await attempt(attacker, CHANGES[change]!(table)), table).toBe(MESSAGE);
    },
  );

  it("ON CONFLICT DO UPDATE is refused wherever PostgreSQL can plan it", async () => {
    for (const table of tables) {
      const sql = `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM oc_audit_log WHERE seq = 2
                   ON CONFLICT (ledger, seq) DO UPDATE SET type = 'FORGED'`;
      // The partitioned table has no unique index to infer from: a conflict cannot even be stated there.
      const message =
        table === "oc_audit_log"
          ? "there is no unique or exclusion constraint matching the ON CONFLICT specification"
          : MESSAGE;
      expect(await attempt(attacker, sql), table).toBe(message);
    }
  });

  it("the head is neither set back nor moved on by hand, so that no entry can be inserted behind another one than the last", async () => {
    // The partition is another one than the entries are in: unique indexes hold within one alone.
    const forked = (seq: number, prev: string) => `
      INSERT INTO oc_audit_log (${columns})
      SELECT 'acme/eu', ${seq}, '2200-01-01', x.text, sha256(convert_to(x.text, 'UTF8')), h.hash, gen_random_uuid(), 'FORGED'
        FROM (SELECT ${prev} AS hash) h
       CROSS JOIN LATERAL (SELECT oc_entry_text('{}', ',"ledger":"acme/eu","prevHash":"', h.hash,
                                                '","recordedAt":"2200-01-01T00:00:00.000000Z","seq":"', ${seq}) AS text) x`;
    const moved = (seq: string, hash: string, at: string) =>
      `UPDATE oc_ledger_head SET seq = ${seq}, hash = ${hash}, recorded_at = ${at} WHERE ledger = 'acme/eu'`;
    const ninth = "(SELECT hash FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = 9)";
    const itsTime = "(SELECT recorded_at FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = 9)";
    const zeros = "decode(repeat('00', 32), 'hex')";
    const invented = "sha256('invented')";
    const attacks: Readonly<Record<string, string>> = {
      "a fork": `${moved("9", ninth, itsTime)}; ${forked(10, ninth)}`,
      "a fork behind a head with another time": `${moved("9", ninth, "now()")}; ${forked(10, ninth)}`,
      "a second beginning": `${moved("0", zeros, "'-infinity'")}; ${forked(1, zeros)}`,
      "a second beginning with another time": `${moved("0", zeros, "now()")}; ${forked(1, zeros)}`,
      "a gap": `${moved("40", invented, "now()")}; ${forked(41, invented)}`,
      "a predecessor that never was": `${moved("16", invented, "now()")}; ${forked(17, invented)}`,
      "a beginning behind something": `INSERT INTO oc_ledger_head VALUES ('other/eu', 0, ${invented}, '-infinity'); ${forked(1, invented).replaceAll("acme/", "other/")}`,
      "a head removed": "DELETE FROM oc_ledger_head WHERE ledger = 'acme/eu'",
      "all heads removed": "TRUNCATE oc_ledger_head",
      "a head of another ledger": "UPDATE oc_ledger_head SET ledger = 'other/eu'",
      "a head set back by a trigger": `CREATE TEMP TABLE lever (a integer) ON COMMIT DROP;
        CREATE FUNCTION pg_temp.pull() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN ${moved("9", ninth, "now()")}; RETURN NULL; END $$;
        CREATE TRIGGER pull AFTER INSERT ON lever FOR EACH ROW EXECUTE FUNCTION pg_temp.pull();
        ALTER TABLE lever ENABLE ALWAYS TRIGGER pull; INSERT INTO lever VALUES (1)`,
    };
    for (const [name, sql] of Object.entries(attacks)) {
      expect.soft(await attempt(attacker, sql), name).toMatch(/moves on with entries alone/);
    }
    const { rows } = await client.query("SELECT seq FROM oc_ledger_head WHERE ledger = 'acme/eu'");
    expect(rows).toEqual([{ seq: "16" }]);
  });

  it("where a month of a ledger begins is not changed by hand", async () => {
    for (const sql of [
      "UPDATE oc_ledger_month SET first_seq = 7",
      "UPDATE oc_ledger_month SET first_seq = 7 WHERE false",
      "DELETE FROM oc_ledger_month",
      "TRUNCATE oc_ledger_month",
      "INSERT INTO oc_ledger_month VALUES ('acme/eu', 7, '2200-01-01', '2200-02-01')",
    ]) {
      expect.soft(await attempt(attacker, sql), sql).toMatch(/oc_ledger_month grows with entries alone/);
    }
  });

  it("an entry dated before its predecessor cannot be inserted, nor in one statement with later ones behind it", async () => {
    // Well-formed entries that follow the head, dated so many days after it.
    const dated = (days: readonly number[]) => `
      WITH RECURSIVE made(n, seq, recorded_at, prev_hash, text) AS (
        SELECT 0, h.seq, h.recorded_at, h.hash, NULL FROM oc_ledger_head h WHERE h.ledger = 'acme/eu'
        UNION ALL
        SELECT m.n + 1, m.seq + 1, x.recorded_at, x.prev_hash,
               oc_entry_text('{}', ',"ledger":"acme/eu","prevHash":"', x.prev_hash, '","recordedAt":"'
                 || to_char(x.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","seq":"', m.seq + 1)
          FROM made m
         CROSS JOIN LATERAL (SELECT coalesce(sha256(convert_to(m.text, 'UTF8')), m.prev_hash) AS prev_hash,
                                    h.recorded_at + (ARRAY[${days}])[m.n + 1] * interval '1 day' AS recorded_at
                               FROM oc_ledger_head h WHERE h.ledger = 'acme/eu') x
         WHERE m.n < ${days.length})
      INSERT INTO oc_audit_log (${columns})
      SELECT 'acme/eu', seq, recorded_at, text, sha256(convert_to(text, 'UTF8')), prev_hash, gen_random_uuid(), 'FORGED'
        FROM made WHERE n > 0`;
    expect(await attempt(attacker, dated([0, 1]))).toBeUndefined();
    for (const days of [[-40], [-40, 1], [0, -40], [1, -40, 2]]) {
      expect.soft(await attempt(attacker, dated(days)), `${days}`).toMatch(/does not extend its chain/);
    }
  });

  it("an entry that does not extend the chain cannot be inserted", async () => {
    const forged = (seq: string, prev: string) => `
      INSERT INTO oc_audit_log (${columns})
      SELECT x.ledger, x.n, x.recorded_at, x.text, sha256(convert_to(x.text, 'UTF8')), x.prev, x.id, x.type
        FROM (SELECT e.*, ${seq} AS n, ${prev} AS prev,
                     '{"body":{},"ledger":"acme/eu","prevHash":"' || encode(${prev}, 'hex') || '","recordedAt":"2026-11-22T00:00:00.000000Z","seq":"'
                       || ${seq} || '","v":1}' AS text
                FROM oc_audit_log e WHERE seq = 9) x`;
    expect(await attempt(attacker, forged("9::bigint", "e.prev_hash"))).toMatch(
      /duplicate key|does not extend its chain/,
    );
    expect(await attempt(attacker, forged("40::bigint", "e.prev_hash"))).toMatch(
      /duplicate key|does not extend its chain/,
    );
    expect(await attempt(attacker, forged("40::bigint", "e.hash"))).toMatch(/duplicate key|does not extend its chain/);
    expect(await attempt(attacker, "INSERT INTO oc_audit_log SELECT * FROM oc_audit_log WHERE seq = 9")).toMatch(
      /duplicate key/,
    );
  });
});

describe("as oc_app", () => {
  it.each([
    `INSERT INTO oc_audit_log SELECT * FROM oc_audit_log LIMIT 1`,
    "UPDATE oc_audit_log SET type = 'FORGED'",
    "DELETE FROM oc_audit_log",
    "TRUNCATE oc_audit_log",
    "INSERT INTO oc_audit_payload VALUES ('acme/eu', 99, '{}', now())",
    "UPDATE oc_audit_payload SET payload = '{}'",
    "DELETE FROM oc_audit_payload",
    "UPDATE oc_ledger_head SET seq = 1",
    "UPDATE oc_state SET status = 'APPROVED'",
    "DELETE FROM oc_state",
    "INSERT INTO oc_guard.baseline VALUES ('a', 'b', false)",
    "SELECT oc_guard.record()",
    "SELECT oc_guard_table('oc_audit_log')",
  ])("%s is refused", async (sql) => {
    await client.query("BEGIN; SET LOCAL ROLE oc_app");
    await expect(client.query(sql)).rejects.toMatchObject({ code: "42501" });
    await client.query("ROLLBACK");
  });
});

const WEAKENINGS: readonly string[] = [
  "DROP TABLE oc_audit_log CASCADE",
  "DROP TABLE oc_audit_log_default",
  "DROP TABLE oc_audit_payload",
  "DROP TABLE oc_audit_payload_default",
  "DROP TABLE oc_ledger_month CASCADE",
  "DROP TABLE oc_ledger_head CASCADE",
  "DROP TABLE oc_state CASCADE",
  "DROP VIEW oc_action CASCADE",
  "ALTER TABLE oc_state DROP CONSTRAINT oc_state_pkey",
  "ALTER TABLE oc_state ALTER COLUMN conversation DROP NOT NULL",
  "DROP TRIGGER oc_refuse_statement ON oc_audit_log",
  "DROP TRIGGER oc_check_links ON oc_audit_log_default",
  "DROP FUNCTION oc_refuse_change() CASCADE",
  "DROP FUNCTION oc_ledger_append(text, text, text, text, bigint, uuid)",
  "DROP INDEX oc_audit_log_default_seq",
  "DROP INDEX oc_audit_log_default_prev_hash",
  "ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash",
  "ALTER TABLE oc_ledger_month DROP CONSTRAINT oc_ledger_month_pkey",
  "ALTER TABLE oc_audit_log DROP COLUMN id",
  "ALTER TABLE oc_audit_log DISABLE TRIGGER ALL",
  "ALTER TABLE oc_audit_log DISABLE TRIGGER oc_refuse_row",
  "ALTER TABLE oc_audit_log_default DISABLE TRIGGER oc_refuse_statement",
  "ALTER TABLE oc_audit_log ENABLE TRIGGER oc_refuse_statement",
  "ALTER TABLE oc_audit_log ENABLE REPLICA TRIGGER oc_check_links",
  "ALTER TABLE oc_audit_log ALTER COLUMN id TYPE uuid USING gen_random_uuid()",
  "ALTER TABLE oc_audit_log ALTER COLUMN id TYPE text",
  "ALTER TABLE oc_audit_payload ALTER COLUMN payload TYPE json USING '{}'::json",
  "ALTER TABLE oc_audit_log ADD COLUMN note text DEFAULT clock_timestamp()::text",
  "ALTER TABLE oc_ledger_head SET UNLOGGED",
  "ALTER TABLE oc_audit_log ALTER COLUMN hash DROP NOT NULL",
  "CREATE RULE quiet AS ON INSERT TO oc_audit_log DO INSTEAD NOTHING",
  "CREATE RULE quiet AS ON INSERT TO oc_audit_payload DO INSTEAD NOTHING",
  "CREATE TABLE ghosts () INHERITS (oc_state)",
  "CREATE TABLE ghosts (LIKE oc_ledger_month); ALTER TABLE ghosts INHERIT oc_ledger_month",
  "CREATE TABLE ghosts PARTITION OF oc_audit_log FOR VALUES FROM ('2040-01-01') TO ('2040-02-01')",
  "CREATE TABLE oc_audit_log_2040_01 PARTITION OF oc_audit_log FOR VALUES FROM ('2040-01-01 00:00+00') TO ('2040-02-01 00:00+00')",
  "ALTER TABLE oc_audit_log DETACH PARTITION oc_audit_log_default",
  "ALTER TABLE oc_audit_payload DETACH PARTITION oc_audit_payload_default",
  "ALTER TABLE oc_audit_log RENAME TO oc_audit_log_old",
  "ALTER TABLE oc_audit_log_default RENAME TO aside",
  "ALTER TABLE oc_audit_log RENAME COLUMN entry TO words",
  "ALTER TRIGGER oc_refuse_statement ON oc_audit_log RENAME TO something",
  "CREATE SCHEMA aside; ALTER TABLE oc_audit_log_default SET SCHEMA aside",
  "ALTER TABLE oc_audit_payload OWNER TO oc_app",
  "ALTER FUNCTION oc_refuse_change() RENAME TO oc_other",
  "CREATE OR REPLACE FUNCTION oc_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
  "CREATE OR REPLACE FUNCTION oc_check_links() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
  "ALTER FUNCTION oc_ledger_append(text, text, text, text, bigint, uuid) SECURITY INVOKER",
  "ALTER FUNCTION oc_refuse_change() SET session_replication_role = replica",
  "CREATE FUNCTION oc_ledger_append(text, text) RETURNS void LANGUAGE sql AS ''",
  "CREATE FUNCTION sha256(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
  "CREATE TRIGGER meddle BEFORE INSERT ON oc_audit_log FOR EACH ROW EXECUTE FUNCTION oc_refuse_change()",
  "CREATE TRIGGER meddle AFTER INSERT ON oc_audit_payload FOR EACH ROW EXECUTE FUNCTION oc_refuse_change()",
  "ALTER TABLE oc_audit_log DISABLE ROW LEVEL SECURITY",
  "ALTER TABLE oc_audit_log FORCE ROW LEVEL SECURITY",
  "ALTER TABLE oc_audit_payload ENABLE ROW LEVEL SECURITY",
  "CREATE POLICY hide ON oc_audit_log AS RESTRICTIVE FOR SELECT TO oc_app USING (seq <> 5)",
  "ALTER POLICY oc_read ON oc_audit_log USING (seq <> 5)",
  "DROP POLICY oc_report ON oc_audit_log",
  "GRANT INSERT ON oc_audit_log TO oc_app",
  "GRANT UPDATE (payload) ON oc_audit_payload TO oc_app",
  "GRANT EXECUTE ON FUNCTION oc_guard_table(regclass) TO oc_app",
  "GRANT EXECUTE ON FUNCTION oc_empty_default() TO oc_app",
];
/** What only a superuser has the right to try. */
const BY_SUPERUSER: readonly string[] = [
  "DROP SCHEMA public CASCADE",
  "GRANT CREATE ON SCHEMA public TO oc_app",
  "DROP OWNED BY oc_owner CASCADE",
  "CREATE OR REPLACE FUNCTION oc_guard.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
  "CREATE OR REPLACE FUNCTION oc_guard.on_function() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
  "CREATE OR REPLACE FUNCTION oc_guard.on_drop() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
  "CREATE OR REPLACE FUNCTION oc_guard.on_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
  `CREATE OR REPLACE FUNCTION oc_guard.state() RETURNS TABLE (object text, class text, fact text, open boolean)
   LANGUAGE sql AS 'SELECT class, class, fact, open FROM oc_guard.baseline'`,
  "DROP FUNCTION oc_guard.on_ddl() CASCADE",
  "DROP TABLE oc_guard.baseline",
];

describe("the event triggers", () => {
  it.each(WEAKENINGS)("refuse oc_owner: %s", async (sql) => {
    expect(await attempt("oc_owner", sql)).toMatch(/is refused: |permission denied|must be (able to SET ROLE|owner)/);
  });

  it.each([...WEAKENINGS, ...BY_SUPERUSER])("refuse a superuser in replica mode: %s", async (sql) => {
    expect(await attempt("a superuser in replica mode", sql)).toMatch(/ is refused: /);
  });

  it("leave no trace of what was refused", async () => {
    expect((await client.query("SELECT * FROM oc_guard.problems()")).rows).toEqual([]);
    expect(await guardReport(pool)).toEqual({ intact: true, eventTriggers: true, problems: [] });
  });

  it.each([
    "ALTER TABLE oc_audit_log ADD COLUMN remark text",
    "ALTER TABLE oc_audit_log ADD COLUMN remark text DEFAULT 'none'",
    "ALTER TABLE oc_audit_payload ADD COLUMN remark integer",
    "ALTER TABLE oc_audit_log ADD COLUMN remark text; ALTER TABLE oc_audit_log DROP COLUMN remark",
    "CREATE INDEX remark ON oc_audit_log (type)",
    "CREATE INDEX remark ON oc_audit_log_default (type); DROP INDEX remark",
    "CREATE UNIQUE INDEX remark ON oc_audit_log_default (id)",
    "CREATE VIEW remark AS SELECT seq FROM oc_audit_log; DROP VIEW remark",
    "CREATE TABLE remark (a integer); ALTER TABLE remark ADD COLUMN b text; DROP TABLE remark",
    "CREATE TEMP TABLE remark ON COMMIT DROP AS SELECT * FROM oc_audit_log",
    "GRANT SELECT ON oc_audit_log TO pg_monitor",
    "ALTER TABLE oc_audit_payload_default SET (autovacuum_enabled = true)",
    "COMMENT ON TABLE oc_audit_log IS 'remark'",
    "SELECT oc_ensure_partition(current_date + 300)",
  ])("let %s through", async (sql) => {
    expect(await attempt("oc_owner", sql)).toBeUndefined();
    expect(await attempt("a superuser in replica mode", sql)).toBeUndefined();
  });

  it("let a migration change what it must", async () => {
    expect(
      await attempt(
        "a superuser",
        `SET LOCAL countersign.migration = 'on'; DROP TRIGGER oc_refuse_row ON oc_audit_log`,
      ),
    ).toBeUndefined();
  });

  it("let entries be appended to a table with a new column and a new index", async () => {
    await inOwnDatabase(async (superuser) => {
      await superuser.query(
        "ALTER TABLE oc_audit_log ADD COLUMN remark text; CREATE INDEX remark ON oc_audit_log (remark)",
      );
      await createLedger(superuser, LEDGER);
      await appendActions(superuser, LEDGER, 0, 1);
      expect((await superuser.query("SELECT * FROM oc_guard.problems()")).rows).toEqual([]);
    });
  });
});

describe("guardReport", () => {
  it("knows the guards of this checkout's migrations: sql/guards.json", async () => {
    const committed = await readFile(new URL("../../sql/guards.json", import.meta.url), "utf8");
    const advice =
      "The guards have changed: run `node test/ledger/write-guards.ts` and review what it changes in sql/guards.json.";
    expect(JSON.parse(await describeGuards(client)), advice).toEqual(JSON.parse(committed));
  });

  it("finds the guards of a month that was added later, and of one that lacks them", async () => {
    await inOwnDatabase(async (superuser, ownPool) => {
      await superuser.query("SELECT oc_ensure_partition(current_date + 400)");
      expect((await guardReport(ownPool)).problems).toEqual([]);
      const { rows } = await superuser.query("SELECT to_char(current_date + 400, 'YYYY_MM') AS month");
      const object = `public.oc_audit_log_${rows[0].month}`;
      await superuser.query(`SET countersign.migration = 'on'; ALTER TABLE ${object} DISABLE TRIGGER oc_check_links`);
      const trigger = "CREATE TRIGGER oc_check_links AFTER INSERT ON public.oc_audit_log_<month>";
      expect((await guardReport(ownPool)).problems).toEqual([
        { object, problem: expect.stringContaining(`missing: trigger always ${trigger}`) },
        { object, problem: expect.stringContaining(`unexpected: trigger disabled ${trigger}`) },
      ]);
      expect((await superuser.query("SELECT * FROM oc_guard.problems()")).rows).toHaveLength(2);
    });
  });

  const WEAKENED: Readonly<Record<string, readonly [sql: string, object: string, problem: RegExp]>> = {
    "an event trigger dropped": ["DROP EVENT TRIGGER oc_guard_drop", "event trigger oc_guard_drop", /^missing: /],
    "an event trigger disabled": [
      "ALTER EVENT TRIGGER oc_guard_ddl DISABLE",
      "event trigger oc_guard_ddl",
      /^unexpected: event trigger disabled/,
    ],
    "an event trigger not for replicas": [
      "ALTER EVENT TRIGGER oc_guard_ddl ENABLE",
      "event trigger oc_guard_ddl",
      /not for replicas/,
    ],
    "all event triggers dropped": [
      "DROP EVENT TRIGGER oc_guard_ddl; DROP EVENT TRIGGER oc_guard_drop; DROP EVENT TRIGGER oc_guard_function; DROP EVENT TRIGGER oc_guard_rewrite",
      "event triggers",
      /a superuser has to create them/,
    ],
    "the reporting function replaced": [
      `CREATE OR REPLACE FUNCTION oc_guard.state() RETURNS TABLE (object text, class text, fact text, open boolean)
       LANGUAGE sql AS 'SELECT class, class, fact, open FROM oc_guard.baseline'`,
      "oc_guard.state()",
      /^unexpected: function sql owner superuser/,
    ],
    "the reporting function dropped": [
      "DROP FUNCTION oc_guard.tables() CASCADE",
      "oc_guard.tables()",
      /^missing: function sql/,
    ],
    "a guard changed and the baseline with it": [
      "CREATE OR REPLACE FUNCTION oc_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; SELECT oc_guard.record()",
      "public.oc_refuse_change()",
      /^unexpected: function plpgsql/,
    ],
    "a rule": [
      "CREATE RULE quiet AS ON INSERT TO oc_audit_log DO INSTEAD NOTHING",
      "public.oc_audit_log",
      /^unexpected: rule/,
    ],
    "an inheritance child": ["CREATE TABLE ghosts () INHERITS (oc_state)", "public.ghosts", /^unexpected: table owner/],
    "a table put in place of another": [
      "ALTER TABLE oc_audit_log RENAME TO aside; CREATE TABLE oc_audit_log (LIKE aside)",
      "public.oc_audit_log",
      /^missing: partitioned table/,
    ],
    "a new owner": ["ALTER TABLE oc_audit_payload OWNER TO oc_app", "public.oc_audit_payload", /owner oc_app/],
    "everything given to another owner, by the one command that fires no event trigger": [
      "REASSIGN OWNED BY oc_owner TO oc_app",
      "public.oc_audit_log",
      /^unexpected: partitioned table owner oc_app/,
    ],
    "a write right": [
      "GRANT INSERT ON oc_audit_log TO oc_app",
      "public.oc_audit_log",
      /^unexpected: grant INSERT to oc_app/,
    ],
    "a trigger skipped by replicas": [
      "ALTER TABLE oc_audit_log ENABLE TRIGGER oc_refuse_row",
      "public.oc_audit_log",
      /trigger not for replicas/,
    ],
    "a policy that hides an entry": [
      "CREATE POLICY hide ON oc_audit_log AS RESTRICTIVE TO oc_app USING (seq <> 5)",
      "public.oc_audit_log",
      /policy hide restrictive/,
    ],
    "a setting that skips triggers": [
      "ALTER ROLE ALL IN DATABASE %DB% SET session_replication_role = replica",
      "settings",
      /set session_replication_role=replica for everybody/,
    ],
    "a door left open": ["ALTER DATABASE %DB% SET countersign.migration = 'on'", "settings", /countersign.migration/],
  };
  it.each(Object.keys(WEAKENED))("reports %s", async (name) => {
    const [sql, object, problem] = WEAKENED[name]!;
    await inOwnDatabase(async (superuser, ownPool, own) => {
      await superuser.query(`SET countersign.migration = 'on'`);
      await superuser.query(sql.replaceAll("%DB%", own.name));
      const report = await guardReport(ownPool);
      expect(report.intact).toBe(false);
      expect(report.problems).toContainEqual({ object, problem: expect.stringMatching(problem) });
    });
  });

  it("prints a notice when no superuser migrated, and the migration succeeds", async () => {
    await inOwnDatabase(async (superuser, ownPool, own) => {
      const migration = await readFile(new URL("../../sql/000005_event_triggers.sql", import.meta.url), "utf8");
      const role = `migrator_${own.name}`;
      await superuser.query("SET countersign.migration = 'on'; DROP SCHEMA oc_guard CASCADE");
      await superuser.query(`CREATE ROLE ${role}; GRANT CREATE ON DATABASE ${own.name} TO ${role}; SET ROLE ${role}`);
      await superuser.query(migration);
      const report = await guardReport(ownPool);
      expect(report).toMatchObject({ intact: false, eventTriggers: false });
      expect(report.problems).toContainEqual({
        object: "event triggers",
        problem: expect.stringContaining("a superuser has to create them"),
      });
      await superuser.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    });
  });
});

it("guards the tables that the code knows as the ledger's", async () => {
  const { rows } = await client.query<{ names: readonly string[] }>("SELECT oc_guard.names() AS names");
  expect(rows[0]?.names).toEqual(LEDGER_TABLES);
});
