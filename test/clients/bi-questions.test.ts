import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BiScene, ERASABLE, startBiScene } from "../support/bi-scene.ts";
import { withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

const folder = path.resolve(import.meta.dirname, "../../clients/bi/questions");
let scene: BiScene;

beforeAll(async () => {
  scene = await startBiScene();
});
afterAll(() => scene?.close());

type Row = Record<string, unknown>;

const query = (sql: string, organization: "acme" | "globex" = "acme") =>
  withClient(scene.urlOf(organization), async (client) => (await client.query<Row>(sql)).rows);
const question = (name: string) => readFile(path.join(folder, `${name}.sql`), "utf8");

/** Columns of times, which differ from run to run. */
const TIMES = /(_utc|^day|_seconds|^seconds_since_\w+)$/;

/** Values in the order of the columns, those of times as "t" where there is one. */
const plain = (rows: readonly Row[]) =>
  rows.map((row) =>
    Object.entries(row)
      .map(([name, value]) => (value !== null && TIMES.test(name) ? "t" : String(value)))
      .join(" | "),
  );

/** What each question is answered with, by what happened in the scene. */
const ANSWERS: Readonly<Record<string, () => readonly string[]>> = {
  "across-regions": () => {
    const { copied, denied, unknown, emergency, waiting } = scene.actions;
    const toSheets = "crm | eu | sheets | us | append_row | agent";
    const toMail = "sheets | us | mail | eu";
    return [
      `t | OBSERVED | ${toMail} | send_mail | agent | 2 | * | DENIED | ${denied}`,
      `t | OBSERVED | ${toSheets} | 2 | * | SUCCEEDED | ${copied}`,
      `t | POSSIBLE | ${toSheets} | null | null | PENDING | ${waiting}`,
      `t | POSSIBLE | ${toMail} | send_mail | agent | null | null | APPROVED | ${emergency}`,
      `t | POSSIBLE | ${toMail} | delete_all | agent | null | null | BLOCKED | ${unknown}`,
      `t | POSSIBLE | ${toMail} | send_mail | agent | null | null | DENIED | ${denied}`,
      `t | POSSIBLE | ${toSheets} | null | null | SUCCEEDED | ${copied}`,
    ];
  },
  "actions-by-day": () => ["t | crm | 1 | 0", "t | mail | 3 | 3", "t | sheets | 3 | 2"],
  "agents-by-volume": () => ["agent | member | 7 | 2 | 5 | 2 | 0"],
  "blocked-by-policy": () => ["unknown-tool-forbidden | mail | delete_all | agent | 1 | t"],
  "break-glass": () => [
    `t | approver2 | mail | send_mail | agent | APPROVED | UNREVIEWED | ${scene.actions.emergency}`,
  ],
  "denials-by-rule": () => ["writes-one-approver | 4 | 1 | 0 | 2 | 1"],
  freshness: () => ["acme | eu | * | * | 0 | t | null"],
  "from-listed-platforms": () => [],
  "refused-attempts": () => ["agent | AGENT_CANNOT_DECIDE | 1 | 1 | t"],
  "time-to-decision": () => ["mail | send_mail | 2 | t | t | t", "sheets | append_row | 1 | t | t | t"],
  waiting: () => [`t | sheets | append_row | agent | member | 0 | 1 | writes-one-approver | ${scene.actions.waiting}`],
  "values-without-source": () => [`t | mail | send_mail | agent | 1 | 1 | 0 | APPROVED | ${scene.actions.emergency}`],
  "ways-of-data": () => [
    "crm | mail | 2 | OBSERVED | 1 | 1 | t",
    "crm | mail | 2 | POSSIBLE | 7 | 1 | t",
    "crm | mail | 1 | OBSERVED | 1 | 0 | t",
    "crm | sheets | 1 | OBSERVED | 1 | 1 | t",
    "sheets | mail | 1 | OBSERVED | 1 | 1 | t",
    "crm | mail | 1 | POSSIBLE | 3 | 0 | t",
    "sheets | mail | 1 | POSSIBLE | 3 | 1 | t",
    "crm | sheets | 1 | POSSIBLE | 2 | 1 | t",
  ],
  "where-data-went": () => [
    "crm | mail | 1 | 2 | 0 | t",
    "sheets | mail | 1 | 2 | 0 | t",
    "crm | sheets | 1 | 1 | 1 | t",
  ],
  "who-approved-what": () => {
    const { copied, denied, emergency } = scene.actions;
    return [
      `t | approver2 | null | BREAK_GLASS | mail | send_mail | agent | API | null | t | APPROVED | ${emergency}`,
      `t | approver2 | null | DENIAL | mail | send_mail | agent | API | SESSION | t | DENIED | ${denied}`,
      `t | approver | null | APPROVAL | sheets | append_row | agent | API | SESSION | t | SUCCEEDED | ${copied}`,
    ];
  },
  "writes-without-source": () => [
    "mail | send_mail | 2 | 1 | 1 | 0",
    "sheets | append_row | 2 | 1 | 1 | 0",
    "mail | delete_all | 1 | 0 | 1 | 0",
  ],
};
/** Without how strong the evidence is, and how many entries there are: that is for others to say. */
const comparable = (rows: readonly string[]) =>
  rows.map((row) =>
    row.replace(/(OBSERVED .* \| 2 \| )\d+( \|)/, "$1*$2").replace(/^(acme \| eu \| )(\d+) \| \2 \|/, "$1* | * |"),
  );

describe("each question", () => {
  it("has an answer here", async () => {
    const files = await readdir(folder);
    expect(files.sort()).toEqual(
      Object.keys(ANSWERS)
        .map((name) => `${name}.sql`)
        .sort(),
    );
  });

  it.each(Object.keys(ANSWERS))("%s has the answer that follows from what was done", async (name) => {
    const sql = await question(name);
    expect(comparable(plain(await query(sql)))).toEqual(ANSWERS[name]?.());
    // The tool of an organization in which nothing was done.
    expect(await query(sql, "globex")).toEqual([]);
  });

  it("can be asked of other platforms", async () => {
    const sql = (await question("from-listed-platforms")).replace("('mail')", "('sheets')");
    const { denied, unknown, emergency } = scene.actions;
    expect(plain(await query(sql))).toEqual([
      `t | OBSERVED | sheets | mail | send_mail | agent | 2 | DENIED | ${denied}`,
      `t | POSSIBLE | sheets | mail | send_mail | agent | null | APPROVED | ${emergency}`,
      `t | POSSIBLE | sheets | mail | delete_all | agent | null | BLOCKED | ${unknown}`,
      `t | POSSIBLE | sheets | mail | send_mail | agent | null | DENIED | ${denied}`,
    ]);
  });
});

it("edges lead to the entries that prove them", async () => {
  const [edge] = await query(
    `SELECT e.*, w.proposed_hash FROM oc_bi.fact_lineage_edge e JOIN oc_bi.fact_action w USING (action_id)
      WHERE e.kind = 'OBSERVED' AND e.action_id = '${scene.actions.copied}'`,
  );
  expect(edge?.source_action_id).toBe(scene.actions.read);
  const { data } = await scene.app.gql<{ write: Row; read: Row }>(
    `query ($write: Sequence!, $read: Sequence!) {
       write: auditEntry(seq: $write) { hash chainHash sourceChainHash } read: auditEntry(seq: $read) { hash chainHash } }`,
    { write: edge?.write_seq, read: edge?.source_seq },
    "auditor",
  );
  expect(data?.write).toEqual({
    hash: `sha256:${edge?.proposed_hash}`,
    chainHash: edge?.chain_id,
    sourceChainHash: edge?.source_chain_id,
  });
  expect(data?.read).toEqual({ hash: `sha256:${edge?.source_hash}`, chainHash: edge?.source_chain_id });
});

it("nothing erasable is in any table of the schema", async () => {
  const tables = await query("SELECT DISTINCT object FROM oc_bi.dictionary WHERE object_kind = 'TABLE'");
  expect(tables).toHaveLength(6);
  await withClient(scene.database.superuserUrl, async (client) => {
    for (const { object } of tables) {
      const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM oc_bi.${object} t`);
      expect(rows.length).toBeGreaterThan(0);
      const all = rows.map(({ row }) => row).join();
      for (const text of ERASABLE) expect(all.toLowerCase()).not.toContain(text.toLowerCase());
    }
  });
});

it("a registered agent has its owner, and is suspended from when it is", async () => {
  const change = async (mutation: string, input: object) => {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
    const sql = `mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { code message } } }`;
    const data = await scene.app.ask<Row>(sql, { input }, "admin");
    expect(data[mutation]).toEqual({ userErrors: [] });
  };
  const read = () =>
    query(
      `SELECT p.kind, p.is_suspended, o.principal_id AS owner FROM oc_bi.dim_principal p
         LEFT JOIN oc_bi.dim_principal o ON o.principal_key = p.owner_key WHERE p.principal_id = 'helper'`,
    );
  await change("inviteAgent", { agentId: "helper", displayName: "Helpful Harry", ownerId: "member" });
  await waitUntil(async () => (await read()).length > 0);
  expect(await read()).toEqual([{ kind: "AGENT", is_suspended: 0, owner: "member" }]);
  await change("suspendPrincipal", { principalId: "helper", reason: "It talks too much." });
  await waitUntil(async () => (await read())[0]?.is_suspended === 1);
  expect(await read()).toEqual([{ kind: "AGENT", is_suspended: 1, owner: "member" }]);
  expect(await query("SELECT FROM oc_bi.dim_principal p WHERE p::text LIKE '%Harry%'")).toEqual([]);
});

it("metrics say how far behind the tables are", async () => {
  const metrics = async () => (await fetch(`${scene.app.operationsUrl}/metrics`)).text();
  await waitUntil(async () => /^countersign_bi_entries_behind 0$/m.test(await metrics()));
  expect(await metrics()).toMatch(/^countersign_bi_ledgers_stopped 0$/m);
});
