import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createCall, requestHeadOf } from "../../src/http/call.ts";
import { createJsonRoute } from "../../src/http/json-route.ts";
import { createRates, RATE_LIMITS } from "../../src/http/rates.ts";
import { createCountersignYoga } from "../../src/http/yoga.ts";
import { createLogger } from "../../src/log.ts";
import { withClient } from "../support/postgres.ts";
import { startBothServers } from "./both-servers.ts";
import { openSocket } from "./client.ts";
import type { Api } from "./harness.ts";

// A route of its own responds to what succeeds, and Yoga to all else: no client may be able to tell the two apart.

const { database, api, byYoga } = startBothServers();

type Headers = Readonly<Record<string, string>>;

async function send(server: Api, body: string, headers: Headers, as: "agent" | undefined) {
  const authorization = as && { authorization: `Bearer ${await server.token(as)}` };
  const response = await server.post(body, { ...authorization, ...headers });
  const text = await response.text();
  const { date: _, "x-trace-id": trace, ...rest } = Object.fromEntries(response.headers);
  return { status: response.status, headers: rest, body: trace === undefined ? text : text.replaceAll(trace, "TRACE") };
}

const query = (text: string, more: object = {}) => JSON.stringify({ query: text, ...more });
const echo = "query Q($id: ID!) { action(id: $id) { id } }";

const bodies: readonly (readonly [string, string])[] = [
  ["a query", query("{ viewer { id roles } }")],
  ["one of the schema", query("{ __schema { queryType { name } } }")],
  ["one whose field is null", query(echo, { variables: { id: "QWN0aW9uOjE=" } })],
  ["aliases in an order of their own", query("{ b: __typename a: __typename }")],
  ["extensions and nulls", query("{ __typename }", { variables: null, operationName: null, extensions: { a: 1 } })],
  ["a mutation that is refused", query('mutation { claimGrant(input: { actionId: "x" }) { userErrors { code } } }')],
  ["a mutation of another's", query('mutation { endSession(input: { sessionId: "x" }) { userErrors { code } } }')],
  ["the operation by name", query("query A { __typename } query B { viewer { id } }", { operationName: "B" })],
  ["no operation of the name", query("query A { __typename }", { operationName: "C" })],
  ["two operations, and no name", query("query A { __typename } query B { __typename }")],
  ["a name that is no string", '{"query":"{ __typename }","operationName":5}'],
  ["a document that cannot be parsed", query("{ viewer { id ")],
  ["a document that is empty", query("")],
  ["a document that is invalid", query("{ viewr { id } }")],
  ["variables that do not fit", query(echo, { variables: { id: { a: 1 } } })],
  ["variables that are missing", query(echo)],
  ["variables that are a list", query("{ __typename }", { variables: [] })],
  ["variables that are a text", query("{ __typename }", { variables: "{}" })],
  ["extensions that are a list", query("{ __typename }", { extensions: [] })],
  ["an unknown parameter", query("{ __typename }", { frobnicate: 1 })],
  ["an unknown parameter that is null", query("{ __typename }", { frobnicate: null })],
  ["a parameter named __proto__", '{"query":"{ __typename }","__proto__":{"a":1}}'],
  ["a query that is no text", '{"query":5}'],
  ["no query", "{}"],
  ["malformed JSON", '{"query"'],
  ["too complex a query", query(`{ ${"a: __typename ".repeat(6_000)} }`)],
  ["a subscription that is invalid", query("subscription { ledgerHead { sequence } }")],
  ["a mutation that returns what it did", query("mutation { endSession(input: {}) { userErrors { code } } }")],
  ["a definition that is no operation", query("type A { b: Int }")],
];

const accepted: readonly (readonly [string, Headers])[] = [
  ["anything", {}],
  ["JSON", { accept: "application/json" }],
  ["responses of GraphQL", { accept: "application/graphql-response+json" }],
  ["both", { accept: "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8" }],
  ["JSON in another charset", { accept: "application/json; charset=utf-16, application/graphql-response+json" }],
  ["any application", { accept: "application/*" }],
  ["any JSON", { accept: "*/json" }],
  ["nothing named", { accept: "" }],
  ["text", { accept: "text/html" }],
  ["JSON or events", { accept: "application/json, text/event-stream" }],
  ["JSON from another origin", { accept: "application/json", origin: "https://console.example" }],
];

describe.each(accepted)("a client that accepts %s", (_accepting, headers) => {
  it.each(bodies)("gets the response of Yoga to %s", async (_what, body) => {
    for (const as of ["agent", undefined] as const) {
      expect(await send(api(), body, headers, as)).toEqual(await send(byYoga(), body, headers, as));
    }
  });
});

it("reports a document that cannot be parsed alike, whether a socket or a request sent it first", async () => {
  const body = { query: "{ viewer { id first by a socket" };
  const client = await openSocket(api().wsUrl, { headers: { authorization: `Bearer ${await api().token("agent")}` } });
  client.send({ type: "connection_init" });
  await client.next(({ type }) => type === "connection_ack");
  client.send({ id: "1", type: "subscribe", payload: body });
  await client.next(({ type }) => type === "error");
  client.socket.close();
  const headers = { accept: "application/graphql-response+json" };
  const after = await send(api(), JSON.stringify(body), headers, "agent");
  expect(after.status).toBe(400);
  expect(after).toEqual(await send(byYoga(), JSON.stringify(body), headers, "agent"));
});

it("leaves a subscription to Yoga, whose stream of events it is", async () => {
  const body = query('subscription { auditEntries(after: "999999999") { cursor } }');
  for (const accept of ["*/*", "application/json", "text/event-stream"]) {
    expect(await send(api(), body, { accept }, "agent")).toEqual(await send(byYoga(), body, { accept }, "agent"));
  }
});

it("executes a mutation once, also when a field of its result fails", async () => {
  const started = () =>
    withClient(database().superuserUrl, async (client) => {
      const { rows } = await client.query(
        "SELECT count(*)::integer AS n FROM oc_audit_log WHERE type = 'SESSION_STARTED'",
      );
      return Number(rows[0]?.n);
    });
  for (const server of [api(), byYoga()]) {
    const before = await started();
    // The session ends, so that the same start a second time is another entry.
    const mutation = `mutation {
      startSession(input: {}) { session { id entries(first: -1) { nodes { seq } } } }
      endSession(input: {}) { userErrors { code } }
    }`;
    const { errors } = await server.gql(mutation, {}, { as: "agent" });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
    expect(await started()).toBe(before + 1);
  }
});

it("continues when a client leaves during its operation", async () => {
  const authorization = `Bearer ${await api().token("agent")}`;
  await Promise.all(
    Array.from({ length: 20 }, async (_, turn) => {
      const leave = new AbortController();
      const sent = fetch(api().url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization },
        body: query("mutation { startSession(input: {}) { session { id } } }"),
        signal: leave.signal,
      });
      setTimeout(() => leave.abort(), turn);
      await sent.then((response) => response.text()).catch(() => undefined);
    }),
  );
  expect((await api().gql("{ viewer { id } }", {}, { as: "agent" })).status).toBe(200);
  expect(api().logged.filter((line) => line.includes("a request failed"))).toEqual([]);
});

it("responds by itself to what succeeds, and to nothing else", async () => {
  const yoga = createCountersignYoga({
    services: api().services,
    log: createLogger("silent"),
    corsOrigins: [],
    onError: () => undefined,
  });
  const route = createJsonRoute(yoga, { corsOrigins: [] });
  let params = {};
  const server = createServer(async (request, response) => {
    request.resume();
    const call = createCall({
      facts: requestHeadOf(request),
      signedIn: undefined,
      client: { name: "test", confidence: "UNKNOWN", modelConfidence: "UNKNOWN", evidence: {} },
      address: undefined,
      stopping: new AbortController().signal,
      forDecision: undefined,
      onRefusal: () => undefined,
      rates: createRates(RATE_LIMITS),
    });
    const left = await route.serve(request, response, { call, readParams: () => params });
    if (left !== undefined) response.writeHead(501).end(left.executed === undefined ? "not executed" : "executed");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const respond = async (given: object) => {
    params = given;
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, { method: "POST", body: "" });
    return [response.status, await response.text()];
  };
  try {
    expect(await respond({ query: "{ __typename }" })).toEqual([200, '{"data":{"__typename":"Query"}}']);
    expect(await respond({ query: "{ viewer { id } }" })).toEqual([501, "executed"]);
    expect(await respond({ query: "{ viewer { id " })).toEqual([501, "not executed"]);
    expect(await respond({ query: "{ __typename }", more: 1 })).toEqual([501, "not executed"]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
