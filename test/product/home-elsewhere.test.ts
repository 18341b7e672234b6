import { randomUUID } from "node:crypto";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { startWebhookReceiver } from "../channels/webhook-receiver.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { textsOf } from "../support/texts-of-tables.ts";
import { makeCatalog } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

/** Two servers of an installation: one has the database of the home region, eu, alone, the other that of us alone. */
let eu: TestDatabase;
let us: TestDatabase;
let home: App;
let abroad: App;
let keyFile: string;
let environmentOfUs: Record<string, string>;

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const [{ dataDir, catalog }, dataDirOfUs] = await Promise.all([makeCatalog(), makeDataDir()]);
  keyFile = path.join(dataDir, "keys.json");
  home = await startApp({
    databaseUrl: eu.appUrl,
    dataDir,
    environment: {
      CATALOG: catalog,
      REGION_ADDRESSES: "us=https://us.countersign.example",
      CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
    },
  });
  await copyFile(keyFile, path.join(dataDirOfUs, "keys.json"));
  environmentOfUs = {
    CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
    CHANNEL_INTERVAL: "0.1",
    CATALOG: catalog,
    REGIONS: `us=${us.appUrl}`,
    REGION_ADDRESSES: `eu=${new URL(home.url).origin}`,
  };
  abroad = await startApp({ dataDir: dataDirOfUs, environment: environmentOfUs });
});

afterAll(async () => {
  await Promise.all([home.stop(), abroad.stop()]);
  await Promise.all([forget(home), forget(abroad)]);
  await Promise.all([eu.drop(), us.drop()]);
});

type Who = Parameters<App["ask"]>[2];

interface Acted {
  readonly action: { readonly id: string; readonly digest: string; readonly status: string } | null;
  readonly grant?: { readonly token: string };
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}

/** By the built-in issuer of the installation, whose keys both servers have. */
async function send<Data>(app: App, query: string, variables: object, as: Who) {
  return app.post<Data>(query, variables, await home.token(as));
}

async function act(field: string, type: string, input: object, as: Who, more = ""): Promise<Acted> {
  const query = `mutation ($input: ${type}!) { ${field}(input: $input) { action { id digest status } ${more} userErrors { code message } } }`;
  const { data, errors } = await send<Record<string, Acted>>(abroad, query, { input }, as);
  expect(errors).toBeUndefined();
  return data?.[field] as Acted;
}

const proposalOf = (platform: string, tool: string, values: object = {}) => ({
  idempotencyKey: randomUUID(),
  platform,
  tool,
  arguments: { n: randomUUID(), ...values },
});

/** From proposal to outcome, with an approval. */
async function work(): Promise<string | undefined> {
  const { action } = await act("proposeAction", "ProposeActionInput", proposalOf("sheets", "append_row"), "agent");
  expect(action?.status).toBe("PENDING");
  const { id: actionId, digest } = action ?? {};
  await act("approveAction", "ApproveActionInput", { actionId, digest }, "approver");
  const { grant } = await act("claimGrant", "ClaimGrantInput", { actionId }, "agent", "grant { token }");
  await act("redeemGrant", "RedeemGrantInput", { token: grant?.token, digest }, "agent");
  const outcome = { actionId, outcome: "SUCCEEDED", result: { ok: true } };
  return (await act("completeAction", "CompleteActionInput", outcome, "agent")).action?.status;
}

async function atHome<Data>(query: string, variables: object, as: Who): Promise<Data> {
  return home.ask<Data>(query, variables, as);
}

/** Of the ledger of us, the latest first. */
async function copiedUpTo(): Promise<bigint> {
  const { data } = await send<{ auditEntries: { nodes: { body: { home: { seq: string } } }[] } }>(
    abroad,
    `{ auditEntries(newestFirst: true, first: 1, filter: { types: ["HOME_COPIED"] }) { nodes { body } } }`,
    {},
    "auditor",
  );
  return BigInt(data?.auditEntries.nodes[0]?.body.home.seq ?? 0);
}

describe("a server without the home region's database", () => {
  it("is served nothing before anybody of the organization is known at home, and then works by copies", async () => {
    // What begins with a policy at home begins there.
    await atHome(
      `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) { action { id } userErrors { code } } }`,
      { input: proposalOf("crm", "get_contact", { text: "FOR-EU-ONLY" }) },
      "agent",
    );
    await waitUntil(async () => (await send(abroad, `{ viewer { id } }`, {}, "auditor")).errors === undefined);
    expect(await work()).toBe("SUCCEEDED");
  });

  it("refuses what belongs to the home region with the address that serves it, and keeps nothing of it", async () => {
    const address = new URL(home.url).origin;
    const proposed = await act(
      "proposeAction",
      "ProposeActionInput",
      proposalOf("crm", "get_contact", { text: "FOR-EU-ONLY" }),
      "agent",
    ).catch((error: unknown) => error);
    const refused = await send(
      abroad,
      `mutation ($input: SuspendPrincipalInput!) { suspendPrincipal(input: $input) { userErrors { code } } }`,
      { input: { principalId: "approver2", reason: "Left." } },
      "admin",
    );
    expect(JSON.stringify([proposed, refused])).toContain("REGION_ELSEWHERE");
    expect(refused.errors).toMatchObject([{ extensions: { code: "REGION_ELSEWHERE" } }]);
    expect(refused.errors?.[0]?.message).toContain(address);
    expect(await textsOf(us)).not.toContain("FOR-EU-ONLY");
    expect(abroad.lines.join("\n")).not.toContain("FOR-EU-ONLY");
  });

  it("refuses whom the home region suspended, a second or two later", async () => {
    const { suspendPrincipal } = await atHome<{ suspendPrincipal: { entry: { seq: string } } }>(
      `mutation ($input: SuspendPrincipalInput!) { suspendPrincipal(input: $input) { entry { seq } userErrors { code } } }`,
      { input: { principalId: "approver2", reason: "Left." } },
      "admin",
    );
    await waitUntil(async () => (await copiedUpTo()) >= BigInt(suspendPrincipal.entry.seq));
    const refusal = async () =>
      (await send(abroad, `{ viewer { id } }`, {}, "approver2")).errors?.[0]?.extensions?.code;
    await waitUntil(async () => (await refusal()) === "UNAUTHENTICATED");
  });

  it("tells of its actions by a channel that was configured at home", async () => {
    const receiver = await startWebhookReceiver();
    const webhook = {
      url: `${receiver.url}/hook`,
      signingSecrets: [`whsec_${Buffer.alloc(32, 7).toString("base64")}`],
    };
    const { configureChannel } = await atHome<{ configureChannel: { channel: object } }>(
      `mutation ($input: ConfigureChannelInput!) { configureChannel(input: $input) { channel { name } userErrors { code message } } }`,
      { input: { name: "siem", webhook } },
      "admin",
    );
    expect(configureChannel).toMatchObject({ channel: { name: "siem" }, userErrors: [] });
    await waitUntil(async () => {
      await act("proposeAction", "ProposeActionInput", proposalOf("sheets", "append_row"), "agent");
      return receiver.received.length > 0;
    });
    expect(receiver.received[0]?.body).toContain("append_row");
    await receiver.close();
  });

  it("reads what is in its own region where none is named, and is ready", async () => {
    const { data } = await send<Record<string, object>>(
      abroad,
      `{ ledger { id } verifyLedger { verdict } actions(first: 1) { nodes { platform } asOf { region } } }`,
      {},
      "auditor",
    );
    expect(data).toMatchObject({
      ledger: { id: "acme/us" },
      verifyLedger: { verdict: "INTACT" },
      actions: { nodes: [{ platform: "sheets" }], asOf: [{ region: "us" }] },
    });
    const response = await fetch(new URL("/readyz", abroad.operationsUrl));
    expect(await response.json()).toMatchObject({ ready: true, regions: { us: true } });
  });

  it("works while no server of the home region responds, also when it is started then", async () => {
    await home.stop();
    expect(await work()).toBe("SUCCEEDED");
    await abroad.stop();
    abroad = await startApp({ dataDir: abroad.dataDir, environment: environmentOfUs });
    expect(await work()).toBe("SUCCEEDED");
    expect(await send(abroad, `{ viewer { id } }`, {}, "approver2")).toMatchObject({
      errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
    });
  });
});

describe("what servers of other regions ask", () => {
  const post = (app: App, body: string, method = "POST") =>
    fetch(new URL("/regions/home", app.url), { method, ...(method === "POST" ? { body } : {}) });
  const sealedBy = (secret: Uint8Array, audience: string, claims: object = {}) =>
    new SignJWT({
      since: [{ organization: "acme", after: "0", copied: { seq: "0", hash: "" }, withSignIns: false }],
      ...claims,
    })
      .setProtectedHeader({ alg: "HS256" })
      .setAudience(audience)
      .setJti("one")
      .setIssuedAt()
      .setExpirationTime("1 minute")
      .sign(secret);

  it("is told to servers of the installation alone, and nowhere but at home", async () => {
    home = await startApp({
      databaseUrl: eu.appUrl,
      dataDir: home.dataDir,
      environment: { CATALOG: environmentOfUs.CATALOG ?? "", REGION_ADDRESSES: "us=https://us.countersign.example" },
    });
    const secret = (await loadKeys(keyFile)).secret("regions");
    expect((await post(home, await sealedBy(secret, "home eu"))).status).toBe(200);
    const refused = [
      await sealedBy(new Uint8Array(32), "home eu"),
      await sealedBy(secret, "home us"),
      await sealedBy(secret, "home eu", {
        since: [{ organization: "acme", after: "-1", copied: { seq: "0", hash: "" }, withSignIns: false }],
      }),
      await sealedBy(secret, "home eu", { since: "all" }),
      "",
      "a.b.c",
    ];
    for (const body of refused) expect((await post(home, body)).status, body.slice(0, 40)).toBe(401);
    expect((await post(home, "", "GET")).status).toBe(405);
    expect((await post(home, "x".repeat(300_000))).status).toBe(413);
    expect((await post(abroad, await sealedBy(secret, "home eu"))).status).toBe(404);
  });
});
