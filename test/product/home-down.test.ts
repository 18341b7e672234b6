import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { makeCatalog } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

/** The database of the home region, eu, is behind a proxy that is closed. */
let eu: TestDatabase;
let us: TestDatabase;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let app: App;
let environment: Record<string, string>;

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  proxy = await startProxy(eu.appUrl);
  const { dataDir, catalog } = await makeCatalog();
  environment = { CATALOG: catalog, REGIONS: `us=${us.appUrl}` };
  app = await startApp({ databaseUrl: proxy.url, dataDir, environment });
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await proxy.close();
  await Promise.all([eu.drop(), us.drop()]);
});

type Who = Parameters<App["ask"]>[2];

interface Acted {
  readonly action: { readonly id: string; readonly digest: string; readonly status: string };
  readonly grant?: { readonly token: string };
}

async function act(field: string, type: string, input: object, as: Who): Promise<Acted> {
  const grant = ["claimGrant"].includes(field) ? "grant { token }" : "";
  const query = `mutation ($input: ${type}!) { ${field}(input: $input) { action { id digest status } ${grant} userErrors { code message } } }`;
  const found = (await app.ask<Record<string, Acted & { userErrors: object[] }>>(query, { input }, as))[field];
  expect(found).toMatchObject({ userErrors: [] });
  return found as Acted;
}

const proposalOf = (platform: string, tool: string) => ({
  idempotencyKey: randomUUID(),
  platform,
  tool,
  arguments: { n: randomUUID() },
});

/** From proposal to outcome, with an approval. */
async function work(approver: Who = "approver"): Promise<string> {
  const { action } = await act("proposeAction", "ProposeActionInput", proposalOf("sheets", "append_row"), "agent");
  expect(action.status).toBe("PENDING");
  const { id: actionId, digest } = action;
  await act("approveAction", "ApproveActionInput", { actionId, digest }, approver);
  const { grant } = await act("claimGrant", "ClaimGrantInput", { actionId }, "agent");
  await act("redeemGrant", "RedeemGrantInput", { token: grant?.token, digest }, "agent");
  const done = await act(
    "completeAction",
    "CompleteActionInput",
    { actionId, outcome: "SUCCEEDED", result: { ok: true } },
    "agent",
  );
  return done.action.status;
}

/** Returns the position of the entry. */
async function suspend(principalId: string): Promise<string> {
  const { suspendPrincipal } = await app.ask<{ suspendPrincipal: { entry: { seq: string } } }>(
    `mutation ($input: SuspendPrincipalInput!) { suspendPrincipal(input: $input) { entry { seq } userErrors { code message } } }`,
    { input: { principalId, reason: "Left." } },
    "admin",
  );
  expect(suspendPrincipal).toMatchObject({ userErrors: [] });
  return suspendPrincipal.entry.seq;
}

interface Copied {
  readonly home: { readonly ledger: string; readonly seq: string; readonly hash: string };
}

/** What is copied so far, the latest first. */
async function copies(): Promise<readonly Copied[]> {
  const { auditEntries } = await app.ask<{ auditEntries: { nodes: { body: Copied }[] } }>(
    `{ auditEntries(region: "us", newestFirst: true, first: 100, filter: { types: ["HOME_COPIED"] }) { nodes { body } } }`,
    {},
    "auditor",
  );
  return auditEntries.nodes.map(({ body }) => body);
}

async function goDown(): Promise<void> {
  proxy.swallow();
  await proxy.close();
}

async function ready() {
  const response = await fetch(new URL("/readyz", app.operationsUrl));
  return { status: response.status, body: (await response.json()) as object };
}

describe("a region while the database of the home region is down", () => {
  it("has what the home region says of the organization in its own ledger, signed, as soon as it has a ledger", async () => {
    expect(await work()).toBe("SUCCEEDED");
    const suspendedAt = await suspend("approver2");
    await waitUntil(async () => (await copies()).some(({ home }) => BigInt(home.seq) >= BigInt(suspendedAt)));
    const [latest] = await copies();
    const { auditEntry } = await app.ask<{ auditEntry: { hash: string } }>(
      `query ($seq: Sequence!) { auditEntry(seq: $seq) { hash } }`,
      { seq: latest?.home.seq },
      "auditor",
    );
    expect(latest?.home).toMatchObject({ ledger: "acme/eu", hash: auditEntry.hash.replace("sha256:", "") });
  });

  it("goes on from proposal to outcome, by who is suspended and what is published there", async () => {
    await goDown();
    expect(await work()).toBe("SUCCEEDED");
    expect(await app.gql(`{ viewer { id } }`, {}, "approver2")).toMatchObject({
      errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
    });
    const refused = await app.gql(
      `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) { action { id } } }`,
      { input: proposalOf("crm", "get_contact") },
      "agent",
    );
    expect(refused.errors).toMatchObject([{ extensions: { code: "LEDGER_UNAVAILABLE" } }]);
    await waitUntil(async () => (await ready()).status === 200);
    expect((await ready()).body).toMatchObject({ ready: true, regions: { us: true } });
  });

  it("is served by a server that is started meanwhile", async () => {
    await app.stop();
    app = await startApp({ databaseUrl: proxy.url, dataDir: app.dataDir, environment });
    expect(await work()).toBe("SUCCEEDED");
    expect(await app.gql(`{ viewer { id } }`, {}, "approver2")).toMatchObject({
      errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
    });
    const { pendingApprovals } = await app.ask<{ pendingApprovals: object }>(
      `{ pendingApprovals(first: 1) { nodes { id } unreadRegions } }`,
      {},
      "approver",
    );
    expect(pendingApprovals).toEqual({ nodes: [], unreadRegions: ["eu"] });
  });

  it("has the home region back once its database is", async () => {
    proxy = await startProxy(eu.appUrl, Number(new URL(proxy.url).port));
    await waitUntil(async () => app.lines.some((line) => line.includes("the home region is served")));
    const proposed = await act("proposeAction", "ProposeActionInput", proposalOf("crm", "get_contact"), "agent");
    expect(proposed.action.status).toBe("ALLOWED");
    expect(await work()).toBe("SUCCEEDED");
    const { verifyLedger } = await app.ask<{ verifyLedger: object }>(
      `{ verifyLedger(region: "us") { verdict } }`,
      {},
      "auditor",
    );
    expect(verifyLedger).toEqual({ verdict: "INTACT" });
  });
});
