import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { EdgeSource } from "../../../src/domain/lineage/walk/proven-edges.ts";
import { startAtEntry } from "../../../src/domain/lineage/walk/starts.ts";
import type { Way } from "../../../src/domain/lineage/walk/statement.ts";
import { type Walk, walkLineage } from "../../../src/domain/lineage/walk/walk.ts";
import type { LedgerId } from "../../../src/facts/entry.ts";
import { readEntries } from "../../../src/ledger/read.ts";
import { createLedger } from "../../ledger/verify.fixture.ts";
import { appendSteps, chainId, type Step, type StepInput } from "../../support/lineage-graph.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

/** Walks over the ledgers of two regions. */

const EU = "acme/eu" as LedgerId;
const US = "acme/us" as LedgerId;
let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  for (const ledger of [EU, US]) await createLedger(client, ledger);
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

const step = async (ledger: LedgerId, input: StepInput): Promise<Step> => {
  const [found] = await appendSteps(client, ledger, [input]);
  if (found === undefined) throw new Error("nothing was recorded");
  return found;
};

const sourceOf = (ledger: LedgerId): EdgeSource => ({
  ledger,
  db: client,
  scopes: undefined,
  damaged: (error) => error,
});

async function walk(from: Step, way: Way): Promise<Walk> {
  const source = sourceOf(from.ledger);
  const [entry] = await readEntries(client, from.ledger, [BigInt(from.seq)]);
  const start = entry && (await startAtEntry(source, entry, way));
  if (start === undefined) throw new Error("there is nothing to start at");
  const failed = (_region: string, error: unknown) => {
    throw error;
  };
  const sources = new Map([EU, US].map((ledger) => [ledger.slice(5), sourceOf(ledger)]));
  return walkLineage({ sources, unread: [], failed }, start, way, 10);
}

function pairs({ edges }: Walk, among: readonly string[]): readonly string[] {
  const name = (chain: string) => among.find((one) => chainId(one) === chain) ?? chain;
  return edges.map((edge) => `${name(edge.sourceChain)}-${name(edge.chain)}`).sort();
}

/** Has the clock of `ledger` go ahead by a minute, or until its month ends. */
async function setAhead(ledger: LedgerId): Promise<void> {
  await client.query(`BEGIN; SET LOCAL countersign.migration = 'on'; ALTER TABLE oc_ledger_head DISABLE TRIGGER USER;
    UPDATE oc_ledger_head SET recorded_at = greatest(recorded_at, least(recorded_at + interval '1 minute',
           date_trunc('month', recorded_at, 'UTC') + interval '1 month' - interval '1 second')) WHERE ledger = '${ledger}';
    SELECT oc_always('oc_ledger_head'); COMMIT`);
}

it("comes back, downstream, to the chain that it started in at one read", async () => {
  const leaked = await step(EU, { chain: "down c", platform: "crm" });
  await step(EU, { chain: "down d", platform: "sheets", observed: [leaked] });
  const copied = await step(EU, { chain: "down d", platform: "sheets" });
  await step(EU, { chain: "down c", platform: "crm", observed: [copied] });
  const again = await step(EU, { chain: "down c", platform: "crm" });
  await step(US, { chain: "down e", platform: "chat", observed: [again] });
  const all = ["down c", "down d", "down e"];
  expect(pairs(await walk(leaked, "DOWNSTREAM"), all)).toEqual(["down c-down d", "down c-down e", "down d-down c"]);
});

it("comes back, upstream, to the chain that it started in at one write", async () => {
  const web = await step(EU, { chain: "up web", platform: "web" });
  await step(EU, { chain: "up c", platform: "crm", observed: [web] });
  const early = await step(EU, { chain: "up c", platform: "crm" });
  await step(US, { chain: "up d", platform: "sheets", observed: [early] });
  const copied = await step(US, { chain: "up d", platform: "sheets" });
  const write = await step(EU, { chain: "up c", platform: "crm", observed: [copied] });
  const all = ["up web", "up c", "up d"];
  expect(pairs(await walk(write, "UPSTREAM"), all)).toEqual(["up c-up d", "up d-up c", "up web-up c"]);
});

it("misses nothing for clocks of two regions that differ by a minute, on either way", async () => {
  await setAhead(US);
  const web = await step(US, { chain: "clock web", platform: "web" });
  await step(US, { chain: "clock copy", platform: "sheets", observed: [web] });
  const copied = await step(US, { chain: "clock copy", platform: "sheets" });
  const write = await step(EU, { chain: "clock crm", platform: "crm", observed: [copied] });
  const all = ["clock web", "clock copy", "clock crm"];
  const expected = ["clock copy-clock crm", "clock web-clock copy"];
  expect(pairs(await walk(write, "UPSTREAM"), all)).toEqual(expected);
  expect(pairs(await walk(web, "DOWNSTREAM"), all)).toEqual(expected);
});

it("says upstream what the entries of writes say that they do not name, and nothing of it downstream", async () => {
  const web = await step(EU, { chain: "more web", platform: "web" });
  const abroad = await step(US, { chain: "more abroad", platform: "vault" });
  const told = ({ truncated, otherRegions, unreadRegions }: Walk) => ({ truncated, otherRegions, unreadRegions });
  const complete = { truncated: false, otherRegions: [], unreadRegions: [] };
  const known = [{ ...abroad, region: "us" }];
  const cases: readonly (readonly [Partial<StepInput>, Partial<ReturnType<typeof told>>])[] = [
    [{ lineage: {} }, {}],
    [{ lineage: { left: 3 } }, { truncated: true }],
    [{ lineage: { earlier: true } }, { truncated: true }],
    [{ lineage: { uncompared: true } }, { truncated: true }],
    [{ lineage: { unread: ["ap"] } }, { unreadRegions: ["ap"] }],
    [{ reads: { known: [], unread: ["ap"] } }, { unreadRegions: ["ap"] }],
    [{ reads: { known, unread: [] } }, { otherRegions: ["us"] }],
  ];
  for (const [at, [more, expected]] of cases.entries()) {
    const alone = await step(EU, { chain: `alone ${at}`, platform: "crm", ...more });
    expect(told(await walk(alone, "UPSTREAM")), JSON.stringify(more)).toEqual({ ...complete, ...expected });
    // A write that is not where it starts: with an edge that can be followed, and, for reads elsewhere, without.
    const from = more.reads?.known === known ? {} : { observed: [web] };
    await step(EU, { chain: `middle ${at}`, platform: "crm", ...from, ...more });
    const copied = await step(EU, { chain: `middle ${at}`, platform: "crm" });
    const last = await step(EU, { chain: `last ${at}`, platform: "chat", observed: [copied] });
    expect(told(await walk(last, "UPSTREAM")), JSON.stringify(more)).toEqual({ ...complete, ...expected });
    expect(told(await walk(web, "DOWNSTREAM")), JSON.stringify(more)).toEqual(complete);
  }
});
