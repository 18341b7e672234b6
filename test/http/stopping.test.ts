import { once } from "node:events";
import { connect as connectTo, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect, openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** A server on which believing a token takes until `open` is called. */
async function startGated() {
  const open = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  let gated = false;
  const api = await startApi(database.appUrl, {
    socketLimits: { streamsPerPrincipal: 1 },
    identity: (identity) => ({
      ...identity,
      async authenticate(credentials) {
        if (gated) {
          entered.resolve();
          await open.promise;
        }
        return identity.authenticate(credentials);
      },
    }),
  });
  return {
    api,
    entered: entered.promise,
    open: () => open.resolve(),
    gate: () => {
      gated = true;
    },
    ungate: () => {
      gated = false;
    },
  };
}

const UPGRADE = [
  "connection: Upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
  "sec-websocket-protocol: graphql-transport-ws",
];

function requestText(path: string, headers: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, "host: localhost", ...headers, "", ""].join("\r\n");
}

/** A connection that never ends its own side first. */
async function rawConnection(api: Api): Promise<Socket> {
  const socket = connectTo({ port: Number(new URL(api.url).port), host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

async function statusLine(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return String(bytes).split("\r\n", 1)[0] ?? "";
}

describe("a server that stops", () => {
  it("refuses an upgrade that is still being authenticated", async () => {
    const { api, entered, open, gate } = await startGated();
    const authorization = `Bearer ${await api.token("auditor")}`;
    gate();
    const upgrade = openSocket(api.wsUrl, { headers: { authorization } });
    const outcome = expect(upgrade).rejects.toThrow("503");
    await entered;
    const closed = api.close();
    await outcome;
    open();
    await closed;
  });

  it("does not wait for an authentication that never ends", async () => {
    const { api, entered, gate, open } = await startGated();
    const authorization = `Bearer ${await api.token("auditor")}`;
    gate();
    const socket = await rawConnection(api);
    socket.write(requestText("/graphql", [...UPGRADE, `authorization: ${authorization}`]));
    await entered;
    await api.close();
    socket.destroy();
    open();
  });

  it("takes no upgrade while it closes the connections there are", async () => {
    const { api, entered, gate, open } = await startGated();
    const token = await api.token("auditor");
    // Does not read, and so does not confirm that it is closed.
    const deaf = await connect(api.wsUrl, token);
    deaf.socket.pause();
    // A connection with a request under way is not idle, and stays.
    gate();
    const busy = await rawConnection(api);
    busy.write(requestText("/graphql", [`authorization: Bearer ${token}`]));
    await entered;
    const closed = api.close();
    busy.write(requestText("/graphql", UPGRADE));
    expect(await statusLine(busy)).toContain("503");
    open();
    await closed;
    busy.destroy();
    deaf.socket.terminate();
  });

  it("does not wait for a client that was refused an upgrade and does not disconnect", async () => {
    const { api } = await startGated();
    const socket = await rawConnection(api);
    socket.write(requestText("/elsewhere", UPGRADE));
    expect(await statusLine(socket)).toContain("404");
    await api.close();
    socket.destroy();
  });
});

describe("a stream", () => {
  it("that was left while its token was looked at takes none of its owner's allowance", async () => {
    const { api, entered, open, gate, ungate } = await startGated();
    const token = await api.token("auditor");
    const follow = (signal?: AbortSignal) =>
      fetch(api.url, {
        method: "POST",
        headers: {
          accept: "text/event-stream",
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
        },
        body: '{"query":"subscription{auditEntries{cursor}}"}',
        signal: signal ?? null,
      });
    const leave = new AbortController();
    gate();
    const left = follow(leave.signal).then(() => "answered", String);
    await entered;
    leave.abort();
    expect(await left).toContain("abort");
    ungate();
    // By the time another connection is served, the server has seen that the first one ended.
    await fetch(new URL("/livez", api.url));
    open();
    await expect
      .poll(() => api.logged.filter((line) => line.includes('"msg":"request"')).length, { timeout: 5_000 })
      .toBe(1);
    const next = await follow();
    expect(next.status).toBe(200);
    await next.body?.cancel();
    await api.close();
  });
});
