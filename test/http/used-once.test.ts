import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { calculateJwkThumbprint } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signed, testKey } from "../domain/identity/clients/requests.ts";
import { openBrowser } from "../support/browser.ts";
import { startIdentityProvider } from "../support/identity-provider.ts";
import { type DpopKey, makeDpopKey, signInAt } from "../support/oauth-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";
import { startSignInServer } from "./sign-in-server.ts";

/** Where clients reach both servers, behind a proxy that this test does without. */
const PUBLIC_URL = "http://127.0.0.1:9";
const AGENT = "https://agent.example";

const agentKey = testKey();
let database: TestDatabase;
let keys: string;
let servers: readonly [Api, Api];
let key: DpopKey;
let token: string;

beforeAll(async () => {
  [database, keys, key] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), "countersign-keys-")),
    makeDpopKey(),
  ]);
  const start = () =>
    startApi(database.appUrl, {
      publicUrl: PUBLIC_URL,
      keyFile: join(keys, "keys.json"),
      identityFile: { signatureAgents: { [AGENT]: { keys: [agentKey.jwk] } } },
    });
  servers = [await start(), await start()];
  const jkt = await calculateJwkThumbprint(key.jwk);
  token = await servers[0].sign({ sub: "mia", org: "acme", kind: "HUMAN", roles: [], groups: [], cnf: { jkt } });
});

afterAll(async () => {
  await Promise.all((servers ?? []).map((server) => server.close()));
  await database?.drop();
  await rm(keys, { recursive: true, force: true });
});

const proofFor = (method = "POST") => key.proof({ method, url: `${PUBLIC_URL}/graphql`, token });

async function show({ post }: Pick<Api, "post">, proof: string, headers: Record<string, string> = {}) {
  const query = "mutation { startSession(input: {}) { session { client { confidence } } } }";
  const given = { authorization: `DPoP ${token}`, dpop: proof, ...headers };
  const response = await post(JSON.stringify({ query }), given);
  return (await response.json()) as {
    readonly data?: {
      readonly startSession: { readonly session: { readonly client: { readonly confidence: string } } };
    };
    readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[];
  };
}

describe("two servers of one installation", () => {
  it("accept a proof of a key once between them, one after the other and at once", async () => {
    const [one, other] = servers;
    const proof = await proofFor();
    expect((await show(one, proof)).errors).toBeUndefined();
    const again = [await show(other, proof), await show(one, proof)];
    expect(again.map(({ errors }) => errors?.[0])).toEqual([
      expect.objectContaining({ message: expect.stringContaining("jti was used before") }),
      expect.objectContaining({ extensions: expect.objectContaining({ code: "UNAUTHENTICATED" }) }),
    ]);
    for (let round = 0; round < 5; round += 1) {
      const shared = await proofFor();
      const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => show(n % 2 ? one : other, shared)));
      expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(1);
    }
  });

  it("accept it once between a request and a WebSocket", async () => {
    const [one, other] = servers;
    const dpop = await proofFor("GET");
    const open = async ({ wsUrl }: Api) => {
      const socket = await openSocket(wsUrl);
      socket.send({ type: "connection_init", payload: { authorization: `DPoP ${token}`, dpop } });
      return socket;
    };
    const first = await open(one);
    await first.next(({ type }) => type === "connection_ack");
    const copy = await open(other);
    expect(await copy.closed).toMatchObject({ code: 4403 });
    first.socket.close();
  });

  it("believe the signature of a request once between them", async () => {
    const components = ["@authority", "@method", "@path", "signature-agent"];
    const headers = await signed(
      { "signature-agent": `"${AGENT}"` },
      { key: agentKey, tag: "web-bot-auth", components, url: `${PUBLIC_URL}/graphql` },
    );
    const proofs = await Promise.all(Array.from({ length: 8 }, () => proofFor()));
    const answers = await Promise.all(proofs.map((proof, n) => show(servers[n % 2] as Api, proof, headers)));
    const confidences = answers.map(({ data }) => data?.startSession.session.client.confidence).sort();
    expect(confidences).toEqual([...new Array<string>(7).fill("HEADER"), "SIGNED"]);
  });

  it("refuse a proof while it cannot be remembered, and say that it is not the caller's fault", async () => {
    const [one] = servers;
    const url = new URL(database.superuserUrl);
    url.pathname = "/no_such_database";
    const dark = await startApi(database.appUrl, {
      publicUrl: PUBLIC_URL,
      keyFile: join(keys, "keys.json"),
      identityDatabaseUrl: url.href,
    });
    try {
      const proof = await proofFor();
      const refused = await show(dark, proof);
      expect(refused.errors?.map(({ extensions }) => extensions.code)).toEqual(["LEDGER_UNAVAILABLE"]);
      const socket = await openSocket(dark.wsUrl);
      socket.send({
        type: "connection_init",
        payload: { authorization: `DPoP ${token}`, dpop: await proofFor("GET") },
      });
      expect(await socket.closed).toMatchObject({ code: 1013 });
      expect((await show(one, proof)).errors).toBeUndefined();
    } finally {
      await dark.close();
    }
  });
});

describe("a sign-in", () => {
  it("that began at one server is completed by another, once between them", async () => {
    const users = { ada: { name: "Ada", email: "ada@acme.example", roles: [], groups: [] } };
    const client = { clientId: "console", clientSecret: "a secret of this test" };
    const provider = await startIdentityProvider({
      audience: "countersign",
      users,
      clients: [
        {
          client_id: client.clientId,
          client_secret: client.clientSecret,
          redirect_uris: [`${PUBLIC_URL}/auth/callback`],
        },
      ],
    });
    const { issuer } = provider;
    const start = () =>
      startSignInServer(database.appUrl, {
        publicUrl: PUBLIC_URL,
        keyFile: join(keys, "keys.json"),
        issuers: [{ issuer, organization: "acme" }],
        signIn: [{ issuer, ...client }],
      });
    const [one, other] = [await start(), await start()];
    try {
      const back = async () => {
        const browser = openBrowser();
        const { url } = await signInAt(browser, `${one.url}/auth/login?returnTo=/livez`, "ada", PUBLIC_URL);
        const cookie = `countersign-sign-in=${browser.cookie(one.url, "countersign-sign-in")}`;
        return (at: { readonly url: string }) =>
          fetch(`${at.url}/auth/callback${url.search}`, {
            headers: { cookie, accept: "application/json" },
            redirect: "manual",
          });
      };
      const crossing = await back();
      const arrived = await crossing(other);
      expect([arrived.status, arrived.headers.get("location")]).toEqual([303, `${PUBLIC_URL}/livez`]);
      const again = await crossing(one);
      expect([again.status, ((await again.json()) as { code: string }).code]).toEqual([400, "REPLAYED"]);
      const before = await one.entries();

      const racing = await back();
      const raced = await Promise.all(Array.from({ length: 8 }, (_, n) => racing(n % 2 ? one : other)));
      expect(raced.filter(({ status }) => status === 303)).toHaveLength(1);
      const codes = await Promise.all(
        raced.flatMap((response) => (response.status === 303 ? [] : [response.json() as Promise<{ code: string }>])),
      );
      expect(codes).toEqual(new Array(7).fill(expect.objectContaining({ code: "REPLAYED" })));
      expect(await one.entries()).toHaveLength(before.length + 1);
    } finally {
      await Promise.all([one.close(), other.close(), provider.close()]);
    }
  });
});
