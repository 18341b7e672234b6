import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EdgeFilter, listEdges, placeOf } from "../../../src/domain/lineage/walk/list.ts";
import type { EdgeSource } from "../../../src/domain/lineage/walk/proven-edges.ts";
import { followEdges, type Way } from "../../../src/domain/lineage/walk/statement.ts";
import type { Queryable } from "../../../src/ledger/read.ts";
import { createLedger } from "../../ledger/verify.fixture.ts";
import { appendSteps, chainId, type Step, type StepInput } from "../../support/lineage-graph.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

const LEDGER = "acme/eu";
let database: TestDatabase;
let client: Client;
let sent: { readonly text: string; readonly values: unknown[] }[] = [];
let source: EdgeSource;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  await createLedger(client, LEDGER);
  await createLedger(client, "other/eu");
  const common = await appendSteps(
    client,
    LEDGER,
    Array.from({ length: 40 }, (_, n) => ({ chain: `read ${n}`, platform: "mail" })),
  );
  const rare = await appendSteps(client, LEDGER, [{ chain: "rare", platform: "vault", region: "us" }]);
  for (let at = 0; at < 400; at += 100) {
    const inputs = Array.from({ length: 100 }, (_, n): StepInput => {
      return { chain: `write ${at + n}`, platform: "sheets", possible: common };
    });
    await appendSteps(client, LEDGER, inputs);
  }
  await appendSteps(client, LEDGER, [{ chain: "odd", platform: "chat", region: "us", observed: rare as Step[] }]);
  await client.query("ANALYZE oc_lineage_edge, oc_audit_log");
  const db = {
    query: (query: { readonly text: string; readonly values: unknown[] }) => {
      sent.push(query);
      return client.query(query);
    },
  } as unknown as Queryable;
  source = { ledger: LEDGER, db, scopes: undefined, damaged: (error) => error };
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

/** The plan of the first statement that `work` sends. */
async function planOf(work: () => Promise<unknown>): Promise<string> {
  sent = [];
  await work();
  const [query] = sent;
  const { rows } = await client.query<{ "QUERY PLAN": string }>({
    text: `EXPLAIN ${query?.text}`,
    values: query?.values ?? [],
  });
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

const page = { after: undefined, limit: 21, newestFirst: false };

it.each<readonly [string, EdgeFilter, string]>([
  ["kind", { kind: "OBSERVED" }, "oc_lineage_edge_kind"],
  ["platform", { platform: "chat" }, "oc_lineage_edge_platform"],
  ["source platform", { sourcePlatform: "vault" }, "oc_lineage_edge_source_platform"],
  ["region", { region: "us" }, "oc_lineage_edge_region"],
  ["source region", { sourceRegion: "nowhere" }, "oc_lineage_edge_source_region"],
  ["chain", { chain: chainId("odd") }, "oc_lineage_edge_chain"],
  ["source chain", { sourceChain: chainId("rare") }, "oc_lineage_edge_source"],
  ["time", { recordedFrom: "2099-01-01T00:00:00Z", recordedTo: "2099-02-01T00:00:00Z" }, "oc_lineage_edge_pkey"],
  ["nothing", {}, "oc_lineage_edge_pkey"],
])("lists edges by %s from an index", async (_name, filter, index) => {
  const plan = await planOf(() => listEdges(source, filter, page));
  expect(plan).toContain(index);
  expect(plan).not.toContain("Seq Scan");
});

it.each<readonly [Way, string]>([
  ["UPSTREAM", "oc_lineage_edge_chain"],
  ["DOWNSTREAM", "oc_lineage_edge_source"],
])("walks %s by an index", async (way, index) => {
  const stop = { ledger: LEDGER, chain: chainId("rare"), at: "-infinity", left: 10 };
  const bounds = { chains: 200, edges: 500, rows: 20_000 };
  const plan = await planOf(() => followEdges(source, way, [stop], {}, bounds));
  expect(plan).toContain(index);
  expect(plan).not.toContain("Seq Scan on oc_lineage_edge");
});

it("gives every edge once and in order, whatever the page, from either end", async () => {
  for (const newestFirst of [false, true]) {
    const places: bigint[] = [];
    let after: bigint | undefined;
    for (;;) {
      const { edges } = await listEdges(source, { chain: chainId("write 7") }, { after, limit: 7, newestFirst });
      if (edges.length === 0) break;
      places.push(...edges.map(placeOf));
      after = places.at(-1);
    }
    expect(places).toHaveLength(40);
    expect(places).toEqual([...new Set(places)].sort((one, other) => Number(newestFirst ? other - one : one - other)));
  }
});

it("goes on behind rows that the caller may not see, a bounded number at a time", async () => {
  const narrow: EdgeSource = { ...source, scopes: [{ people: ["member"] }] };
  await appendSteps(client, LEDGER, [{ chain: "own", platform: "sheets", person: "member", sourceChain: "rare" }]);
  const first = await listEdges(narrow, {}, page);
  expect(first.edges).toEqual([]);
  const second = await listEdges(narrow, {}, { ...page, after: first.stoppedAt });
  expect(second).toMatchObject({ edges: [{ chain: chainId("own"), n: 1 }], stoppedAt: undefined });
});
