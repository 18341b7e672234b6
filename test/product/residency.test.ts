import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { makeDataDir } from "../support/server.ts";
import { textsOf } from "../support/texts-of-tables.ts";
import { waitUntil } from "../support/wait.ts";

/** As the template has them. */
const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "us" } },
  tools: {
    get_contact: { platform: "crm", effect: "READ", personalData: true },
    append_row: { platform: "sheets", effect: "WRITE" },
  },
};
const TEMPLATE = path.resolve(import.meta.dirname, "../../src/domain/policy/templates/personal-data-stays.yaml");

let eu: TestDatabase;
let us: TestDatabase;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let app: App;
let catalog: string;

const environment = () => ({ CATALOG: catalog, REGIONS: `us=${proxy.url}` });

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  proxy = await startProxy(us.appUrl);
  const dataDir = await makeDataDir();
  catalog = path.join(dataDir, "catalog.json");
  await writeFile(catalog, JSON.stringify(CATALOG));
  app = await startApp({ databaseUrl: eu.appUrl, dataDir, environment: environment() });
  await publish(await readFile(TEMPLATE, "utf8"));
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await proxy.close();
  await Promise.all([eu.drop(), us.drop()]);
});

async function publish(document: string): Promise<void> {
  const { publishPolicy } = await app.ask<{ publishPolicy: { action: { id: string; digest: string } } }>(
    `mutation ($input: PublishPolicyInput!) { publishPolicy(input: $input) { action { id digest } userErrors { message } } }`,
    { input: { document, note: "Data stays in its region." } },
    "admin",
  );
  const { id: actionId, digest } = publishPolicy.action;
  const { approveAction } = await app.ask<{ approveAction: object }>(
    `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } userErrors { message } } }`,
    { input: { actionId, digest } },
    "admin2",
  );
  expect(approveAction).toMatchObject({ action: { status: "SUCCEEDED" } });
}

interface Proposed {
  readonly action: {
    readonly id: string;
    readonly digest: string;
    readonly status: string;
    readonly policy: {
      readonly reason: string;
      readonly matchedRules: readonly { readonly ruleId: string; readonly because: object }[];
      readonly possibleReads: readonly object[];
      readonly unreadRegions: readonly string[];
    };
  } | null;
  readonly grant: { readonly token: string } | null;
}

const PROPOSE = `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) {
  action { id digest status policy { reason matchedRules { ruleId because } possibleReads { platform region ledger seq hash } unreadRegions } }
  grant { token } userErrors { code message } } }`;

const inputOf = (platform: string, tool: string, values: object) => ({
  input: { idempotencyKey: randomUUID(), platform, tool, arguments: values, repeat: true },
});

async function propose(platform: string, tool: string, values: object = {}): Promise<Proposed> {
  return (await app.ask<{ proposeAction: Proposed }>(PROPOSE, inputOf(platform, tool, values), "agent")).proposeAction;
}

/** Reads in eu, and reports what was read. */
async function readInEu(text: string): Promise<void> {
  const { action, grant } = await propose("crm", "get_contact", { who: text });
  const redeemed = { token: grant?.token, digest: action?.digest };
  await app.ask(
    `mutation ($input: RedeemGrantInput!) { redeemGrant(input: $input) { userErrors { code } } }`,
    { input: redeemed },
    "agent",
  );
  const { completeAction } = await app.ask<{ completeAction: object }>(
    `mutation ($input: CompleteActionInput!) { completeAction(input: $input) { action { status } userErrors { code } } }`,
    { input: { actionId: action?.id, outcome: "SUCCEEDED", result: { name: text } } },
    "agent",
  );
  expect(completeAction).toMatchObject({ action: { status: "SUCCEEDED" } });
}

describe("data that was read in one region", () => {
  it("is not written in another by the template policy, which names the read, and nothing of it is there", async () => {
    expect((await propose("sheets", "append_row")).action).toMatchObject({
      status: "PENDING",
      policy: { possibleReads: [], unreadRegions: [] },
    });
    await readInEu("READ-IN-EU");
    const { action } = await propose("sheets", "append_row", { text: "something else" });
    expect(action).toMatchObject({
      status: "BLOCKED",
      policy: { matchedRules: [{ ruleId: "read-in-eu-written-in-us", because: { "lineage.regions": ["eu"] } }, {}] },
    });
    const { auditEntries } = await app.ask<{ auditEntries: { nodes: { seq: string; hash: string }[] } }>(
      `{ auditEntries(filter: { types: ["ACTION_PROPOSED"], tool: "get_contact" }) { nodes { seq hash } } }`,
      {},
      "auditor",
    );
    const [read] = auditEntries.nodes;
    expect(action?.policy.possibleReads).toEqual([{ platform: "crm", region: "eu", ledger: "acme/eu", ...read }]);
    expect(action?.policy.reason).toContain(`crm in eu (entry ${read?.seq} of acme/eu)`);
    const [inEu, inUs] = await Promise.all([textsOf(eu), textsOf(us)]);
    expect(inEu).toContain("READ-IN-EU");
    expect(inUs).not.toContain("READ-IN-EU");
    expect(app.lines.join("\n")).not.toContain("READ-IN-EU");
  });

  it("counts when it is read in the same call, before the write", async () => {
    const actions = [
      ["crm", "get_contact"],
      ["sheets", "append_row"],
    ].map(([platform, tool]) => inputOf(platform ?? "", tool ?? "", { n: 1 }).input);
    const { proposeActions } = await app.ask<{ proposeActions: { results: Proposed[] } }>(
      `mutation ($input: ProposeActionsInput!) { proposeActions(input: $input) { results { action { status } userErrors { code } } } }`,
      { input: { actions } },
      "agent",
    );
    expect(proposeActions.results).toMatchObject([
      { action: { status: "ALLOWED" } },
      { action: { status: "BLOCKED" } },
    ]);
  });

  it("leaves ledgers that are intact in both regions", async () => {
    for (const region of ["eu", "us"]) {
      const { verifyLedger } = await app.ask<{ verifyLedger: object }>(
        `query ($region: String) { verifyLedger(region: $region) { verdict problems { verdict seq detail } } }`,
        { region },
        "auditor",
      );
      expect(verifyLedger, region).toEqual({ verdict: "INTACT", problems: [] });
    }
  });
});

describe("a region whose database does not respond", () => {
  it("holds no other up for long, and counts as if it held a read", async () => {
    proxy.muteFrom("oc_possible_reads");
    const write = { ...inputOf("crm", "export_contacts", {}).input, targetRegion: "eu" };
    const { proposeAction } = await app.ask<{ proposeAction: Proposed }>(PROPOSE, { input: write }, "agent");
    expect(proposeAction.action).toMatchObject({ status: "PENDING", policy: { unreadRegions: ["us"] } });
    const { pendingApprovals } = await app.ask<{ pendingApprovals: object }>(
      `{ pendingApprovals(first: 1) { nodes { platform } unreadRegions } }`,
      {},
      "auditor",
    );
    expect(pendingApprovals).toEqual({ nodes: [{ platform: "crm" }], unreadRegions: ["us"] });
  });
});

describe("a region whose database is down", () => {
  it("is refused, counts as if it held a read, and keeps the other from nothing", async () => {
    proxy.swallow();
    await proxy.close();
    const down = await app.gql<{ proposeAction: Proposed }>(PROPOSE, inputOf("sheets", "append_row", {}), "agent");
    expect(down.errors).toMatchObject([{ extensions: { code: "LEDGER_UNAVAILABLE" } }]);
    await readInEu("READ-WHILE-US-IS-DOWN");
    const { actions } = await app.ask<{ actions: object }>(
      `{ actions(first: 1) { nodes { platform } asOf { region } unreadRegions } }`,
      {},
      "auditor",
    );
    expect(actions).toEqual({ nodes: [{ platform: "crm" }], asOf: [{ region: "eu" }], unreadRegions: ["us"] });
    const ready = async () => {
      const response = await fetch(new URL("/readyz", app.operationsUrl));
      return { status: response.status, body: (await response.json()) as object };
    };
    await waitUntil(async () => JSON.stringify((await ready()).body).includes('"us":false'));
    expect(await ready()).toMatchObject({ status: 200, body: { ready: true, regions: { us: false } } });
  });

  it("keeps no server from starting, and is served once its database is there", async () => {
    await app.stop();
    app = await startApp({ databaseUrl: eu.appUrl, dataDir: app.dataDir, environment: environment() });
    const refused = await app.gql(PROPOSE, inputOf("sheets", "append_row", {}), "agent");
    expect(refused.errors).toMatchObject([{ extensions: { code: "LEDGER_UNAVAILABLE" } }]);
    await readInEu("READ-BEFORE-US-IS-THERE");
    const forbidding = `policy: 1
catalog:
  platforms: { crm: { region: eu }, sheets: { region: us } }
  tools:
    - { platform: crm, name: get_contact, effect: READ }
    - { platform: crm, name: update_contact, effect: WRITE }
    - { platform: sheets, name: append_row, effect: WRITE }
rules:
  - { id: from-us, when: 'tool.effect == "WRITE" && "us" in lineage.regions', forbid: true, reason: Not from the US. }
cases:
  - name: a write after a read in the US
    given: { platform: crm, tool: update_contact, lineage: { kinds: [POSSIBLE], platforms: [sheets], regions: [us], evidence: 0 } }
    expect: { outcome: FORBID, rules: [from-us] }
`;
    await publish(forbidding);
    expect((await propose("crm", "update_contact")).action).toMatchObject({
      status: "BLOCKED",
      policy: { possibleReads: [], unreadRegions: ["us"] },
    });
    proxy = await startProxy(us.appUrl, Number(new URL(proxy.url).port));
    await waitUntil(async () => app.lines.some((line) => line.includes("a region is served")));
    expect((await propose("crm", "update_contact")).action).toMatchObject({
      status: "PENDING",
      policy: { possibleReads: [], unreadRegions: [] },
    });
    // The new policy is named in the region before the first proposal under it.
    await propose("sheets", "append_row");
    const { auditEntries } = await app.ask<{ auditEntries: { nodes: { type: string; body: { policy: object } }[] } }>(
      `{ auditEntries(region: "us", newestFirst: true, first: 2, filter: { types: ["POLICY_ADOPTED", "ACTION_PROPOSED"] }) { nodes { type body } } }`,
      {},
      "auditor",
    );
    expect(auditEntries.nodes).toMatchObject([
      { type: "ACTION_PROPOSED", body: { policy: { version: 3 } } },
      { type: "POLICY_ADOPTED", body: { policy: { version: 3 } } },
    ]);
  });
});
