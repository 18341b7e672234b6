import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

// What succeeds is answered by a route of its own, all else by Yoga: no client may be able to tell the two apart.

let database: TestDatabase;
let api: Api;
let byYoga: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  byYoga = await startApi(database.appUrl, { jsonRoute: false });
});

afterAll(async () => {
  await api?.close();
  await byYoga?.close();
  await database?.drop();
});

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
  ["a subscription", query("subscription { ledgerHead { sequence } }")],
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
      expect(await send(api, body, headers, as)).toEqual(await send(byYoga, body, headers, as));
    }
  });
});

it("reports a document that cannot be parsed alike, whether a socket or a request sent it first", async () => {
  const body = { query: "{ viewer { id first by a socket" };
  const client = await openSocket(api.wsUrl, { headers: { authorization: `Bearer ${await api.token("agent")}` } });
  client.send({ type: "connection_init" });
  await client.next(({ type }) => type === "connection_ack");
  client.send({ id: "1", type: "subscribe", payload: body });
  await client.next(({ type }) => type === "error");
  client.socket.close();
  const headers = { accept: "application/graphql-response+json" };
  const after = await send(api, JSON.stringify(body), headers, "agent");
  expect(after.status).toBe(400);
  expect(after).toEqual(await send(byYoga, JSON.stringify(body), headers, "agent"));
});
