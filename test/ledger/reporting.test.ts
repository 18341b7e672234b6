import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/facts/hash.ts";
import { deriveAgain, keepReports, reportsBehind, reportsOf } from "../../src/ledger/reporting/keep.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { appendActions, createLedger, uuid } from "./verify.fixture.ts";

let database: TestDatabase;
let superuser: Client;
let servers: Client[];

async function connectServer(): Promise<Client> {
  const client = new Client({ connectionString: database.appUrl });
  client.on("error", () => undefined);
  await client.connect();
  await client.query("SET ROLE oc_app");
  return client;
}

beforeAll(async () => {
  database = await createTestDatabase();
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  servers = await Promise.all([1, 2, 3].map(connectServer));
});
afterAll(async () => {
  for (const client of [...servers, superuser]) await client.end().catch(() => undefined);
  await database?.drop();
});

/** Runs until nothing is left. Returns what was found not to be readable. */
async function keepAll(client: Client) {
  for (const stopped: string[] = []; ; ) {
    const kept = await keepReports(client);
    stopped.push(...kept.stopped.map(({ ledger, problem }) => `${ledger}: ${problem}`));
    if (!kept.more) return stopped;
  }
}

const TABLES = ["dim_principal", "dim_platform", "dim_tool", "fact_action", "fact_decision", "fact_lineage_edge"];

/** All rows of an organization, as one text each. */
async function rowsOf(organization: string): Promise<Record<string, readonly string[]>> {
  const found: Record<string, readonly string[]> = {};
  for (const table of TABLES) {
    const { rows } = await superuser.query<{ row: string }>(
      `SELECT to_jsonb(t)::text AS row FROM oc_bi.${table} t WHERE organization = $1 ORDER BY 1`,
      [organization],
    );
    found[table] = rows.map(({ row }) => row);
  }
  return found;
}

/** Changes entries as a superuser can. */
async function forge(sql: string, values: readonly string[]): Promise<void> {
  await withClient(database.superuserUrl, async (client) => {
    await client.query("BEGIN; SET LOCAL event_triggers = off");
    const { rows } = await client.query<{ part: string }>(
      "SELECT 'oc_audit_log' AS part UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass",
    );
    for (const { part } of rows) await client.query(`ALTER TABLE ONLY ${part} DISABLE TRIGGER ALL`);
    const { rowCount } = await client.query(sql, [...values]);
    expect(rowCount).toBe(1);
    for (const { part } of rows) await client.query(`SELECT oc_always('${part}')`);
    await client.query("COMMIT");
  });
}

const one = async (sql: string, ...values: unknown[]) => (await superuser.query(sql, values)).rows[0];

describe("the tables for BI tools", () => {
  it("have what entries say of actions and decisions", async () => {
    await createLedger(superuser, "acme/eu");
    await appendActions(superuser, "acme/eu", 0, 90);
    expect(await keepAll(servers[0]!)).toEqual([]);
    expect(await one("SELECT count(*)::integer AS n FROM oc_bi.fact_action")).toEqual({ n: 90 });
    const action = await one(
      `SELECT a.*, d.seconds_since_proposed, d.kind, d.verdict, d.channel, d.assurance, d.decision_key, b.principal_id AS by, g.principal_id AS agent,
              p.principal_id AS person, t.tool, f.platform, encode(e.hash, 'hex') AS approval_hash
         FROM oc_bi.fact_action a JOIN oc_bi.fact_decision d USING (action_id)
         JOIN oc_bi.dim_principal b ON b.principal_key = d.decided_by_key JOIN oc_bi.dim_principal g ON g.principal_key = a.agent_key
         JOIN oc_bi.dim_principal p ON p.principal_key = a.on_behalf_of_key JOIN oc_bi.dim_tool t USING (tool_key)
         JOIN oc_bi.dim_platform f ON f.platform_key = a.platform_key
         JOIN oc_audit_log e ON e.ledger = 'acme/eu' AND e.seq = d.seq
        WHERE a.action_id = $1`,
      uuid("action", 5),
    );
    expect(action).toMatchObject({
      organization: "acme",
      ledger_region: "eu",
      status: "SUCCEEDED",
      approvals: "1",
      approvals_needed: "1",
      effect: "WRITE",
      client: "claude-code",
      latency_ms: "1234",
      policy_rule: "writes-one-approver",
      kind: "APPROVAL",
      verdict: "APPROVE",
      channel: "API",
      assurance: "SESSION",
      by: "approver",
      agent: "agent-1",
      person: "member",
      platform: "reservations",
      tool: "book_reservation",
      chain_id: uuid("chain", 1),
      source_chain_id: uuid("chain", 0),
    });
    expect(action.decision_key).toBe(action.approval_hash);
    expect(Number(action.decision_seconds)).toBe(Number(action.seconds_since_proposed));
    expect(action.decided_utc.getTime()).toBeGreaterThan(0);
  });

  it("have nothing that is erasable", async () => {
    const rows = JSON.stringify(await rowsOf("acme"));
    // Of profiles, arguments, requests, notes and results of the fixture.
    for (const text of ["Ada", "@acme.example", "mia_li", "cheapest", "HAT136", "fine by me", "confirmed"]) {
      expect(rows).not.toContain(text);
    }
  });

  it("are the same from any number of servers, some of which are killed", async () => {
    await createLedger(superuser, "globex/eu");
    await appendActions(superuser, "globex/eu", 1_000, 1_400);
    let killed = 0;
    for (let more = true; more; ) {
      const victim = await connectServer();
      const { rows } = await victim.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const runs = [victim, ...servers].map((client) => keepReports(client).catch(() => undefined));
      await superuser.query("SELECT pg_terminate_backend($1)", [rows[0]!.pid]);
      const kept = await Promise.all(runs);
      killed += kept[0] === undefined ? 1 : 0;
      await victim.end().catch(() => undefined);
      more = kept.some((one) => one?.more !== false);
    }
    expect(killed).toBeGreaterThan(0);
    const together = await rowsOf("globex");
    expect(together.fact_action).toHaveLength(400);
    expect(together.fact_decision).toHaveLength(400);
    const [before] = [await rowsOf("acme")];
    await deriveAgain(superuser, "globex/eu");
    await keepAll(servers[0]!);
    expect(await rowsOf("globex")).toEqual(together);
    expect(await rowsOf("acme")).toEqual(before);
  });

  it("say while they are derived again that they are not complete", async () => {
    const whole = await rowsOf("acme");
    const countOf = (rows: Record<string, readonly string[]>) => Object.values(rows).flat().length;
    const freshness = async () => {
      const [report] = await reportsOf(servers[0]!, "acme/eu");
      return BigInt(report!.last) - BigInt(report!.seq);
    };
    const ways = {
      "a person says so": () => deriveAgain(superuser, "acme/eu"),
      // As servers of a later derivation find it.
      "the derivation is another one": () =>
        superuser.query("UPDATE oc_work.bi_position SET format = 0 WHERE ledger = 'acme/eu'"),
    };
    for (const [way, again] of Object.entries(ways)) {
      await again();
      const halves: bigint[] = [];
      for (let more = true; more; ) {
        ({ more } = await keepReports(servers[0]!));
        if (countOf(await rowsOf("acme")) < countOf(whole)) halves.push(await freshness());
      }
      expect(halves.length, way).toBeGreaterThan(2);
      expect(halves, way).not.toContain(0n);
      expect(await rowsOf("acme"), way).toEqual(whole);
      expect(await freshness(), way).toBe(0n);
    }
    await deriveAgain(superuser, "acme/eu");
    expect(await reportsOf(servers[0]!, "acme/eu")).toMatchObject([{ seq: "0", problem: null }]);
    expect(
      await one("SELECT seq, hash, recorded_at, problem FROM oc_work.bi_position WHERE ledger = 'acme/eu'"),
    ).toEqual({ seq: "0", hash: null, recorded_at: null, problem: null });
    await keepAll(servers[0]!);
  });

  it("are derived again however many agents people are responsible for", async () => {
    await createLedger(superuser, "owned/eu");
    await appendActions(superuser, "owned/eu", 4_000, 4_001);
    await keepAll(servers[0]!);
    const derived = await rowsOf("owned");
    // More than are deleted at a time, people before what is theirs, and one agent that has another one.
    await superuser.query(`
      INSERT INTO oc_bi.dim_principal (principal_key, organization, ledger_region, principal_id, kind, owner_key, first_seen_utc, last_seen_utc)
      SELECT format('%s-%s', k.kind, n), 'owned', 'eu', n, k.kind, CASE k.kind WHEN 'AGENT' THEN format('HUMAN-%s', n) END, now(), now()
        FROM (VALUES (1, 'HUMAN'), (2, 'AGENT')) k (at, kind) CROSS JOIN generate_series(1, 4500) n ORDER BY k.at, n`);
    await superuser.query("UPDATE oc_bi.dim_principal SET owner_key = 'AGENT-4500' WHERE principal_key = 'AGENT-1'");
    await deriveAgain(superuser, "owned/eu");
    expect(await keepAll(servers[0]!)).toEqual([]);
    expect(await rowsOf("owned")).toEqual(derived);
  });

  it("stop with a ledger that is damaged, say so, and go on with others and after it was restored", async () => {
    await createLedger(superuser, "hurt/eu");
    await createLedger(superuser, "sound/eu");
    await appendActions(superuser, "hurt/eu", 2_000, 2_002);
    await appendActions(superuser, "sound/eu", 2_100, 2_102);
    const change = `UPDATE oc_audit_log SET entry = replace(entry, $1, $2), hash = sha256(convert_to(replace(entry, $1, $2), 'UTF8'))
                     WHERE ledger = 'hurt/eu' AND seq = 4`;
    await forge(change, ['"approvers"', '"approverz"']);
    expect(await keepAll(servers[0]!)).toEqual(["hurt/eu: entry 5 does not follow entry 4"]);
    expect((await rowsOf("sound")).fact_action).toHaveLength(2);
    expect((await rowsOf("hurt")).fact_action).toEqual([]);
    // Once, not with each run.
    expect(await keepAll(servers[1]!)).toEqual([]);
    expect(await reportsBehind(servers[0]!)).toEqual({ entries: 11, stopped: 1 });
    expect(await reportsOf(servers[0]!, "hurt/eu")).toEqual([
      { ledger: "hurt/eu", seq: "0", last: "11", problem: "entry 5 does not follow entry 4" },
    ]);

    await forge(change, ['"approverz"', '"approvers"']);
    await superuser.query("UPDATE oc_work.bi_position SET tried_at = tried_at - interval '2 minutes'");
    expect(await keepAll(servers[0]!)).toEqual([]);
    expect((await rowsOf("hurt")).fact_action).toHaveLength(2);
    expect(await reportsBehind(servers[0]!)).toEqual({ entries: 0, stopped: 0 });
  });

  it("do not believe a text that was changed without its hash, nor a row of theirs that is missing", async () => {
    await createLedger(superuser, "torn/eu");
    await appendActions(superuser, "torn/eu", 3_000, 3_001);
    await keepAll(servers[0]!);
    await appendActions(superuser, "torn/eu", 3_001, 3_002);
    // As if the row of the action had been deleted by hand.
    await superuser.query(
      "UPDATE oc_work.bi_position SET seq = 8, hash = (SELECT hash FROM oc_audit_log WHERE ledger = 'torn/eu' AND seq = 8) WHERE ledger = 'torn/eu'",
    );
    expect(await keepAll(servers[0]!)).toEqual([
      "torn/eu: an entry is about an action or a principal that no earlier entry names",
    ]);
    await deriveAgain(superuser, "torn/eu");
    expect(await keepAll(servers[0]!)).toEqual([]);
    expect((await rowsOf("torn")).fact_action).toHaveLength(2);
  });

  it("leave a ledger to the server that works on it, and do not hurry", async () => {
    for (const n of [1, 2, 3, 4]) {
      await createLedger(superuser, `busy-${n}/eu`);
      await superuser.query("INSERT INTO oc_work.bi_position (ledger, format) VALUES ($1, 1)", [`busy-${n}/eu`]);
    }
    await servers[1]!.query("BEGIN");
    await servers[1]!.query("SELECT FROM oc_work.bi_position WHERE ledger LIKE 'busy-%' FOR UPDATE");
    expect(await keepReports(servers[0]!)).toEqual({ more: false, stopped: [] });
    await servers[1]!.query("ROLLBACK");
    await keepAll(servers[0]!);
    expect(await reportsOf(servers[0]!, "busy-3/eu")).toMatchObject([{ seq: "1", last: "1" }]);
  });

  it("name principals, platforms and tools alike wherever they are derived", async () => {
    const { key } = await one(
      "SELECT platform_key AS key FROM oc_bi.dim_platform WHERE organization = 'acme' AND platform = 'crm'",
    );
    expect(key).toBe(sha256Hex('["acme/eu","platform","crm"]').slice(0, 32));
  });
});
