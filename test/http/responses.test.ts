import { randomUUID } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { codesOf, connect } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

const MEGABYTE = 2 ** 20;
/** Each has a quarter of a megabyte in its body. */
const ENTRIES = 12;
const TEXT = "x".repeat(250_000);

let database: TestDatabase;
let api: Api;
/** Responses of this one may be larger than what the kernel takes of a connection that nobody reads. */
let generous: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, {
    responseLimits: { responseBytes: 6 * MEGABYTE },
    snapshots: { connections: 2, maxBytes: 2 * MEGABYTE },
  });
  generous = await startApi(database.appUrl, {
    responseLimits: { responseBytes: 32 * MEGABYTE, unreadBytes: 80 * MEGABYTE },
    socketLimits: { requestsPerPrincipal: 4 },
  });
  for (let at = 0; at < ENTRIES; at++) {
    const input = {
      idempotencyKey: randomUUID(),
      platform: "crm",
      tool: "get_user_details",
      arguments: { at, text: TEXT },
    };
    const mutation = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
    const { data } = await api.gql(mutation, { input }, { as: "agent" });
    expect(data).toEqual({ proposeAction: { userErrors: [] } });
  }
});

afterAll(async () => {
  await generous?.close();
  await api?.close();
  await database?.drop();
});

const aliases = (count: number) => Array.from({ length: count }, (_, at) => `a${at}:body`).join(" ");
const codes = (errors: Awaited<ReturnType<Api["gql"]>>["errors"]) => errors?.map(({ extensions }) => extensions.code);

describe("an answer", () => {
  it("of few bytes of query is given up when it becomes too large, whole", async () => {
    const query = `{auditEntries(first:2,newestFirst:true,filter:{types:["ACTION_PROPOSED"]}){nodes{${aliases(30)}}}}`;
    expect(query.length).toBeLessThan(350);
    const { data, errors } = await api.gql(query, {}, { as: "auditor" });
    expect([data, codes(errors)]).toEqual([null, ["RESPONSE_TOO_LARGE"]]);
    expect(
      (await api.gql("{auditEntries(first:2,newestFirst:true){nodes{body}}}", {}, { as: "auditor" })).errors,
    ).toBeUndefined();
  });

  it("is given up over WebSocket too, and an event of a subscription", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({
      type: "subscribe",
      id: "1",
      payload: {
        query: `{auditEntries(first:2,newestFirst:true,filter:{types:["ACTION_PROPOSED"]}){nodes{${aliases(30)}}}}`,
      },
    });
    const { payload } = await client.next(({ id }) => id === "1");
    expect(payload).toMatchObject({ data: null, errors: [{ extensions: { code: "RESPONSE_TOO_LARGE" } }] });
    const query = (count: number) => `subscription{auditEntries(after:"2"){entry{${aliases(count)}}}}`;
    client.send({ type: "subscribe", id: "2", payload: { query: query(30) } });
    const event = await client.next(({ id }) => id === "2");
    expect(codesOf(event)).toEqual(["RESPONSE_TOO_LARGE"]);
    // Each event has a budget of its own.
    client.send({ type: "subscribe", id: "3", payload: { query: query(1) } });
    for (let at = 0; at < ENTRIES; at++) {
      expect(await client.next(({ id }) => id === "3")).toMatchObject({ payload: { data: { auditEntries: {} } } });
    }
    client.socket.close();
  });

  it("for which too much would have to be read is given up while that is read", async () => {
    const { data, errors } = await api.gql("{auditEntries(first:100){nodes{seq type}}}", {}, { as: "auditor" });
    // Rows are read whole.
    expect([data, codes(errors)]).toEqual([null, ["RESPONSE_TOO_LARGE"]]);
    expect(
      (await api.gql("{auditEntries(first:2,newestFirst:true){nodes{seq}}}", {}, { as: "auditor" })).errors,
    ).toBeUndefined();
    await expect.poll(() => api.snapshotPool.totalCount - api.snapshotPool.idleCount).toBe(0);
  });

  it("of a mutation that is too large says that the change was made", async () => {
    const input = {
      idempotencyKey: randomUUID(),
      platform: "crm",
      tool: "get_user_details",
      arguments: { text: TEXT },
    };
    const mutation = `mutation($input:ProposeActionInput!){proposeAction(input:$input){entry{${aliases(30)}}}}`;
    const { data, errors } = await api.gql(mutation, { input }, { as: "agent" });
    expect([data, codes(errors)]).toEqual([null, ["RESPONSE_TOO_LARGE"]]);
    expect(errors?.[0]?.message).toContain("what a mutation did is done");
  });
});

/** Sends a request over a connection of its own, and reads nothing. */
async function sendUnread(token: string, query: string): Promise<Socket> {
  const { hostname, port } = new URL(generous.url);
  const socket = connectTcp(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.pause();
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const body = JSON.stringify({ query });
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

const closedAsSlow = async () =>
  Number(/countersign_slow_subscribers_total (\d+)/.exec(await generous.metrics())?.[1] ?? 0);

describe("answers that nobody reads", () => {
  it("take a bounded number of bytes, at the cost of whoever has most", async () => {
    const query = `{auditEntries(first:3,newestFirst:true,filter:{types:["ACTION_PROPOSED"]}){nodes{${aliases(22)}}}}`;
    const reader = await connect(generous.wsUrl, await generous.token("auditor"));
    const tokens = await Promise.all(
      Array.from({ length: 3 }, (_, at) =>
        generous.sign({ sub: `auditor-${at}`, roles: ["auditor"], groups: [], org: "acme", kind: "HUMAN" }),
      ),
    );
    const sockets = await Promise.all(tokens.flatMap((token) => [1, 2].map(() => sendUnread(token, query))));
    await expect.poll(closedAsSlow, { timeout: 30_000 }).toBeGreaterThan(0);
    reader.send({ type: "subscribe", id: "1", payload: { query: "{viewer{id}}" } });
    expect(await reader.next(({ id }) => id === "1")).toMatchObject({ payload: { data: { viewer: {} } } });
    expect((await generous.gql("{auditEntries(first:1){nodes{body}}}", {}, { as: "approver" })).errors).toBeUndefined();
    for (const socket of sockets) socket.destroy();
    reader.socket.close();
  });

  it("keep a principal from having more requests under way, and nobody else", async () => {
    // Smaller in all than what may wait.
    const query = `{a:auditEntries(first:3,newestFirst:true,filter:{types:["ACTION_PROPOSED"]}){nodes{${aliases(22)}}}}`;
    const token = await generous.token("auditor");
    const sockets = await Promise.all([1, 2, 3, 4].map(() => sendUnread(token, query)));
    const asked = () => generous.gql("{viewer{id}}", {}, { token });
    // One of them may have been cut off for what those of the test before had left to read.
    const another = async () => {
      const { status } = await asked();
      if (status !== 429) sockets.push(await sendUnread(token, query));
      return status;
    };
    await expect.poll(another, { timeout: 60_000 }).toBe(429);
    const { headers, errors } = await asked();
    expect([headers.get("retry-after"), codes(errors)]).toEqual(["1", ["RATE_LIMITED"]]);
    const client = await connect(generous.wsUrl, token);
    client.send({ type: "subscribe", id: "1", payload: { query: "{viewer{id}}" } });
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual(["RATE_LIMITED"]);
    expect((await generous.gql("{viewer{id}}", {}, { as: "approver" })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await asked()).status).toBe(200);
    client.socket.close();
  }, 90_000);
});
