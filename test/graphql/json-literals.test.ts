import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { codesOf, connect } from "../http/client.ts";
import type { AnswerError } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";

const { api } = serveApi();

const proposing = (declared: string, literal: string, head = "mutation") =>
  `${head}(${declared}){proposeAction(input:{idempotencyKey:"${randomUUID()}",platform:"crm",tool:"get_user_details",arguments:${literal}}){action{arguments} userErrors{code}}}`;

async function recorded(declared: string, literal: string, variables: object): Promise<unknown> {
  const { data, errors } = await api.gql<{
    proposeAction: { action: { arguments: unknown } };
  }>(proposing(declared, literal), variables, { as: "agent" });
  expect(errors).toBeUndefined();
  return data.proposeAction.action.arguments;
}

const UPPER = "6F9619FF-8B86-4011-B42D-00CF4FC964FF";
const unfaithful: readonly (readonly [string, string, string, object])[] = [
  ["a UUID, which would become lower-case", "$v:UUID", "{a:$v}", { v: UPPER }],
  ["a DateTime, which would be padded", "$v:DateTime!", "{a:[$v]}", { v: "2026-11-21T22:50:01Z" }],
  ["an ID, which would become text", "$v:ID", "{a:{b:$v}}", { v: 17 }],
  ["a list, which one item would become", "$v:[String]", "{a:$v}", { v: "x" }],
  ["a list of JSON", "$v:[JSON]", "{a:$v}", { v: 1 }],
  ["an input object", "$v:StartSessionInput", "{a:$v}", { v: {} }],
  ["a Float whose default would be another number", "$v:Float=9007199254740993", "{a:$v}", {}],
  ["one without a value", "$v:JSON", "{a:$v}", {}],
  ["one without a value, in a list", "$v:JSON", "[$v]", {}],
  ["a member of every object", "$__proto__:JSON", "{a:$__proto__}", JSON.parse('{"__proto__":{"x":1}}') as object],
  [
    "a member of every object, as the whole",
    "$__proto__:JSON!",
    "$__proto__",
    JSON.parse('{"__proto__":{}}') as object,
  ],
  ["a constructor without a value", "$constructor:JSON", "{a:$constructor}", {}],
  ["a constructor without a value, as the whole", "$constructor:JSON", "$constructor", {}],
];

describe("a variable inside a JSON literal", () => {
  it.each(unfaithful)("is refused when it is %s", async (_, declared, literal, variables) => {
    const { data, errors } = await api.gql(proposing(declared, literal), variables, { as: "agent" });
    expect(new Set(errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(["BAD_USER_INPUT"]));
    expect(data ?? null).toBeNull();
  });

  it.each(unfaithful)("is refused over WebSocket when it is %s", async (_, declared, literal, variables) => {
    const client = await connect(api.wsUrl, await api.token("agent"));
    client.send({
      type: "subscribe",
      id: "1",
      payload: { query: proposing(declared, literal), variables },
    });
    expect(new Set(codesOf(await client.next(({ id }) => id === "1")))).toEqual(new Set(["BAD_USER_INPUT"]));
    client.socket.close();
  });

  it("is refused as an event stream too, with a remedy in the message", async () => {
    const response = await api.post(
      JSON.stringify({
        query: proposing("$v:UUID", "{a:$v}"),
        variables: { v: UPPER },
      }),
      {
        authorization: `Bearer ${await api.token("agent")}`,
        accept: "text/event-stream",
      },
    );
    const text = await response.text();
    expect(text).toContain("BAD_USER_INPUT");
    expect(text).toContain("Pass the whole JSON value as one variable");
  });

  it("is refused wherever a fragment has it, and in the operation that declares it so", async () => {
    const query = (type: string) => `
      mutation Other($v:UUID!,$w:JSON){...P proposeAction(input:{idempotencyKey:$v,platform:"crm",tool:"t",arguments:{a:$w}}){userErrors{code}}}
      mutation Named($v:${type}){...P proposeAction(input:{idempotencyKey:"${randomUUID()}",platform:"crm",tool:"t",arguments:{}}){userErrors{code}}}
      fragment P on Mutation{a:proposeAction(input:{idempotencyKey:"${randomUUID()}",platform:"crm",tool:"t",arguments:{b:[{c:$v}]}}){userErrors{code}}}`;
    const messages = async (type: string) => {
      const response = await api.post(
        JSON.stringify({
          query: query(type),
          operationName: "Named",
          variables: { v: 1 },
        }),
        { authorization: `Bearer ${await api.token("agent")}` },
      );
      const { errors } = (await response.json()) as {
        errors: readonly AnswerError[];
      };
      return errors.map(({ message }) => message).filter((message) => message.startsWith("$v inside a JSON literal"));
    };
    expect(await messages("JSON")).toHaveLength(1);
    expect(await messages("ID")).toHaveLength(2);
  });

  it.each([
    ["$v:JSON", "{a:$v}", { v: { UUID: UPPER, list: [1, "x", null] } }, { a: { UUID: UPPER, list: [1, "x", null] } }],
    ["$v:JSON!", "[$v,{b:$v}]", { v: "é\u0001" }, ["é\u0001", { b: "é\u0001" }]],
    ["$v:JSON", "{a:$v}", { v: null }, { a: null }],
    ["$v:String", "{a:$v}", { v: UPPER }, { a: UPPER }],
    ['$v:String="d"', "{a:$v}", {}, { a: "d" }],
    ["$v:Int!", "{a:$v}", { v: 17 }, { a: 17 }],
    ["$v:Float", "{a:$v}", { v: 1.25 }, { a: 1.25 }],
    ["$v:Boolean", "{a:$v}", { v: false }, { a: false }],
    ["$prototype:JSON", "{a:$prototype}", { prototype: 1 }, { a: 1 }],
    ["$v:JSON!", "$v", { v: { constructor: 1, toString: null } }, { constructor: 1, toString: null }],
  ])("is recorded as it was sent: %s in %s", async (declared, literal, variables, expected) => {
    expect(await recorded(declared, literal, variables)).toEqual(expected);
  });

  it("does not keep the arguments of other types from being variables", async () => {
    const { data } = await api.gql<{
      proposeAction: { action: { arguments: unknown } };
    }>(
      `mutation($k:UUID!,$p:String!,$a:JSON!){proposeAction(input:{idempotencyKey:$k,platform:$p,tool:"get_user_details",arguments:$a}){action{arguments}}}`,
      { k: randomUUID().toUpperCase(), p: "crm", a: { id: UPPER } },
      { as: "agent" },
    );
    expect(data.proposeAction.action.arguments).toEqual({ id: UPPER });
  });
});
