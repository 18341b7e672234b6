import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createAuthenticator } from "../../src/domain/identity/authenticate.ts";
import { AuthenticationError } from "../../src/domain/identity/errors.ts";
import { trustIssuer } from "../../src/domain/identity/tokens/issuers.ts";
import { createUsedOnce } from "../../src/domain/identity/used-once.ts";
import { BAD_TOKENS, INVISIBLE_TOKENS } from "../domain/identity/bad-tokens.ts";
import { createKey, type Provider, startProvider } from "../domain/identity/provider.ts";
import { useDatabase } from "../domain/identity/use-database.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect, openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

const db = useDatabase();
let provider: Provider;
let database: TestDatabase;
let api: Api;
/** Why calls were refused, as a counter would hear of it. */
let refused: string[];
/** Milliseconds by which the server's clock is ahead. */
let ahead = 0;

beforeAll(async () => {
  provider = await startProvider();
  const now = () => Date.now() + ahead;
  const issuers = [trustIssuer(provider.settings({ jwksMaxStale: 3600 }), { now })];
  // Nothing remembered: each way of calling is refused for itself, and not because another was.
  const { authenticate } = createAuthenticator({ issuers, now, remembered: 1, usedOnce: createUsedOnce({ db }) });
  database = await createTestDatabase();
  api = await startApi(database.appUrl, {
    identity: (identity) => ({
      ...identity,
      authenticate,
      refused: (error) => void refused.push(error instanceof AuthenticationError ? error.reason : String(error)),
    }),
  });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
  await provider?.stop();
});

beforeEach(() => {
  refused = [];
});

const FOLLOW = JSON.stringify({ query: "subscription{auditEntries{cursor entry{seq}}}" });
const propose = () =>
  JSON.stringify({
    query: "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id} userErrors{code}}}",
    variables: { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} } },
  });

/** What was written down, other than that somebody was refused. */
async function written(): Promise<readonly string[]> {
  const { rows } = await api.services.pool.query<{ type: string }>(
    "SELECT type FROM oc_audit_log WHERE type NOT IN ('LEDGER_CREATED', 'POLICY_STARTED', 'AUTHENTICATION_REFUSED')",
  );
  return rows.map(({ type }) => type);
}

interface Outcome {
  /** The status, or the code that closed the connection. */
  readonly status: number;
  readonly text: string;
}

interface Raw {
  readonly path?: string;
  readonly headers: readonly string[];
  readonly body?: string;
}

/** A request whose headers are exactly these, twice if they are there twice. */
async function send({ headers, body }: Raw): Promise<Outcome> {
  const { host } = new URL(api.url);
  const sent = request(api.url, {
    method: body === undefined ? "GET" : "POST",
    headers: ["host", host, ...headers, ...(body === undefined ? [] : ["content-length", String(body.length)])],
  });
  sent.on("upgrade", (_response, socket) => socket.destroy());
  sent.end(body);
  const [response] = (await Promise.race([once(sent, "response"), once(sent, "upgrade")])) as [IncomingMessage];
  if (response.statusCode === 101) return { status: 101, text: "" };
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += part;
  return { status: response.statusCode ?? 0, text: `${JSON.stringify(response.headers)}${text}` };
}

const UPGRADE = [
  ...["connection", "Upgrade", "upgrade", "websocket", "sec-websocket-version", "13"],
  ...["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol", "graphql-transport-ws"],
];
const json = ["content-type", "application/json"];

/** Every way a token can come, and the status that refuses it. */
const WAYS = {
  HTTP: {
    status: 401,
    call: (authorization: readonly string[]) => send({ headers: [...json, ...authorization], body: propose() }),
  },
  SSE: {
    status: 401,
    call: (authorization: readonly string[]) =>
      send({ headers: [...json, "accept", "text/event-stream", ...authorization], body: FOLLOW }),
  },
  "a WebSocket's upgrade": {
    status: 401,
    call: (authorization: readonly string[]) => send({ headers: [...UPGRADE, ...authorization] }),
  },
} as const;
type IndexLookup = keyof typeof WAYS;
const ways = Object.keys(WAYS) as IndexLookup[];

async function initialise(payload: object): Promise<Outcome> {
  const client = await openSocket(api.wsUrl);
  client.send({ type: "connection_init", payload });
  const { code, reason } = await client.closed;
  return { status: code, text: `${reason}${JSON.stringify(client.messages)}` };
}

/** Nothing of the token may be in the answer or in the log: not even the claims it was made of. */
function expectNoTrace(token: string, answer: string): void {
  const parts = token.split(".").filter(({ length }) => length > 20);
  for (const part of parts) {
    expect(answer).not.toContain(part);
    expect(api.logged.join("")).not.toContain(part);
  }
}

const HOSTILE = [...BAD_TOKENS, ...INVISIBLE_TOKENS.filter(({ name }) => name.includes("right-to-left"))]
  // Sixteen kilobytes of headers are refused before anybody looks for a token among them.
  .filter(({ name }) => name !== "of 17 kB");

describe.each(ways)("over %s, a token", (way) => {
  it.each(HOSTILE)("$name is refused, and leaves no trace", async ({ make, reason }) => {
    const token = await make(provider);
    const { status, text } = await WAYS[way].call(["authorization", `Bearer ${token}`]);
    expect(status).toBe(WAYS[way].status);
    if (way !== "a WebSocket's upgrade") expect(text).toContain('"code":"UNAUTHENTICATED"');
    expect(refused).toEqual([reason]);
    expectNoTrace(token, text);
    expect(await written()).toEqual([]);
  });

  it("that comes twice is refused, be it the same", async () => {
    const token = await provider.sign();
    const { status, text } = await WAYS[way].call([
      ...["authorization", `Bearer ${token}`],
      ...["Authorization", `Bearer ${token}`],
    ]);
    expect(status).toBe(WAYS[way].status);
    expectNoTrace(token, text);
    expect(await written()).toEqual([]);
  });

  it.each([17_000, 100_000, 1_000_000])("of %i bytes is refused before it is read", async (bytes) => {
    const token = `x${"y".repeat(bytes)}`;
    const { status, text } = await WAYS[way].call(["authorization", `Bearer ${token}`]).catch((error: Error) => {
      // The server may hang up while the header is still on its way.
      expect(String(error)).toMatch(/ECONNRESET|EPIPE|hang up/);
      return { status: 431, text: "" };
    });
    expect(status).toBe(431);
    expectNoTrace(token, text);
    expect(await written()).toEqual([]);
  });

  it.each(["Bearer", "Bearer  ", "Basic YTpi", "Bearer a b", "bearer\tx", "DPoP", "Negotiate x", "Bearer é"])(
    "named by %j is refused",
    async (value) => {
      const { status } = await WAYS[way].call(["authorization", Buffer.from(value).toString("latin1")]);
      expect(status).toBe(WAYS[way].status);
      expect(await written()).toEqual([]);
    },
  );
});

describe("over a WebSocket's parameters, a token", () => {
  it.each(HOSTILE)("$name is refused, and leaves no trace", async ({ make, reason }) => {
    const token = await make(provider);
    const { status, text } = await initialise({ authorization: `Bearer ${token}` });
    expect(status).toBe(4403);
    expect(refused).toEqual([reason]);
    expectNoTrace(token, text);
    expect(await written()).toEqual([]);
  });

  it.each([17_000, 32_000])("of %i bytes is refused before it is verified", async (bytes) => {
    const token = `x${"y".repeat(bytes)}`;
    const { status, text } = await initialise({ authorization: `Bearer ${token}` });
    expect(status).toBe(4403);
    expect(refused).toEqual(["BAD_TOKEN"]);
    expectNoTrace(token, text);
  });
});

describe("an issuer whose keys cannot be fetched", () => {
  it("keeps those who come with keys at hand, and nobody once those are too old", async () => {
    const token = () => provider.sign({ jti: randomUUID() }, { ttl: 36_000 });
    const outcomes = async () => {
      const statuses: number[] = [];
      for (const way of ways.filter((name) => name !== "SSE")) {
        statuses.push((await WAYS[way].call(["authorization", `Bearer ${await token()}`])).status);
      }
      return statuses;
    };
    expect((await WAYS["a WebSocket's upgrade"].call(["authorization", `Bearer ${await token()}`])).status).toBe(101);
    await provider.stop();
    try {
      ahead = 3_000_000;
      expect((await WAYS["a WebSocket's upgrade"].call(["authorization", `Bearer ${await token()}`])).status).toBe(101);
      const stranger = await provider.sign({}, { key: await createKey("new"), ttl: 36_000 });
      expect((await WAYS.HTTP.call(["authorization", `Bearer ${stranger}`])).status).toBe(401);
      ahead = 3_700_000;
      expect(await outcomes()).toEqual([401, 401]);
      expect(refused).toEqual(["KEYS_UNAVAILABLE", "KEYS_UNAVAILABLE", "KEYS_UNAVAILABLE"]);
      expect(await written()).toEqual([]);
    } finally {
      await provider.start();
      ahead = 3_800_000;
    }
    expect((await WAYS["a WebSocket's upgrade"].call(["authorization", `Bearer ${await token()}`])).status).toBe(101);
    ahead = 0;
  });
});

describe("a token bound to a key", () => {
  it("is worth nothing without a fresh proof for the request", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = await exportJWK(publicKey);
    const token = await provider.sign({ cnf: { jkt: await calculateJwkThumbprint(jwk) } });
    const prove = (htm: string, htu: string) =>
      new SignJWT({ jti: randomUUID(), htm, htu, ath: createHash("sha256").update(token).digest("base64url") })
        .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk })
        .setIssuedAt()
        .sign(privateKey);
    const viewer = (headers: Record<string, string>) =>
      api.post('{"query":"{viewer{id}}"}', headers).then((response) => response.json());
    const authorization = `DPoP ${token}`;
    const dpop = await prove("POST", api.url);
    expect(await viewer({ authorization, dpop })).toEqual({ data: { viewer: { id: expect.any(String) } } });
    const stolen = [
      { authorization: `Bearer ${token}` },
      { authorization },
      { authorization, dpop },
      { authorization, dpop: await prove("GET", api.url) },
      { authorization, dpop: await prove("POST", `${api.url}/other`) },
    ];
    for (const headers of stolen) {
      expect(await viewer(headers as Record<string, string>)).toMatchObject({
        errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
      });
    }
    expect(refused).toEqual(["DPOP_REQUIRED", "DPOP_REQUIRED", "DPOP_INVALID", "DPOP_INVALID", "DPOP_INVALID"]);
  });
});

describe("an honest token", () => {
  it("is accepted over every transport, and what it does is recorded", async () => {
    const authorization = ["authorization", `Bearer ${await provider.sign({ act: { sub: "agent-7" } })}`];
    expect((await WAYS.HTTP.call(authorization)).text).toContain('"userErrors":[]');
    expect((await WAYS["a WebSocket's upgrade"].call(authorization)).status).toBe(101);
    const client = await connect(api.wsUrl, await provider.sign({ roles: ["auditor"] }));
    client.socket.close();
    expect(await written()).toEqual(["ACTION_PROPOSED"]);
    expect(refused).toEqual([]);
  });
});
