import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { MAX_ANONYMOUS_BODY } from "../../src/http/body.ts";
import { codesOf, connect } from "./client.ts";
import { serveApi } from "./served-api.ts";

const { api } = serveApi();

const many = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(" ");

/** Documents of at most 16 KB that are cheap to read and dear to validate. Each is another one, so none is remembered. */
const DEAR: readonly (readonly [string, (mark: string) => string])[] = [
  ["2,400 times the same field", (mark) => `query ${mark}{viewer{${many(2_400, () => "id")}}}`],
  [
    "69 times the same field with 34 fields in each",
    (mark) => `query ${mark}{viewer{${many(69, () => `onBehalfOf{${many(34, () => "id")}}`)}}}`,
  ],
  [
    "40 fragments of the same 40 fields",
    (mark) =>
      `query ${mark}{viewer{${many(40, (at) => `...F${at}`)}}} ${many(40, (at) => `fragment F${at} on Principal{${many(40, () => "id")}}`)}`,
  ],
];

/** Milliseconds of CPU that this process, the server in it included, spends on `work`. */
async function cpuOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

describe("a document that is cheap to read and dear to validate", () => {
  it.each(DEAR)("with %s is not validated for anybody", async (_, documentOf) => {
    expect(documentOf("Q").length).toBeLessThan(16_384);
    await api.gql("{viewer{id}}", {}, { as: "agent" });
    const spent = await cpuOf(async () => {
      for (let at = 0; at < 10; at++) {
        const anonymous = await api.gql(documentOf(`A${at}`));
        expect([anonymous.status, anonymous.errors?.map(({ extensions }) => extensions.code)]).toEqual([
          401,
          ["UNAUTHENTICATED"],
        ]);
        const signedIn = await api.gql(documentOf(`S${at}`), {}, { as: "agent" });
        expect([signedIn.status, signedIn.errors?.map(({ extensions }) => extensions.code)]).toEqual([
          400,
          ["QUERY_TOO_COMPLEX"],
        ]);
      }
    });
    expect(spent).toBeLessThan(1_500);
  });

  it.each(DEAR)("with %s is not validated over WebSocket", async (_, documentOf) => {
    const client = await connect(api.wsUrl, await api.token("agent"));
    client.send({ type: "subscribe", id: "1", payload: { query: documentOf("W") } });
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual(["QUERY_TOO_COMPLEX"]);
    client.socket.close();
  });

  it("is told apart from one that repeats a few fields", async () => {
    const query = `{viewer{${many(100, () => "id")}}}`;
    expect((await api.gql(query, {}, { as: "agent" })).errors).toBeUndefined();
  });
});

describe("a caller without a token", () => {
  it("may ask for the name of a type", async () => {
    expect((await api.gql('{__typename __type(name:"Action"){name}}')).data).toEqual({
      __typename: "Query",
      __type: { name: "Action" },
    });
  });

  it("may send 64 KB, and more with a token", async () => {
    const body = (bytes: number) => JSON.stringify({ query: "{__typename}", variables: { x: "x".repeat(bytes) } });
    expect((await api.post(body(60_000))).status).toBe(200);
    expect((await api.post(body(MAX_ANONYMOUS_BODY))).status).toBe(413);
    const authorization = `Bearer ${await api.token("agent")}`;
    expect((await api.post(body(MAX_ANONYMOUS_BODY), { authorization })).status).toBe(200);
  });

  it("is closed over WebSocket for a first message larger than a token can be", async () => {
    const socket = new WebSocket(api.wsUrl, "graphql-transport-ws");
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.once("open", () =>
      socket.send(JSON.stringify({ type: "connection_init", payload: { x: "x".repeat(40_000) } })),
    );
    expect(await closed).toBe(1009);
  });
});
