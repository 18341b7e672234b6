import { describe, expect, it } from "vitest";
import { codesOf, connect } from "./client.ts";
import { startApi } from "./harness.ts";
import { serveApi } from "./served-api.ts";

const { api, database } = serveApi();

const nested = (open: string, inner: string, close: string, depth: number) =>
  open.repeat(depth) + inner + close.repeat(depth);
const proposing = (literal: string) =>
  `mutation{proposeAction(input:{idempotencyKey:"${crypto.randomUUID()}",platform:"crm",tool:"t",arguments:${literal}}){userErrors{code}}}`;

const documents: readonly (readonly [string, string])[] = [
  ["a list literal 2,400 deep", proposing(nested("[", "1", "]", 2_400))],
  ["an object literal 1,200 deep", proposing(nested("{a:", "1", "}", 1_200))],
  ["a list literal 10,000 deep", proposing(nested("[", "1", "]", 10_000))],
  ["selections 2,400 deep", nested("{a", "", "}", 2_400)],
  ["fragments 800 deep", nested("{...on Query", "{__typename}", "}", 800)],
  ["a variable of a type 2,400 deep", `query($a:${nested("[", "Int", "]", 2_400)}){viewer{id}}`],
  ["an endless string", `{viewer{id(a:"${"x".repeat(500_000)}`],
  ["a lone surrogate in a literal", proposing('"\\ud800"')],
  ["4,000 unknown fields", `{viewer{${Array.from({ length: 4_000 }, (_, at) => `x${at}`).join(" ")}}}`],
  ["4,000 fragments", Array.from({ length: 600 }, (_, at) => `fragment F${at} on Query{a}`).join(" ")],
  ["4,000 variables", `query(${Array.from({ length: 1_200 }, (_, at) => `$v${at}:Int`).join(" ")}){viewer{id}}`],
  ["600 directives", `{viewer{id ${"@include(if:true)".repeat(600)}}}`],
  ["braces 10,000 deep", "{".repeat(10_000)],
  ["brackets 2,000 deep in a variable's default", `query($a:JSON=${nested("[", "", "]", 2_000)}){viewer{id}}`],
  ["selections 3,000 deep", nested("{a", "", "}", 3_000)],
  [
    "600 fragments in a row",
    `{...F0} ${Array.from({ length: 600 }, (_, at) => `fragment F${at} on Query{...F${at + 1}}`).join(" ")} fragment F600 on Query{a}`,
  ],
  ["nothing", ""],
  ["a byte order mark alone", "\ufeff"],
];

describe("a hostile document", () => {
  it.each(documents)("with %s is refused over HTTP, soon and plainly", async (_, query) => {
    const started = performance.now();
    const { errors } = await api.gql(query, {}, { as: "agent" });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(["BAD_USER_INPUT", "QUERY_TOO_COMPLEX"]).toContain(errors?.[0]?.extensions.code);
    expect(JSON.stringify(errors).length).toBeLessThan(1_000_000);
  });

  it.each(documents)("with %s is refused over WebSocket, and the connection stays", async (_, query) => {
    const client = await connect(api.wsUrl, await api.token("agent"));
    client.send({ type: "subscribe", id: "1", payload: { query } });
    const [code] = codesOf(await client.next(({ id }) => id === "1"));
    expect(["BAD_USER_INPUT", "QUERY_TOO_COMPLEX"]).toContain(code);
    client.send({ type: "ping" });
    await client.next((message) => message.type === "pong");
    client.socket.close();
  });

  it.each(documents)("with %s, as the first of a cold server, is no fault of ours", async (_, query) => {
    const cold = await startApi(database.appUrl);
    try {
      const { errors } = await cold.gql(query, {}, { as: "agent" });
      expect(["BAD_USER_INPUT", "QUERY_TOO_COMPLEX"]).toContain(errors?.[0]?.extensions.code);
      expect(cold.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    } finally {
      await cold.close();
    }
  });

  it("with an endless name is logged with a part of it", async () => {
    const name = "N".repeat(50_000);
    expect((await api.gql(`query ${name}{viewer{id}}`, {}, { as: "agent" })).errors).toBeUndefined();
    const named = () => api.logged.filter((line) => line.includes("NNNN"));
    await expect.poll(() => named().length).toBe(1);
    expect(named()[0]).toContain(`"${"N".repeat(100)}"`);
  });

  it("teaches nobody without a token the schema", async () => {
    const message = async (as?: "agent") =>
      (await api.gql("{viewe{id}}", {}, as === undefined ? {} : { as })).errors?.[0]?.message;
    expect(await message()).not.toContain("viewer");
    expect(await message("agent")).toContain("viewer");
    const status = async (as?: "agent") =>
      (
        await api.gql(
          "query($s:[ActionStatus!]){actions(status:$s){nodes{id}}}",
          { s: ["PENDIN"] },
          as === undefined ? {} : { as },
        )
      ).errors?.[0]?.message;
    expect(await status()).not.toContain("PENDING");
    expect(await status("agent")).toContain("PENDING");
  });
});

describe("hostile variables", () => {
  const mutation = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
  const input = { idempotencyKey: "00000000-0000-4000-8000-000000000000", platform: "crm", tool: "t", arguments: {} };

  it.each([
    ["an unknown member", { ...input, nonsense: 1 }],
    ["a number for a text", { ...input, tool: 1 }],
    ["a list for a text", { ...input, tool: ["t"] }],
    ["no platform", { ...input, platform: null }],
    ["a key that is no UUID", { ...input, idempotencyKey: "x" }],
    ["arguments nested 60 deep", { ...input, arguments: JSON.parse("[".repeat(60) + "]".repeat(60)) }],
    ["a list", [input, input]],
    ["a member of every object", { ...input, ["__proto__"]: { tool: "x" } }],
  ])("with %s are refused", async (_, bad) => {
    const { errors } = await api.gql(mutation, { input: bad }, { as: "agent" });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
  });

  it("with names and values of thousands of characters are refused in a short message", async () => {
    const long = "x".repeat(20_000);
    const inputs = [
      { ...input, [long]: 1 },
      { ...input, tool: [long] },
      { ...input, idempotencyKey: long },
    ];
    for (const bad of inputs) {
      const { errors } = await api.gql(mutation, { input: bad }, { as: "agent" });
      expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
      expect(errors?.[0]?.message.length).toBeLessThan(2_100);
      expect(errors?.[0]?.message).toContain("characters left out");
    }
  });

  it("with arguments nested as deep as may be are taken, and come back", async () => {
    const values = JSON.parse(nested("[", "", "]", 56));
    const query =
      "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{arguments} entry{body} userErrors{code}}}";
    const { data } = await api.gql<{ proposeAction: object }>(
      query,
      { input: { ...input, idempotencyKey: crypto.randomUUID(), arguments: values } },
      { as: "agent" },
    );
    expect(data.proposeAction).toMatchObject({ action: { arguments: values }, userErrors: [] });
  });
});
