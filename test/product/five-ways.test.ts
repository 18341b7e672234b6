import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

/*
 * Five ways in which somebody with the rights of a superuser once changed what the product decided or reported, and verification
 * said INTACT. By HTTP and SQL alone, so that this file shows the same of any version of the product.
 */

const READ = { platform: "crm", tool: "get_user_details" };
const WRITE = { platform: "reservations", tool: "cancel_reservation" };

let database: TestDatabase;
let app: App;
let apps: App[] = [];

async function start(dataDir?: string, environment: Readonly<Record<string, string>> = {}): Promise<App> {
  const options = { databaseUrl: database.appUrl, environment, ...(dataDir === undefined ? {} : { dataDir }) };
  const started = await startApp(options);
  apps.push(started);
  return started;
}

beforeEach(async () => {
  database = await createTestDatabase();
  app = await start();
});
afterEach(async () => {
  await Promise.all(apps.map((one) => one.stop()));
  await Promise.all(apps.map(forget));
  apps = [];
  await database.drop();
});

/** By a superuser who takes the triggers off and puts them back. */
async function tamper(...statements: readonly string[]): Promise<void> {
  await withClient(database.superuserUrl, async (client) => {
    await client.query("BEGIN; SET LOCAL allow_system_table_mods = on");
    await client.query(
      "UPDATE pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'D'",
    );
    for (const statement of statements) await client.query(statement);
    await client.query(
      "UPDATE pg_trigger SET tgenabled = 'A' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'A'",
    );
    await client.query("COMMIT");
  });
}

interface Acted {
  readonly action: {
    readonly id: string;
    readonly uuid: string;
    readonly digest: string;
    readonly status: string;
  } | null;
  readonly grant?: { readonly token: string } | null;
  readonly entry?: { readonly seq: string } | null;
  readonly userErrors: readonly { readonly code: string }[];
}
const ACTION = "action{id uuid digest status}";

async function call(as: DemoName, mutation: string, input: object, select = ACTION, on = app) {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation($input:${type}!){${mutation}(input:$input){${select} userErrors{code}}}`;
  const { data, errors } = await on.gql<Readonly<Record<string, Acted>>>(query, { input }, as);
  const payload = data?.[mutation];
  return { payload, code: errors?.[0]?.extensions?.code ?? payload?.userErrors[0]?.code ?? "succeeded" };
}
async function propose(tool = WRITE, on = app) {
  const input = { idempotencyKey: randomUUID(), arguments: { reservation_id: randomUUID() }, ...tool };
  const { payload, code } = await call("agent", "proposeAction", input, `${ACTION} grant{token} entry{seq}`, on);
  if (payload?.action === undefined || payload.action === null) throw new Error(`nothing was proposed: ${code}`);
  return { ...payload.action, token: payload.grant?.token ?? "", entry: Number(payload.entry?.seq) };
}
type Action = Awaited<ReturnType<typeof propose>>;

const approve = ({ id, digest }: Action, as: DemoName = "approver") =>
  call(as, "approveAction", { actionId: id, digest });
const deny = ({ id, digest }: Action) => call("approver", "denyAction", { actionId: id, digest, note: "no" });
const redeem = ({ token, digest }: Action) => call("agent", "redeemGrant", { token, digest });
async function claim(action: Action): Promise<{ readonly claimed: Action; readonly code: string }> {
  const { payload, code } = await call("agent", "claimGrant", { actionId: action.id }, "grant{token}");
  return { claimed: { ...action, token: payload?.grant?.token ?? "" }, code };
}

/** Keeps all states as they are now; the function returned puts them back. */
async function keepStates(): Promise<() => Promise<void>> {
  await tamper("CREATE SCHEMA aside", "CREATE TABLE aside.state AS SELECT * FROM oc_state");
  return () =>
    tamper("DELETE FROM oc_state", "INSERT INTO oc_state SELECT * FROM aside.state", "DROP SCHEMA aside CASCADE");
}

async function verdictOfApi(on = app): Promise<string> {
  const { data, errors } = await on.gql<{ verifyLedger: { verdict: string } }>(
    "{verifyLedger{verdict}}",
    {},
    "auditor",
  );
  return data?.verifyLedger.verdict ?? errors?.[0]?.extensions?.code ?? "no verdict";
}

async function countersign(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ["src/cli/main.ts", ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [stdout] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return stdout;
}

/** Of `countersign verify`, which reads the database itself, with the keys and heads of the server. */
async function verdictOfCommand(): Promise<string> {
  const args = ["verify", "--database-url", database.superuserUrl, "--data-dir", app.dataDir, "--json"];
  return (JSON.parse(await countersign(...args)) as { verdict: string }).verdict;
}

async function expectFound(): Promise<void> {
  expect(await verdictOfApi()).not.toBe("INTACT");
  expect(await verdictOfCommand()).not.toBe("INTACT");
}

describe("1. State that no entry made", () => {
  it("PENDING to APPROVED: nothing is carried out that nobody approved", async () => {
    const action = await propose();
    await tamper(
      `UPDATE oc_state SET status = 'APPROVED', expires_at = NULL,
              state = '{"status":"APPROVED","approvals":1,"grant":{"expiresAt":"2099-01-01T00:00:00.000000Z"}}' WHERE id = '${action.uuid}'`,
    );
    const { claimed } = await claim(action);
    expect((await redeem(claimed)).code).not.toBe("succeeded");
    await expectFound();
  });

  it("EXECUTING to APPROVED: a grant is redeemed once", async () => {
    const action = await propose();
    await approve(action);
    const { claimed } = await claim(action);
    const putBack = await keepStates();
    expect((await redeem(claimed)).code).toBe("succeeded");
    await putBack();
    expect((await redeem(claimed)).code).not.toBe("succeeded");
    await expectFound();
  });

  it("DENIED to PENDING: what was denied is not approved", async () => {
    const action = await propose();
    const putBack = await keepStates();
    expect((await deny(action)).code).toBe("succeeded");
    await putBack();
    expect((await approve(action)).code).not.toBe("succeeded");
    await expectFound();
  });

  it("a deadline moved ten years: nothing is approved after it", async () => {
    const action = await propose();
    await tamper(
      `UPDATE oc_state SET expires_at = expires_at + interval '10 years',
              state = jsonb_set(state, '{expiresAt}', to_jsonb(to_char(expires_at + interval '10 years', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
        WHERE id = '${action.uuid}'`,
    );
    expect((await approve(action)).code).not.toBe("succeeded");
    await expectFound();
  });

  it("a suspended principal reinstated: it stays suspended", async () => {
    const action = await propose();
    const suspended = await call(
      "admin",
      "suspendPrincipal",
      { principalId: "approver2", reason: "left" },
      "__typename",
    );
    expect(suspended.code).toBe("succeeded");
    await tamper(
      `UPDATE oc_state SET state = jsonb_set(state, '{suspended}', 'false') WHERE kind = 'PRINCIPAL' AND id = 'approver2'`,
    );
    app = await start(app.dataDir);
    expect((await approve(action, "approver2")).code).not.toBe("succeeded");
    await expectFound();
  });
});

describe("2. Evidence washed out", () => {
  it("heads that contradict a cut ledger are kept, whatever is appended to it", { timeout: 300_000 }, async () => {
    const { dataDir } = app;
    const file = path.join(dataDir, "heads", "acme__eu.json");
    const heads = async () => {
      interface Head {
        readonly seq: string;
      }
      const { head, earlier } = JSON.parse(await readFile(file, "utf8")) as { head: Head; earlier: readonly Head[] };
      return [...earlier, head].map(({ seq }) => Number(seq));
    };
    const known = async () => Math.max(...(await heads()));
    for (let last = 0; last < 16; ) {
      last = (await propose(READ)).entry;
      await waitUntil(async () => existsSync(file) && (await known()) >= last);
    }
    await app.stop();
    const end = await known();
    const left = end - 5;
    await tamper(
      `DELETE FROM oc_audit_payload WHERE ledger = 'acme/eu' AND seq > ${left}`,
      `DELETE FROM oc_state WHERE ledger = 'acme/eu' AND updated_seq > ${left}`,
      `DELETE FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq > ${left}`,
      `UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at
         FROM oc_audit_log e WHERE h.ledger = 'acme/eu' AND e.ledger = h.ledger AND e.seq = ${left}`,
    );
    // Several servers note more heads in a second; they go on whatever they find.
    const servers = await Promise.all([1, 2, 3, 4].map(() => start(dataDir, { WATCH_ACTION: "alarm" })));
    app = servers[0]!;
    expect(await verdictOfApi()).toMatch(/ROLLED_BACK|TRUNCATED/);
    // What is no further than the furthest known head is not noted.
    for (let times = 0; times < 6; times++) await propose(READ);
    const isWashedOut = async () => !(await heads()).some((seq) => left < seq && seq <= end);
    let last = end;
    await Promise.all(
      servers.map(async (server) => {
        while (last < end + 200 && !(await isWashedOut())) {
          const { entry } = await propose(READ, server);
          last = Math.max(last, entry);
          await waitUntil(async () => (await known()) >= entry);
        }
      }),
    );
    await expectFound();
    await Promise.all(servers.map((server) => server.stop()));
    app = await start(dataDir);
    await expectFound();
  });
});

/** Views that show everything in its place, and a reporter of the guards that looks at them. */
const LIES = `
  CREATE SCHEMA lies;
  CREATE VIEW lies.pg_class AS SELECT * FROM pg_catalog.pg_class;
  CREATE VIEW lies.pg_trigger AS SELECT oid, tgrelid, tgname, 'A'::"char" AS tgenabled, tgisinternal FROM pg_catalog.pg_trigger;
  CREATE VIEW lies.pg_event_trigger AS SELECT oid, evtname, evtevent, evtowner, evtfoid, 'A'::"char" AS evtenabled, evttags FROM pg_catalog.pg_event_trigger;
  DO $$ BEGIN EXECUTE 'CREATE VIEW lies.pg_proc AS SELECT oid, ' || (
    SELECT string_agg(CASE attname WHEN 'proconfig' THEN
             'CASE WHEN proname = ''state'' THEN array_replace(proconfig, ''search_path=lies, pg_catalog, pg_temp'', ''search_path=pg_catalog, pg_temp'') ELSE proconfig END AS proconfig'
           ELSE attname::text END, ', ')
      FROM pg_attribute WHERE attrelid = 'pg_proc'::regclass AND attnum > 0 AND attname <> 'oid') || ' FROM pg_catalog.pg_proc'; END $$;
  GRANT USAGE ON SCHEMA lies TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA lies TO PUBLIC;
  ALTER FUNCTION oc_guard.state() SET search_path = lies, pg_catalog, pg_temp`;

describe("3. Verification inside what is being verified", () => {
  it("guards are not reported by functions that were changed", async () => {
    await propose();
    await withClient(database.superuserUrl, async (client) => {
      await client.query("SET event_triggers = off");
      await client.query(LIES);
      await client.query(
        "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'md5_bytea'",
      );
      const { rows } = await client.query<{ name: string }>(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relname ~ '^oc_(audit_|ledger_|state)' AND relkind IN ('r', 'p')",
      );
      for (const { name } of rows) await client.query(`ALTER TABLE ${name} DISABLE TRIGGER ALL`);
      await client.query(
        "DELETE FROM oc_audit_log WHERE seq < 0; DELETE FROM oc_ledger_head WHERE seq < 0; DROP VIEW oc_report_lineage",
      );
    });
    await expectFound();
  });
});

describe("4. Payloads read without their commitments", () => {
  it("nothing is approved by arguments that were changed", async () => {
    const action = await propose();
    await withClient(database.superuserUrl, (client) =>
      client.query(
        `UPDATE oc_audit_payload SET payload = replace(payload::text, '"reservation_id":"', '"reservation_id":"8C8K4E')::json`,
      ),
    );
    const read = await app.gql<{ action: { arguments: object } }>(
      "query($id:ID!){action(id:$id){arguments}}",
      { id: action.id },
      "approver",
    );
    expect(JSON.stringify(read)).not.toContain("8C8K4E");
    expect((await approve(action)).code).not.toBe("succeeded");
  });

  it("nothing is approved by arguments that are not there", async () => {
    const action = await propose();
    await withClient(database.superuserUrl, (client) =>
      client.query("DELETE FROM oc_audit_payload WHERE ledger = 'acme/eu'"),
    );
    expect((await approve(action)).code).not.toBe("succeeded");
  });
});

describe("5. Destruction that looks like lawful erasure", () => {
  it("values that nobody ordered to be erased are reported", async () => {
    await propose();
    await withClient(database.superuserUrl, (client) => client.query("TRUNCATE oc_audit_payload"));
    await expectFound();
  });
});
