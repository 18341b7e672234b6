import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { readLines, verifyInPython } from "./in-python.ts";

/** Ledgers of two regions, with all that is recorded for there being two: both verifiers find both intact. */
const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "us" } },
  tools: {
    get_contact: { platform: "crm", effect: "READ" },
    append_row: { platform: "sheets", effect: "WRITE" },
  },
};
const TEMPLATE = path.resolve(import.meta.dirname, "../../src/domain/policy/templates/personal-data-stays.yaml");

let eu: TestDatabase;
let us: TestDatabase;
let app: App;

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const dataDir = await makeDataDir();
  const catalog = path.join(dataDir, "catalog.json");
  await writeFile(catalog, JSON.stringify(CATALOG));
  const environment = { CATALOG: catalog, REGIONS: `us=${us.appUrl}` };
  app = await startApp({ databaseUrl: eu.appUrl, dataDir, environment });
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await Promise.all([eu.drop(), us.drop()]);
});

interface Acted {
  readonly action: { readonly id: string; readonly digest: string; readonly status: string };
}

async function act(
  field: string,
  type: string,
  input: object,
  as: Parameters<App["ask"]>[2],
): Promise<Acted["action"]> {
  const query = `mutation ($input: ${type}!) { ${field}(input: $input) { action { id digest status } userErrors { code message } } }`;
  return (await app.ask<Record<string, Acted>>(query, { input }, as))[field]?.action as Acted["action"];
}

async function propose(platform: string, tool: string): Promise<Acted["action"]> {
  const input = { idempotencyKey: randomUUID(), platform, tool, arguments: { n: 1 }, repeat: true };
  return act("proposeAction", "ProposeActionInput", input, "agent");
}

const approve = ({ id: actionId, digest }: Acted["action"], as: "approver" | "admin2") =>
  act("approveAction", "ApproveActionInput", { actionId, digest }, as);

it("are intact for both verifiers", async () => {
  expect(await approve(await propose("sheets", "append_row"), "approver")).toMatchObject({ status: "APPROVED" });
  const document = await readFile(TEMPLATE, "utf8");
  const published = await act("publishPolicy", "PublishPolicyInput", { document, note: "Stay." }, "admin");
  expect(await approve(published, "admin2")).toMatchObject({ status: "SUCCEEDED" });
  expect(await propose("crm", "get_contact")).toMatchObject({ status: "ALLOWED" });
  expect(await propose("sheets", "append_row")).toMatchObject({ status: "BLOCKED" });
  const keys = (await loadKeys(path.join(app.dataDir, "keys.json"))).facts.published;
  for (const [database, region] of [
    [eu, "eu"],
    [us, "us"],
  ] as const) {
    const { verifyLedger } = await app.ask<{ verifyLedger: object }>(
      `query ($region: String) { verifyLedger(region: $region) { verdict problems { verdict seq detail } } }`,
      { region },
      "auditor",
    );
    expect(verifyLedger, region).toEqual({ verdict: "INTACT", problems: [] });
    const lines = await readLines(database.superuserUrl, `acme/${region}`);
    expect(await verifyInPython(`acme/${region}`, lines, keys), region).toMatchObject({
      verdict: "INTACT",
      problems: [],
    });
  }
  const inUs = (await readLines(us.superuserUrl, "acme/us")).entries.join("\n");
  expect(inUs.match(/"type":"POLICY_ADOPTED"/g)).toHaveLength(2);
  expect(inUs).toContain('"reads":{"known":[{"hash":"');
});
