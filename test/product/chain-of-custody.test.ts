import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";

/** Contacts of a CRM become rows of a sheet: read on one server, written on another, both started anew in between. */
const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "eu" }, calendar: { region: "eu" } },
  tools: {
    search_contacts: { platform: "crm", effect: "READ", personalData: true },
    list_events: { platform: "calendar", effect: "READ" },
    append_rows: { platform: "sheets", effect: "WRITE" },
  },
};
const CONTACTS = [
  { name: "Amelia Ahmed", email: "amelia.ahmed@acme.example", phone: "+49 30 901820" },
  { name: "Bogdan Ilić", email: "bogdan@globex.example", phone: "+381 11 3020100" },
];
const ROWS = CONTACTS.map(({ name, email, phone }) => [name, email, phone]);

let database: TestDatabase;
let dataDir: string;
let environment: Record<string, string>;
let reading: App;
let writing: App;

const start = () => startApp({ databaseUrl: database.appUrl, dataDir, environment });

beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await makeDataDir();
  environment = { CATALOG: path.join(dataDir, "catalog.json") };
  await writeFile(environment.CATALOG as string, JSON.stringify(CATALOG));
  reading = await start();
  writing = await start();
});
afterAll(async () => {
  await Promise.all([reading?.stop(), writing?.stop()]);
  if (reading !== undefined) await forget(reading);
  await database?.drop();
});

interface Action {
  readonly id: string;
  readonly digest: string;
  readonly status: string;
  readonly chainHash: string;
  readonly sourceChainHash: string | null;
  readonly entries: readonly { readonly seq: string }[];
  readonly lineage: readonly {
    readonly kind: string;
    readonly sourceChainHash: string;
    readonly sourcePlatform: string;
  }[];
}
const PROPOSE = `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) {
  action { id digest status chainHash sourceChainHash entries { seq } lineage { kind sourceChainHash sourcePlatform } }
  grant { token } userErrors { code message } } }`;

async function propose(app: App, platform: string, tool: string, given: object) {
  const input = { idempotencyKey: randomUUID(), platform, tool, arguments: given, conversationId: "rows" };
  const answer = await app.ask<{ proposeAction: { action: Action; grant: { token: string } | null } }>(
    PROPOSE,
    { input },
    "agent",
  );
  return answer.proposeAction;
}

async function carryOut(app: App, { id, digest }: Action, token: string | undefined, result: unknown) {
  await app.ask(
    `mutation ($input: RedeemGrantInput!) { redeemGrant(input: $input) { userErrors { code } } }`,
    { input: { token, digest } },
    "agent",
  );
  const { completeAction } = await app.ask<{ completeAction: { action: { status: string } } }>(
    `mutation ($input: CompleteActionInput!) { completeAction(input: $input) { action { status } userErrors { code } } }`,
    { input: { actionId: id, outcome: "SUCCEEDED", result } },
    "agent",
  );
  expect(completeAction.action.status).toBe("SUCCEEDED");
}

const CHAIN = `query ($chain: UUID!) { lineage(chainHash: $chain, direction: UPSTREAM, depth: 3) {
  truncated nodes { chainHash platform entries { type seq chainHash } } edges { kind sourceChainHash chainHash sourcePlatform platform } } }`;
interface Walked {
  readonly lineage: {
    readonly truncated: boolean;
    readonly nodes: readonly {
      readonly chainHash: string;
      readonly platform: string;
      readonly entries: readonly { readonly type: string; readonly seq: string; readonly chainHash: string | null }[];
    }[];
    readonly edges: readonly { readonly kind: string; readonly sourceChainHash: string; readonly chainHash: string }[];
  };
}

describe("Cross-Platform Chain of Custody", () => {
  let contacts: Action;
  let events: Action;
  let rows: Action;

  beforeAll(async () => {
    const read = await propose(reading, "crm", "search_contacts", { segment: "berlin" });
    contacts = read.action;
    await carryOut(reading, contacts, read.grant?.token, { contacts: CONTACTS });
    const later = await propose(reading, "calendar", "list_events", { day: "2026-11-27" });
    events = later.action;
    await carryOut(reading, events, later.grant?.token, { events: [{ title: "Stand-up", room: "Curie" }] });
    await Promise.all([reading.stop(), writing.kill()]);
    [reading, writing] = [await start(), await start()];
    rows = (await propose(writing, "sheets", "append_rows", { sheet: "Leads", rows: ROWS })).action;
  }, 120_000);

  it("“When data flows between platforms, … automatically links the source and destination. No model involvement — server-side detection.”", () => {
    // Nothing that the agent sends names a source: the server found that the rows are of the contacts, though the calendar was read later.
    expect(rows.lineage[0]).toEqual({
      kind: "OBSERVED",
      sourceChainHash: contacts.chainHash,
      sourcePlatform: "crm",
    });
    expect(rows.lineage.filter(({ kind }) => kind === "POSSIBLE").map(({ sourcePlatform }) => sourcePlatform)).toEqual([
      "calendar",
      "crm",
    ]);
  });

  it("“Each routing chain gets a unique UUID (chain hash)”", () => {
    const chains = [contacts, events, rows].map(({ chainHash }) => chainHash);
    expect(new Set(chains).size).toBe(3);
    for (const chain of chains) {
      expect(chain).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it("“Every step in the chain inherits the same hash”", async () => {
    const { lineage } = await writing.ask<Walked>(CHAIN, { chain: contacts.chainHash }, "auditor");
    const steps = lineage.nodes.find(({ chainHash }) => chainHash === contacts.chainHash)?.entries ?? [];
    expect(steps.map(({ type }) => type)).toEqual(["ACTION_PROPOSED", "GRANT_REDEEMED", "ACTION_COMPLETED"]);
    expect(new Set(steps.map(({ chainHash }) => chainHash))).toEqual(new Set([contacts.chainHash]));
  });

  it("“When a write follows a read from a different platform, source_chain_hash is auto-populated”", async () => {
    expect(rows.sourceChainHash).toBe(contacts.chainHash);
    // Where nothing is found by content, the latest read is named.
    const other = await propose(writing, "sheets", "append_rows", { sheet: "Leads", rows: [["something else"]] });
    expect(other.action.sourceChainHash).toBe(events.chainHash);
  });

  it("“Cross-instance durable — source chain lookup is DB-backed (PostgreSQL), surviving … cold starts and … instance isolation”", async () => {
    // Both servers were started after the reads, one of them after it was killed.
    for (const app of [reading, writing]) {
      const { action } = await propose(app, "sheets", "append_rows", { sheet: "Leads", rows: ROWS, copy: app.url });
      expect(action.sourceChainHash).toBe(contacts.chainHash);
    }
  });

  it("“One click from destination write → source read. Full cross-platform data lineage.”", async () => {
    const { auditEntry } = await writing.ask<{ auditEntry: { sources: readonly { type: string; seq: string }[] } }>(
      `query ($seq: Sequence!) { auditEntry(seq: $seq) { sources { type seq } } }`,
      { seq: rows.entries[0]?.seq },
      "auditor",
    );
    expect(auditEntry.sources[0]).toEqual({ type: "ACTION_PROPOSED", seq: contacts.entries[0]?.seq });
    const { lineage } = await writing.ask<Walked>(CHAIN, { chain: rows.chainHash }, "auditor");
    expect(lineage.truncated).toBe(false);
    expect(lineage.edges).toContainEqual(
      expect.objectContaining({
        kind: "OBSERVED",
        sourceChainHash: contacts.chainHash,
        chainHash: rows.chainHash,
      }),
    );
    expect(lineage.nodes.map(({ platform }) => platform).sort()).toEqual(["calendar", "crm", "sheets"]);
  });
});
