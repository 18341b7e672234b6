import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { closeCodeOf, codesOf, connect, dataOf, openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, {
    heartbeat: 0.2,
    socketLimits: { initTimeout: 300, sendTimeout: 500, streamsPerPrincipal: 3, operationsPerSocket: 4 },
  });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const FOLLOW = "subscription{auditEntries{cursor entry{seq}}}";

describe("a connection is closed with", () => {
  it("4400 when a message is no JSON", async () => {
    const client = await openSocket(api.wsUrl);
    client.send("{nonsense");
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  it.each([
    ["has a member twice", '{"type":"ping","type":"ping"}'],
    ["has a number that would change", '{"type":"ping","payload":{"n":9007199254740993}}'],
    ["has a lone surrogate", '{"type":"ping","payload":{"n":"\\ud800"}}'],
    ["is nested too deep", `{"type":"ping","payload":{"a":${"[".repeat(70)}${"]".repeat(70)}}}`],
    ["is of no known type", '{"type":"frobnicate"}'],
    ["is one a server sends", '{"type":"next","id":"1","payload":{}}'],
    ["is an acknowledgement", '{"type":"connection_ack"}'],
  ])("4400 when a message %s", async (_, message) => {
    const client = await openSocket(api.wsUrl);
    client.send(message);
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  it("4400 when a message is binary", async () => {
    const client = await openSocket(api.wsUrl);
    client.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  it("4401 when it subscribes before it is acknowledged", async () => {
    const client = await openSocket(api.wsUrl);
    client.send({ type: "subscribe", id: "1", payload: { query: FOLLOW } });
    expect(await client.closed).toMatchObject({ code: 4401 });
  });

  it("4401 when it pings before it is initialised, and none of its pings gets a pong", async () => {
    const client = await openSocket(api.wsUrl);
    for (let at = 0; at < 100; at++) client.send({ type: "ping" });
    expect(await client.closed).toEqual({ code: 4401, reason: "Send connection_init first" });
    expect(client.messages).toEqual([]);
  });

  it("1008 when it pings without end, in frames or messages", async () => {
    const anonymous = await openSocket(api.wsUrl);
    for (let at = 0; at < 21; at++) anonymous.socket.ping();
    expect(await anonymous.closed).toEqual({ code: 1008, reason: "Too many pings" });
    const client = await connect(api.wsUrl, await api.token("auditor"));
    for (let at = 0; at < 21; at++) client.send({ type: "ping" });
    expect(await client.closed).toEqual({ code: 1008, reason: "Too many pings" });
    expect(client.messages.filter(({ type }) => type === "pong").length).toBeLessThanOrEqual(20);
  });

  it.each([
    ["no token", undefined],
    ["a token that is none", { authorization: "Bearer nonsense" }],
    ["something else than text", { authorization: 7 }],
  ])("4403 when it comes with %s", async (_, payload) => {
    const client = await openSocket(api.wsUrl);
    client.send({ type: "connection_init", payload });
    expect(await client.closed).toMatchObject({ code: 4403 });
  });

  it("4403 when its token expires", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor", { ttl: 2 }));
    client.send({ type: "subscribe", id: "1", payload: { query: FOLLOW } });
    await client.next(({ type }) => type === "next");
    expect(await client.closed).toEqual({ code: 4403, reason: "Token expired" });
  });

  it("4403 when the header and the parameters name a token each", async () => {
    const authorization = `Bearer ${await api.token("auditor")}`;
    const client = await openSocket(api.wsUrl, { headers: { authorization } });
    client.send({ type: "connection_init", payload: { authorization } });
    expect(await client.closed).toMatchObject({ code: 4403 });
  });

  it("4403 when the parameters name two tokens", async () => {
    const authorization = `Bearer ${await api.token("auditor")}`;
    const client = await openSocket(api.wsUrl);
    client.send({
      type: "connection_init",
      payload: {
        authorization,
        Authorization: `Bearer ${await api.token("agent")}`,
      },
    });
    expect(await client.closed).toMatchObject({ code: 4403 });
  });

  it("4406 when it speaks another protocol", async () => {
    expect(await closeCodeOf(api.wsUrl, "graphql-ws")).toBe(4406);
    expect(await closeCodeOf(api.wsUrl, undefined)).toBe(4406);
  });

  it("4408 when it is not initialised in time", async () => {
    const client = await openSocket(api.wsUrl);
    expect(await client.closed).toMatchObject({ code: 4408 });
  });

  it("4409 when it uses an operation id twice", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "subscribe", id: "same", payload: { query: FOLLOW } });
    client.send({ type: "subscribe", id: "same", payload: { query: FOLLOW } });
    expect(await client.closed).toMatchObject({ code: 4409 });
  });

  it("4409 when it uses the id of an operation that was taken back before it began", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    // At once: the second comes while the first is prepared.
    client.send({ type: "subscribe", id: "1", payload: { query: FOLLOW } });
    client.send({ type: "complete", id: "1" });
    client.send({ type: "subscribe", id: "1", payload: { query: FOLLOW } });
    expect(await client.closed).toMatchObject({ code: 4409 });
  });

  it("4409 also when that id is too long for a close frame in UTF-8", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const id = "€".repeat(60);
    client.send({ type: "subscribe", id, payload: { query: FOLLOW } });
    client.send({ type: "subscribe", id, payload: { query: FOLLOW } });
    const { code, reason } = await client.closed;
    expect([code, Buffer.byteLength(reason) <= 123]).toEqual([4409, true]);
  });

  it.each([
    ["none", undefined],
    ["an empty one", ""],
    ["a number", 7],
    ["one of 129 characters", "x".repeat(129)],
  ])("4400 when the id of an operation is %s", async (_, id) => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "subscribe", id, payload: { query: FOLLOW } });
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  it("4429 when it is initialised twice", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "connection_init", payload: { authorization: "Bearer again" } });
    expect(await client.closed).toMatchObject({ code: 4429 });
  });

  it("1009 when a message is larger than a request may be", async () => {
    const client = await openSocket(api.wsUrl);
    client.send({ type: "ping", payload: { a: "x".repeat(1_100_000) } });
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  it("1013 when its principal has too many", async () => {
    const token = await api.token("admin");
    const three = [await connect(api.wsUrl, token), await connect(api.wsUrl, token), await connect(api.wsUrl, token)];
    const fourth = await openSocket(api.wsUrl);
    fourth.send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } });
    expect(await fourth.closed).toMatchObject({ code: 1013 });
    three[0]?.socket.close();
    await three[0]?.closed;
    await expect
      .poll(() =>
        connect(api.wsUrl, token).then(
          (client) => client.socket.close(),
          () => "full",
        ),
      )
      .toBeUndefined();
    for (const { socket } of three) socket.close();
  });
});

describe("an upgrade", () => {
  const init = { type: "connection_init" };

  it("may bring the token in its header", async () => {
    const client = await openSocket(api.wsUrl, { headers: { authorization: `Bearer ${await api.token("approver")}` } });
    client.send(init);
    await client.next(({ type }) => type === "connection_ack");
    client.send({ type: "subscribe", id: "q", payload: { query: "{viewer{id}}" } });
    expect((await client.next(({ type }) => type === "next")).payload).toEqual({
      data: { viewer: { id: "approver" } },
    });
    client.socket.close();
  });

  it("with a token that is none is refused", async () => {
    await expect(openSocket(api.wsUrl, { headers: { authorization: "Bearer nonsense" } })).rejects.toThrow("401");
  });

  it("from a page of another origin is refused, from one of our own is not", async () => {
    await expect(openSocket(api.wsUrl, { headers: { origin: "https://evil.example" } })).rejects.toThrow("403");
    const own = await openSocket(api.wsUrl, { headers: { origin: new URL(api.url).origin } });
    own.socket.close();
  });

  it("elsewhere is refused", async () => {
    await expect(openSocket(api.wsUrl.replace("/graphql", "/other"))).rejects.toThrow("404");
  });
});

describe("an operation over a connection", () => {
  it("that is invalid gets an error, and the connection stays open", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "subscribe", id: "bad", payload: { query: "{nonsense}" } });
    expect(codesOf(await client.next(({ id, type }) => id === "bad" && type === "error"))).toEqual(["BAD_USER_INPUT"]);
    client.send({ type: "subscribe", id: "syntax", payload: { query: "{" } });
    expect(codesOf(await client.next(({ id }) => id === "syntax"))).toEqual(["BAD_USER_INPUT"]);
    client.send({ type: "subscribe", id: "good", payload: { query: "{viewer{id}}" } });
    expect(dataOf(await client.next(({ id }) => id === "good"))).toEqual({ viewer: { id: "auditor" } });
    client.socket.close();
  });

  it("that is too large gets an error", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const query = `{${Array.from({ length: 21 }, (_, at) => `a${at}:__typename`).join(" ")}}`;
    client.send({ type: "subscribe", id: "1", payload: { query } });
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual(["QUERY_TOO_COMPLEX"]);
    client.socket.close();
  });

  it.each([
    ["a query", "{auditEntries(first:500){nodes{sources{sources{sources{seq}}}}}}"],
    ["a subscription", "subscription{auditEntries{entry{sources{sources{sources{sources{seq}}}}}}}"],
  ])("that would cost too much gets an error: %s", async (_, query) => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "subscribe", id: "1", payload: { query } });
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual(["QUERY_TOO_COMPLEX"]);
    client.socket.close();
  });

  it("beyond the limit is refused alone", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    for (let at = 0; at < 5; at++) client.send({ type: "subscribe", id: `s${at}`, payload: { query: FOLLOW } });
    expect(codesOf(await client.next(({ type }) => type === "error"))).toEqual(["RATE_LIMITED"]);
    await client.next(({ id, type }) => id === "s0" && type === "next");
    client.socket.close();
  });

  it.each(["__proto__", "constructor", "x".repeat(128)])("may have any id of up to 128 characters: %s", async (id) => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "subscribe", id, payload: { query: "{viewer{id}}" } });
    expect(dataOf(await client.next((message) => message.id === id))).toEqual({ viewer: { id: "auditor" } });
    client.socket.close();
  });

  it("without the rights for it gets an error", async () => {
    const client = await connect(api.wsUrl, await api.token("agent"));
    client.send({ type: "subscribe", id: "1", payload: { query: "{ verifyLedger { verdict } }" } });
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual(["FORBIDDEN"]);
    client.socket.close();
  });

  it("that follows is stopped by complete, and by leaving", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.send({ type: "subscribe", id: "1", payload: { query: FOLLOW } });
    await client.next(({ type }) => type === "next");
    const following = () => (api.services.follower as unknown as { following(): number }).following();
    expect(following()).toBeGreaterThan(0);
    client.send({ type: "complete", id: "1" });
    await expect.poll(following).toBe(0);
    client.send({ type: "subscribe", id: "2", payload: { query: FOLLOW } });
    await expect.poll(following).toBe(1);
    client.socket.terminate();
    await expect.poll(following).toBe(0);
  });
});

describe("a subscriber that does not read", () => {
  it("is closed, and what it did not read is not kept", async () => {
    const text = "x".repeat(50_000);
    const propose = () =>
      api.gql(
        "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}",
        { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: { text } } },
        { as: "agent" },
      );
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 20 }, propose));
    const client = await connect(api.wsUrl, await api.token("auditor"));
    client.socket.pause();
    for (const id of ["1", "2"]) {
      client.send({
        type: "subscribe",
        id,
        payload: { query: 'subscription{auditEntries(after:"0"){cursor entry{body canonical}}}' },
      });
    }
    const slow = async () => /countersign_slow_subscribers_total (\d+)/.exec(await api.metrics())?.[1];
    await expect.poll(slow, { timeout: 20_000 }).toBe("1");
    const following = () => (api.services.follower as unknown as { following(): number }).following();
    await expect.poll(following).toBe(0);
    client.socket.resume();
    await client.closed;
  });
});

it("keeps nothing of operations that are refused", async () => {
  const underWay = async () => Number(/^countersign_websocket_operations (\d+)$/m.exec(await api.metrics())?.[1]);
  // Of other tests, operations may be about to end.
  await expect.poll(underWay).toBe(0);
  const client = await connect(api.wsUrl, await api.token("auditor"));
  for (let n = 0; n < 20; n++) {
    client.send({ type: "subscribe", id: `bad ${n}`, payload: { query: "{nothing}" } });
    await client.next(({ id }) => id === `bad ${n}`);
  }
  expect(await underWay()).toBe(0);
  client.socket.close();
  await client.closed;
});
