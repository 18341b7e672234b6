import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { MAX_JSON } from "../../src/domain/actions/input.ts";
import { MAX_JSON_DEPTH } from "../../src/graphql/base/scalars.ts";
import { codesOf, connect } from "../http/client.ts";
import type { AnswerError } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { act, propose, READ } from "./steps.ts";

const { api } = serveApi();

interface Answered {
  readonly data?: Readonly<Record<string, Taken>> | null;
  readonly errors?: readonly AnswerError[];
}

interface Taken {
  readonly action: { readonly arguments?: unknown; readonly result?: unknown } | null;
  readonly nodes?: readonly unknown[];
  readonly userErrors: readonly { readonly code: string; readonly path: readonly string[] }[];
}

/** Where an agent, or who searches, sends JSON: the field with its input, and the type of the input. */
interface Door {
  readonly field: (input: string) => string;
  readonly as: "agent" | "auditor";
  readonly kind: "mutation" | "query";
  /** The value as it comes back. */
  readonly returned: (answer: Taken) => unknown;
  /** What else the input needs, before a value is sent. */
  readonly prepare: () => Promise<string>;
}

const DOORS: Readonly<Record<string, Door>> = {
  arguments: {
    kind: "mutation",
    as: "agent",
    prepare: async () => `idempotencyKey:"${randomUUID()}",platform:"crm",tool:"get_user_details",arguments:`,
    field: (input) => `proposeAction(input:{${input}}){action{arguments} userErrors{code path}}`,
    returned: ({ action }) => action?.arguments,
  },
  result: {
    kind: "mutation",
    as: "agent",
    async prepare() {
      const { action, grant } = await propose(api, READ);
      await act(api, "redeemGrant", { token: grant?.token, digest: action.digest }, "agent");
      return `actionId:"${action.id}",outcome:SUCCEEDED,result:`;
    },
    field: (input) => `completeAction(input:{${input}}){action{result} userErrors{code path}}`,
    returned: ({ action }) => action?.result,
  },
  contains: {
    kind: "query",
    as: "auditor",
    prepare: async () => "contains:",
    field: (input) => `auditEntries(filter:{${input}}){nodes{seq}}`,
    returned: ({ nodes }) => nodes,
  },
};
const ALL = Object.keys(DOORS);

/** Sends the JSON text or GraphQL literal `value` to a door. */
async function send(name: string, value: string, as: "variable" | "literal") {
  const door = DOORS[name]!;
  const before = await door.prepare();
  const query =
    as === "literal"
      ? `${door.kind}{sent:${door.field(before + value)}}`
      : `${door.kind}($v:JSON!){sent:${door.field(`${before}$v`)}}`;
  const variables = as === "literal" ? "" : `,"variables":{"v":${value}}`;
  const authorization = `Bearer ${await api.token(door.as)}`;
  const response = await api.post(`{"query":${JSON.stringify(query)}${variables}}`, { authorization });
  const { data, errors } = (await response.json()) as Answered;
  const sent = data?.sent;
  return { errors, sent, returned: sent && door.returned(sent), refused: sent?.userErrors };
}

const each = (ways: readonly ("variable" | "literal")[]) =>
  ALL.flatMap((door) => ways.map((way) => [door, way] as const));
const BOTH = each(["variable", "literal"]);

describe("a number that would come back as another one", () => {
  const numbers = [
    "-0",
    "-0.0",
    "-0e3",
    "12345678901234567890",
    "9007199254740993",
    "1e400",
    "-1e-400",
    "0.1234567890123456789",
  ];

  it.each(BOTH)("is refused with its place: in %s, as a %s", async (door, way) => {
    for (const number of numbers) {
      const name = way === "literal" ? "a" : '"a"';
      const { errors, sent } = await send(door, `{${name}:[0,${number}]}`, way);
      expect({ number, sent }).toEqual({ number, sent: undefined });
      expect({ number, code: errors?.[0]?.extensions.code }).toEqual({ number, code: "BAD_USER_INPUT" });
      expect(errors?.[0]?.message).toContain(way === "literal" ? "A number at a.1 would" : "(variables.v.a.1) would");
      expect(errors?.[0]?.message).toContain("send it as a string");
    }
  });

  it.each(["JSON", "Float"])("is refused as the default of a variable of type %s", async (type) => {
    const key = `idempotencyKey:"${randomUUID()}",platform:"crm",tool:"get_user_details"`;
    const query = `mutation($v:${type}=-0.0){proposeAction(input:{${key},arguments:{a:$v}}){action{id}}}`;
    const { data, errors } = await api.gql(query, {}, { as: "agent" });
    expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    expect(data ?? null).toBeNull();
  });

  it("is refused over WebSocket with its place", async () => {
    const client = await connect(api.wsUrl, await api.token("agent"));
    const query = "query($v:JSON!){auditEntries(filter:{contains:$v}){nodes{seq}}}";
    client.send(`{"type":"subscribe","id":"1","payload":{"query":"${query}","variables":{"v":{"a":[-0]}}}}`);
    const { code, reason } = await client.closed;
    expect({ code, reason }).toEqual({ code: 4400, reason: expect.stringContaining("(payload.variables.v.a.0)") });
  });
});

describe("a value that can be kept", () => {
  const kept = [
    "[0,-1,1.5,-0.5,1e2,9007199254740992,123456789012345680000,5e-324,1.7976931348623157e308,1e-7]",
    '["","\\ud83d\\ude00","é","e\\u0301","\\\\","\\"","\\u0001","</script>"]',
    "[null,true,[],[[]]]",
  ];

  it.each(["arguments", "result"])("comes back from %s as it was sent", async (door) => {
    for (const value of kept) {
      for (const way of ["variable", "literal"] as const) {
        const { returned, errors } = await send(door, value, way);
        expect(errors).toBeUndefined();
        expect(returned).toEqual(JSON.parse(value));
      }
    }
  });

  it.each(["arguments", "result"])("keeps members named like those of every object in %s", async (door) => {
    for (const way of ["variable", "literal"] as const) {
      const names = ["__proto__", "constructor", "toString"];
      const text = names.map(
        (name) => `${way === "literal" ? name : `"${name}"`}:{${way === "literal" ? "x" : '"x"'}:1}`,
      );
      const { returned } = await send(door, `{${text.join(",")}}`, way);
      expect(Object.keys(returned as object).toSorted()).toEqual(names.toSorted());
      expect(JSON.stringify(returned)).toContain('"__proto__":{"x":1}');
    }
  });
});

describe("text that has no one form", () => {
  it.each(BOTH)("is refused in %s, as a %s", async (door, way) => {
    const name = way === "literal" ? "a" : '"a"';
    for (const value of ['["\\ud800"]', '["\\udc00x"]', `{${name}:1,${name}:1}`, `{b:{${name}:1,${name}:1}}`]) {
      const { errors, sent } = await send(door, way === "literal" ? value : value.replace("b:", '"b":'), way);
      expect({ value, sent }).toEqual({ value, sent: undefined });
      expect({ value, code: errors?.[0]?.extensions.code }).toEqual({ value, code: "BAD_USER_INPUT" });
    }
  });
});

/** `levels` objects and arrays within each other, around `inner`. */
const shapes: readonly (readonly [string, (levels: number, quote: string) => string])[] = [
  ["arrays around nothing", (levels) => "[".repeat(levels) + "]".repeat(levels)],
  ["arrays around a number", (levels) => `${"[".repeat(levels)}1${"]".repeat(levels)}`],
  [
    "objects around nothing",
    (levels, quote) => `${`{${quote}a${quote}:`.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`,
  ],
  ["objects around a string", (levels, quote) => `${`{${quote}a${quote}:`.repeat(levels)}"x"${"}".repeat(levels)}`],
];

describe(`${MAX_JSON_DEPTH} levels of nesting`, () => {
  it.each(BOTH)("are taken in %s as a %s, and one more is not", async (door, way) => {
    const quote = way === "literal" ? "" : '"';
    for (const [shape, build] of shapes) {
      const most = await send(door, build(MAX_JSON_DEPTH, quote), way);
      expect({ shape, errors: most.errors, refused: most.refused ?? [] }).toEqual({ shape, refused: [] });
      if (door !== "contains") expect(most.returned).toEqual(JSON.parse(build(MAX_JSON_DEPTH, '"')));
      const more = await send(door, build(MAX_JSON_DEPTH + 1, quote), way);
      expect({ shape, code: more.errors?.[0]?.extensions.code }).toEqual({ shape, code: "BAD_USER_INPUT" });
      expect(more.errors?.[0]?.message).toContain(`more than ${MAX_JSON_DEPTH} levels deep`);
    }
  });

  it("are taken and refused over WebSocket alike", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const query = "query($v:JSON!){auditEntries(filter:{contains:$v}){nodes{seq}}}";
    for (const [id, levels] of [
      ["1", MAX_JSON_DEPTH],
      ["2", MAX_JSON_DEPTH + 1],
    ] as const) {
      const v: unknown = JSON.parse("[".repeat(levels) + "]".repeat(levels));
      client.send({ type: "subscribe", id, payload: { query, variables: { v } } });
    }
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual([]);
    expect(codesOf(await client.next(({ id }) => id === "2"))).toEqual(["BAD_USER_INPUT"]);
    client.socket.close();
    await client.closed;
  });

  it("are verified as they were recorded", async () => {
    const { data } = await api.gql("{verifyLedger{verdict}}", {}, { as: "auditor" });
    expect(data).toEqual({ verifyLedger: { verdict: "INTACT" } });
  });
});

describe("the size of a value", () => {
  it(`in arguments may be ${MAX_JSON} bytes and no more`, async () => {
    const door = "arguments";
    // Two bytes are the quotes of the text.
    const text = "é".repeat((MAX_JSON - 2) / 2);
    const most = await send(door, JSON.stringify(text), "variable");
    expect(most.errors).toBeUndefined();
    expect(most.refused).toEqual([]);
    expect(most.returned === text).toBe(true);
    const more = await send(door, JSON.stringify(`${text}x`), "variable");
    expect(more.refused).toEqual([{ code: "INVALID_INPUT", path: ["input", door] }]);
  });

  it.each([
    ["userRequest", 100_000],
    ["rationale", 100_000],
    ["platform", 200],
    ["tool", 200],
    ["conversationId", 200],
    ["targetRegion", 200],
  ])("of %s may be %i characters and no more", async (member, most) => {
    const fits = await propose(api, { [member]: "x".repeat(most) });
    expect(fits.userErrors).toEqual([]);
    const exceeds = await propose(api, { [member]: "x".repeat(most + 1) });
    expect(exceeds.userErrors).toMatchObject([{ code: "INVALID_INPUT", path: ["input", member] }]);
  });

  it("of a note may be 10,000 characters and no more", async () => {
    const { action } = await propose(api);
    const decide = (note: string) =>
      act(api, "denyAction", { actionId: action.id, digest: action.digest, note }, "approver");
    expect((await decide("x".repeat(10_001))).userErrors).toMatchObject([
      { code: "INVALID_INPUT", path: ["input", "note"] },
    ]);
    expect((await decide("x".repeat(10_000))).userErrors).toEqual([]);
  });

  it("of a request may be 1,000,000 bytes and no more", async () => {
    const request = '{"query":"{__typename}"}';
    const authorization = `Bearer ${await api.token("agent")}`;
    const pad = (bytes: number) => api.post(request.padEnd(bytes, " "), { authorization });
    expect((await pad(1_000_000)).status).toBe(200);
    expect((await pad(1_000_001)).status).toBe(413);
  });
});
