import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as connectTo, type NetConnectOpts, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createPeers } from "../../src/http/peers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { openSocket } from "./client.ts";
import { type Api, type ApiOptions, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await api?.close();
  api = undefined;
});
afterAll(() => database?.drop());

async function start(options: ApiOptions): Promise<Api> {
  api = await startApi(database.appUrl, options);
  return api;
}

interface RawConnection {
  readonly socket: Socket;
  /** What came so far. */
  text(): string;
  readonly closed: Promise<void>;
}

async function open({ url }: Api, options: Partial<NetConnectOpts> = {}): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connectTo({ host: hostname, port: Number(port), ...options });
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await once(socket, "connect");
  return { socket, text: () => text, closed };
}

function requestText(api: Api, query: string, token: string): string {
  const body = JSON.stringify({ query });
  return [
    "POST /graphql HTTP/1.1",
    `host: ${new URL(api.url).host}`,
    `authorization: Bearer ${token}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
}

const responses = ({ text }: RawConnection) => text().split("HTTP/1.1 200").length - 1;
const LIVEZ = "GET /livez HTTP/1.1\r\nhost: here\r\n\r\n";

describe("connections", () => {
  it("are bounded in all, and one that ends makes room", async () => {
    const api = await start({ connectionLimits: { connections: 3 } });
    const held = [await open(api), await open(api), await open(api)];
    const fourth = await open(api);
    await fourth.closed;
    expect(await api.metrics()).toContain('countersign_connections_refused_total{limit="all"} 1');
    expect(await api.metrics()).toContain("countersign_connections 3");
    held[0]?.socket.destroy();
    await expect.poll(async () => (await api.metrics()).includes("countersign_connections 2")).toBe(true);
    held[1]?.socket.write(LIVEZ);
    await expect.poll(() => responses(held[1]!)).toBe(1);
    expect((await fetch(new URL("/livez", api.url))).status).toBe(200);
    for (const { socket } of held) socket.destroy();
  });

  it("are bounded for an address, and not for a proxy", async () => {
    const peers = createPeers(["127.0.0.3/32"]);
    const api = await start({ connectionLimits: { connectionsPerAddress: 2 }, peers });
    const from = (localAddress: string) => open(api, { localAddress });
    const held = [await from("127.0.0.2"), await from("127.0.0.2")];
    await (await from("127.0.0.2")).closed;
    expect(await api.metrics()).toContain('countersign_connections_refused_total{limit="address"} 1');
    for (let at = 0; at < 3; at++) {
      const proxied = await from("127.0.0.3");
      proxied.socket.write(LIVEZ);
      await expect.poll(() => responses(proxied)).toBe(1);
      held.push(proxied);
    }
    for (const { socket } of held) socket.destroy();
  });

  it.each([
    ["nothing", ""],
    ["half of a head", "POST /graphql HTTP/1.1\r\nhost: h"],
  ])("on which %s is sent are closed", async (_, text) => {
    const api = await start({ connectionLimits: { headerTimeout: 200 } });
    const connection = await open(api);
    connection.socket.write(text);
    await connection.closed;
  });

  it("that are idle after a response are closed", async () => {
    const api = await start({ connectionLimits: { idleTimeout: 200 } });
    const connection = await open(api);
    connection.socket.write(LIVEZ);
    await connection.closed;
    expect(responses(connection)).toBe(1);
  });

  it("serve requests that are sent ahead one after the other, and only a few of them", async () => {
    let running = 0;
    let most = 0;
    const api = await start({
      services: (services) => ({
        ...services,
        async verify(ledger, range) {
          running += 1;
          most = Math.max(most, running);
          try {
            return await services.verify(ledger, range);
          } finally {
            running -= 1;
          }
        },
      }),
    });
    await api.gql("{ledger{head{seq}}}", {}, { as: "auditor" });
    const text = requestText(api, "{verifyLedger{verdict}}", await api.token("auditor"));
    const some = await open(api);
    some.socket.write(text.repeat(5));
    await expect.poll(() => responses(some), { timeout: 20_000 }).toBe(5);
    expect(most).toBe(1);
    some.socket.destroy();
    const many = await open(api);
    many.socket.write(text.repeat(50));
    await many.closed;
    expect(responses(many)).toBeLessThan(20);
  });
});

describe("plain HTTP", () => {
  it("from elsewhere than this machine or a proxy is refused, but for the probes", async () => {
    const api = await start({ peers: { isProxy: () => false, mayUsePlainHttp: () => false } });
    const answer = await api.post('{"query":"{__typename}"}');
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining("use https")]);
    await expect(openSocket(api.wsUrl)).rejects.toThrow("403");
    expect((await fetch(new URL("/livez", api.url))).status).toBe(200);
  });
});

describe("a response that is not read", () => {
  it("is given up after a time, and does not stay in memory", async () => {
    const api = await start({
      connectionLimits: { sendTimeout: 300 },
      responseLimits: { responseBytes: 32 * 1_048_576 },
    });
    const text = "x".repeat(50_000);
    const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
    const propose = () =>
      api.gql(
        query,
        { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: { text } } },
        { as: "agent" },
      );
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 20 }, propose));
    const connection = await open(api);
    connection.socket.pause();
    const large = '{auditEntries(first:200,filter:{types:["ACTION_PROPOSED"]}){nodes{body arguments}}}';
    connection.socket.write(requestText(api, large, await api.token("auditor")));
    await expect.poll(api.metrics, { timeout: 20_000 }).toContain("countersign_slow_subscribers_total 1");
    connection.socket.resume();
    await connection.closed;
    const [head = ""] = connection.text().split("\r\n\r\n");
    expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBeGreaterThan(connection.text().length);
  });

  it("by a client that reads slowly, but reads, is sent whole", async () => {
    const api = await start({ connectionLimits: { sendTimeout: 300 } });
    const connection = await open(api);
    const large = '{auditEntries(first:200,filter:{types:["ACTION_PROPOSED"]}){nodes{body arguments}}}';
    connection.socket.pause();
    connection.socket.write(requestText(api, large, await api.token("auditor")));
    const sips = setInterval(() => {
      connection.socket.resume();
      setTimeout(() => connection.socket.pause(), 2);
    }, 20);
    const isWhole = () => {
      const [head = "", ...body] = connection.text().split("\r\n\r\n");
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      return length !== undefined && body.join("\r\n\r\n").length === Number(length);
    };
    await expect.poll(isWhole, { timeout: 30_000 }).toBe(true);
    clearInterval(sips);
    connection.socket.destroy();
  });
});
