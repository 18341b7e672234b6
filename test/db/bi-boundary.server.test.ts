import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { migrate } from "../../src/db/migrate.ts";
import { keepReports } from "../../src/ledger/reporting/keep.ts";
import { guardReport } from "../../src/ledger/verify.ts";
import { countersign } from "../cli/run.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { silent } from "../support/log.ts";
import { createEmptyDatabase, type TestDatabase, withClient } from "../support/postgres.ts";

let database: TestDatabase;
let superuser: Client;
let folder: string;
const login = (organization: string) => `bi_${organization}_${database.name}`;
const PASSWORD = "of-a-tool-for-reports";

const biRole = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  countersign(["bi-role", ...args, "--database-url", database.superuserUrl], environment);
const createFor = (
  organization: string,
  { accepted = true, environment = {}, more = [] as readonly string[] } = {},
) => {
  const options = {
    "--organization": organization,
    "--login": login(organization),
    "--password-file": path.join(folder, "password"),
  };
  return biRole(
    ["create", ...Object.entries(options).flat(), ...(accepted ? ["--accepted"] : []), ...more],
    environment,
  );
};

function urlOf(name: string, password = PASSWORD): string {
  const url = new URL(database.superuserUrl);
  url.username = name;
  url.password = password;
  return url.href;
}

/** As the tool of an organization. */
const as = <Result>(organization: string, work: (client: Client) => Promise<Result>) =>
  withClient(urlOf(login(organization)), work);
const query = (organization: string, sql: string) =>
  as(organization, async (client) => (await client.query<Record<string, unknown>>(sql)).rows);

// What PostgreSQL grants on a database is not copied with it, so this one is migrated itself.
beforeAll(async () => {
  database = await createEmptyDatabase();
  await migrate({ connectionString: database.superuserUrl, log: silent });
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  folder = await mkdtemp(path.join(tmpdir(), "countersign-bi-"));
  await writeFile(path.join(folder, "password"), `${PASSWORD}\n`);
  for (const ledger of ["acme/eu", "globex/eu"]) await createLedger(superuser, ledger);
  await appendActions(superuser, "acme/eu", 0, 40);
  await appendActions(superuser, "globex/eu", 100, 110);
  await withClient(database.appUrl, async (client) => {
    await client.query("SET ROLE oc_app");
    while ((await keepReports(client)).more);
  });
  for (const organization of ["acme", "globex"]) expect(await createFor(organization)).toMatchObject({ code: 0 });
});

afterAll(async () => {
  for (const organization of ["acme", "globex"]) await biRole(["drop", "--login", login(organization)]);
  await superuser.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

const TABLES = ["dim_principal", "dim_platform", "dim_tool", "fact_action", "fact_decision"];
const VIEWS = ["actions", "decisions", "lineage_edges", "lineage_paths", "freshness"];

describe("a login of a BI tool", () => {
  it("reads the rows of its organization, and no others", async () => {
    for (const name of [...TABLES, "actions", "decisions", "freshness"]) {
      const sql = `SELECT DISTINCT organization FROM oc_bi.${name}`;
      expect(await query("acme", sql), name).toEqual([{ organization: "acme" }]);
      expect(await query("globex", sql), name).toEqual([{ organization: "globex" }]);
    }
    expect(await query("acme", "SELECT count(*)::integer AS n FROM oc_bi.fact_action")).toEqual([{ n: 40 }]);
    expect(await query("acme", "SELECT seq, entries_behind, problem FROM oc_bi.freshness")).toEqual([
      { seq: "201", entries_behind: "0", problem: null },
    ]);
  });

  it("is known by the name it logged in with, whatever it sets", async () => {
    await as("acme", async (client) => {
      for (const sql of [
        "SET row_security = off",
        "SET search_path = pg_temp, oc_bi, public",
        `SET "countersign.organization" = 'globex'`,
        "SET default_transaction_read_only = off",
        "SET statement_timeout = 0",
      ]) {
        await client.query(sql);
      }
      // With row_security off PostgreSQL refuses rather than leaving policies out.
      await expect(client.query("SELECT * FROM oc_bi.fact_action")).rejects.toMatchObject({ code: "42501" });
      await client.query("DISCARD ALL");
      const { rows } = await client.query(
        "SELECT count(*)::integer AS n FROM oc_bi.fact_action WHERE organization = 'globex'",
      );
      expect(rows).toEqual([{ n: 0 }]);
    });
  });

  it.each([
    "SET ROLE oc_bi",
    "SET ROLE oc_owner",
    "SET ROLE oc_app",
    "SET ROLE oc_auditor",
    "SET SESSION AUTHORIZATION oc_owner",
    "SELECT * FROM oc_audit_log",
    "SELECT * FROM oc_audit_payload",
    "SELECT * FROM oc_state",
    "SELECT * FROM oc_ledger_head",
    "SELECT * FROM oc_bi_access",
    "INSERT INTO oc_bi_access VALUES (current_user, 'globex')",
    "SELECT * FROM oc_work.bi_position",
    "SELECT * FROM oc_work.read_fingerprints",
    "INSERT INTO oc_bi.dim_platform SELECT * FROM oc_bi.dim_platform",
    "UPDATE oc_bi.fact_action SET status = 'DENIED'",
    "DELETE FROM oc_bi.fact_decision",
    "TRUNCATE oc_bi.fact_decision",
    "MERGE INTO oc_bi.fact_action t USING oc_bi.fact_action s ON t.action_id = s.action_id WHEN MATCHED THEN DELETE",
    "SELECT * FROM oc_bi.fact_action FOR UPDATE",
    "BEGIN; LOCK TABLE oc_bi.fact_action IN ACCESS EXCLUSIVE MODE",
    "DELETE FROM oc_bi.actions",
    "ALTER TABLE oc_bi.fact_action DISABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON oc_bi.fact_action USING (true)",
    "CREATE FUNCTION oc_bi.mine() RETURNS text LANGUAGE sql RETURN 'x'",
    "CREATE TABLE oc_bi.mine (one text)",
    "CREATE TEMPORARY TABLE mine (one text)",
    "CREATE SCHEMA mine",
    "SELECT lo_create(0)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/x')",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "COPY oc_bi.fact_action TO PROGRAM 'cat'",
    "COPY oc_bi.fact_action TO '/x'",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_notify('x', 'y')",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_authid",
    "GRANT oc_bi TO oc_auditor",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "REFRESH MATERIALIZED VIEW oc_bi.actions",
    "SET temp_file_limit = -1",
  ])("is refused: %s", async (sql) => {
    await expect(query("acme", sql)).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|0A000|55000|42809)$/),
    });
  });

  it("sees no statements of others", async () => {
    await as("globex", async (other) => {
      const { rows } = await other.query("SELECT 'a secret of globex', pg_backend_pid() AS pid");
      const seen = await query("acme", `SELECT query FROM pg_stat_activity WHERE pid = ${rows[0].pid}`);
      expect(seen).toEqual([{ query: "<insufficient privilege>" }]);
      await expect(query("acme", `SELECT pg_terminate_backend(${rows[0].pid})`)).rejects.toMatchObject({
        code: "42501",
      });
    });
  });

  it("learns nothing of other organizations from a plan", async () => {
    const plans = async () => {
      await superuser.query("VACUUM oc_bi.fact_action");
      await superuser.query("ANALYZE");
      const found: string[] = [];
      for (const sql of [
        "SELECT * FROM oc_bi.fact_action WHERE effect = 'WRITE'",
        "SELECT * FROM oc_bi.dim_tool WHERE tool = 'book_reservation'",
        "SELECT * FROM oc_bi.fact_action WHERE policy_rule = 'writes-one-approver' AND client = 'claude-code'",
      ]) {
        const rows = await query("acme", `EXPLAIN ${sql}`);
        found.push(rows.map((row) => /rows=\d+/.exec(String(row["QUERY PLAN"]))?.[0]).join());
      }
      return found;
    };
    const before = await plans();
    // Values of others change, and not how many rows there are.
    await superuser.query(
      "UPDATE oc_bi.fact_action SET effect = 'READ', policy_rule = 'other', client = 'other' WHERE organization = 'globex'",
    );
    expect(await plans()).toEqual(before);
    expect(await query("acme", "SELECT * FROM pg_stats WHERE schemaname = 'oc_bi'")).toEqual([]);
  });

  it("a leaky function sees rows of its organization alone", async () => {
    await superuser.query(
      "CREATE FUNCTION public.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'; GRANT EXECUTE ON FUNCTION public.leak(text) TO PUBLIC",
    );
    for (const name of [...TABLES, ...VIEWS]) {
      await as("acme", async (client) => {
        const seen: (string | undefined)[] = [];
        client.on("notice", ({ message }) => seen.push(message));
        await client.query(`SELECT organization FROM oc_bi.${name} WHERE public.leak(organization)`);
        expect(
          seen.filter((organization) => organization !== "acme"),
          name,
        ).toEqual([]);
      });
    }
    await superuser.query("DROP FUNCTION public.leak(text)");
  });
});

describe("countersign bi-role", () => {
  const accepted = () => ({
    "public.oc_bi_access": ["acme", "globex"].map((of) => `unexpected: row ${login(of)} reads ${of}`),
  });

  it("makes logins that verification knows of, and does not where it would not know of them", async () => {
    const refused = await createFor("acme", { accepted: false });
    expect(refused).toMatchObject({ code: exitCodes.USAGE, stdout: "" });
    expect(refused.stderr).toContain(`{"public.oc_bi_access":["unexpected: row ${login("acme")} reads acme"]}`);
    const file = path.join(folder, "exceptions.json");
    await writeFile(file, JSON.stringify(accepted()));
    const again = await createFor("acme", { accepted: false, environment: { GUARD_EXCEPTIONS: file } });
    expect(again.stderr).toBe("");
    expect(again.stdout).toMatch(/has this password now, and reads schema oc_bi of acme: host .* database test_/);
    const pool = new Pool({ connectionString: database.superuserUrl });
    try {
      expect(await guardReport(pool, accepted())).toMatchObject({ intact: true, problems: [] });
    } finally {
      await pool.end();
    }
  });

  it("gives a login that has nothing else, connections that are few, and a password that no log has", async () => {
    const { rows } = await superuser.query(
      `SELECT rolconnlimit, rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS powers,
              (SELECT json_agg(json_build_array(m.roleid::regrole::text, m.admin_option, m.inherit_option, m.set_option)) FROM pg_auth_members m
                WHERE m.member = a.oid) AS memberships, left(rolpassword, 18) AS password
         FROM pg_authid a WHERE rolname = $1`,
      [login("acme")],
    );
    expect(rows).toEqual([
      {
        rolconnlimit: 10,
        rolcanlogin: true,
        powers: false,
        memberships: [["oc_bi", false, true, false]],
        password: "SCRAM-SHA-256$4096",
      },
    ]);
    expect(await query("acme", "SHOW temp_file_limit")).toEqual([{ temp_file_limit: "1GB" }]);
    const client = new Client({ connectionString: urlOf(login("acme"), "of-another-tool-for-reports") });
    await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
  });

  it("changes the password and the number of connections when it is run again", async () => {
    await writeFile(path.join(folder, "password"), "another-password-of-a-tool\n");
    expect(await createFor("globex", { more: ["--connections", "1"] })).toMatchObject({ code: 0 });
    await withClient(urlOf(login("globex"), "another-password-of-a-tool"), async () => {
      const second = new Client({ connectionString: urlOf(login("globex"), "another-password-of-a-tool") });
      await expect(second.connect()).rejects.toMatchObject({ code: "53300" });
    });
    await writeFile(path.join(folder, "password"), `${PASSWORD}\n`);
    expect(await createFor("globex")).toMatchObject({ code: 0 });
  });

  it("leaves other roles, and logins of other organizations, as they are", async () => {
    const options = (name: string) => [
      "--login",
      name,
      "--organization",
      "acme",
      "--password-file",
      path.join(folder, "password"),
    ];
    const other = await biRole(["create", "--accepted", ...options(login("globex"))]);
    expect(other).toMatchObject({ code: exitCodes.USAGE });
    expect(other.stderr).toContain("reads for globex");
    for (const name of ["oc_app", "pg_monitor", "Mixed", "a b", "x; DROP ROLE y"]) {
      expect(await biRole(["create", "--accepted", ...options(name)]), name).toMatchObject({ code: exitCodes.USAGE });
    }
    const mine = `mine_${database.name}`;
    await superuser.query(`CREATE ROLE ${mine} LOGIN`);
    try {
      expect(await biRole(["create", "--accepted", ...options(mine)])).toMatchObject({ code: exitCodes.USAGE });
      expect(await biRole(["drop", "--login", mine])).toMatchObject({ code: exitCodes.USAGE });
      const { rows } = await superuser.query("SELECT rolpassword FROM pg_authid WHERE rolname = $1", [mine]);
      expect(rows).toEqual([{ rolpassword: null }]);
    } finally {
      await superuser.query(`DROP ROLE ${mine}`);
    }
  });

  it("does not give a login what one of its name read that was dropped by hand", async () => {
    const gone = `gone_${database.name}`;
    const options = ["--login", gone, "--password-file", path.join(folder, "password")];
    const createAs = (of: string) => biRole(["create", "--accepted", "--organization", of, ...options]);
    const rolesNow = () => superuser.query("SELECT rolname FROM pg_roles WHERE rolname = $1", [gone]);
    expect(await createAs("globex")).toMatchObject({ code: 0 });
    await superuser.query(`DROP ROLE ${gone}`);
    try {
      const refused = await createAs("acme");
      expect(refused).toMatchObject({ code: exitCodes.USAGE });
      expect(refused.stderr).toContain(`would read for globex: use another name, or run countersign bi-role drop`);
      expect((await rolesNow()).rows).toEqual([]);
      expect(await biRole(["drop", "--login", gone])).toMatchObject({ code: 0 });
      expect(await createAs("acme")).toMatchObject({ code: 0 });
      const { rows } = await superuser.query("SELECT organization FROM oc_bi_access WHERE role_name = $1", [gone]);
      expect(rows).toEqual([{ organization: "acme" }]);
    } finally {
      await biRole(["drop", "--login", gone]);
    }
  });

  it.each(["short", "with spaces in between", "größer-als-sechzehn", "two-lines-of-it-1\ntwo-lines-of-it-2"])(
    "does not take the password %j",
    async (text) => {
      await writeFile(path.join(folder, "bad"), text);
      const args = ["create", "--accepted", "--organization", "acme", "--password-file", path.join(folder, "bad")];
      const { code, stderr } = await biRole(args);
      expect(code).toBe(exitCodes.USAGE);
      expect(stderr).not.toContain(text);
    },
  );
});

describe("the dictionary", () => {
  it("describes every column in a text that drivers show, and names the keys that there are", async () => {
    const rows = await query("acme", "SELECT * FROM oc_bi.dictionary");
    expect(rows.length).toBeGreaterThan(150);
    for (const { object, column_name: column, description, object_description: about } of rows) {
      expect(String(description).length, `${object}.${column}`).toBeGreaterThan(9);
      expect(about, String(object)).not.toBeNull();
    }
    const { rows: said } = await superuser.query(
      `SELECT d.object, d.column_name, d.joins, substring(d.description FROM 'Joins ([a-z_]+[.][a-z_]+)') AS described
         FROM oc_bi.dictionary d WHERE d.object_kind = 'TABLE' AND d.key = 'FOREIGN KEY'`,
    );
    expect(said.length).toBeGreaterThanOrEqual(13);
    for (const { joins, described } of said) expect(described).toBe(joins);
    const keyless = await query(
      "acme",
      "SELECT object FROM oc_bi.dictionary WHERE object_kind = 'TABLE' GROUP BY 1 HAVING count(*) FILTER (WHERE key = 'PRIMARY KEY') <> 1",
    );
    expect(keyless).toEqual([]);
    const joins = await query(
      "acme",
      "SELECT joins FROM oc_bi.dictionary j WHERE joins IS NOT NULL AND NOT EXISTS (SELECT FROM oc_bi.dictionary d WHERE d.object || '.' || d.column_name = j.joins)",
    );
    expect(joins).toEqual([]);
  });

  it("has types that drivers show well, and a version", async () => {
    const types = await query("acme", "SELECT DISTINCT data_type FROM oc_bi.dictionary ORDER BY 1");
    for (const { data_type: type } of types) {
      expect(type).toMatch(
        /^(character varying\(([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\)|bigint|integer|smallint|numeric\(14,3\)|timestamp without time zone)$/,
      );
    }
    expect(
      await query(
        "acme",
        "SELECT column_name FROM oc_bi.dictionary WHERE (data_type LIKE 'timestamp%') <> (column_name LIKE '%\\_utc')",
      ),
    ).toEqual([]);
    expect(await query("acme", "SELECT version FROM oc_bi.version")).toEqual([{ version: 1 }]);
  });
});
