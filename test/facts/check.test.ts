import { describe, expect, expectTypeOf, it } from "vitest";
import { DECISION_REFUSALS, GRANT_REFUSALS } from "../../src/facts/areas/actions.ts";
import { AUTHENTICATION_REFUSALS } from "../../src/facts/areas/reading.ts";
import type { JsonObject } from "../../src/facts/canonical.ts";
import { checkBody } from "../../src/facts/check/check.ts";
import { isLegalStep } from "../../src/facts/check/steps.ts";
import { factOf, factOfType } from "../../src/facts/decode.ts";
import { bodyOf, encode } from "../../src/facts/encode.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import type { Erasable } from "../../src/facts/erasable.ts";
import type { Fact, FactDraft, FactType, StateOf } from "../../src/facts/registry.ts";
import type { Commitment } from "../../src/facts/schema.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };

const session = "0192f3a0-0000-7000-8000-000000000001";
const ended: FactDraft<"SESSION_ENDED"> = {
  type: "SESSION_ENDED",
  session,
  reason: "LOGOUT",
  states: [{ kind: "SESSION", id: session, version: 2, state: { status: "ENDED" } }],
};
const neverSigned = () => {
  throw new Error("the end of a session permits nothing");
};
const body = (changes: object = {}): JsonObject => ({
  ...(JSON.parse(encode(bodyOf({ actor: SYSTEM_ACTOR }, ended), neverSigned).body) as JsonObject),
  ...changes,
});
const state = (changes: object) => ({
  states: [{ kind: "SESSION", id: session, version: 2, state: { status: "ENDED" }, ...changes }],
});

it("finds nothing wrong with what the encoder writes, and with every vector of a known type", () => {
  expect(checkBody(body())).toEqual([]);
  for (const { name, body: text } of vectors.entries) {
    const vector = JSON.parse(text) as JsonObject;
    if (vector.type !== "NOTE") expect(checkBody(vector), name).toEqual([]);
  }
});

it.each<readonly [string, JsonObject, RegExp]>([
  ["an unknown member", body({ extra: 1 }), /^extra: is not known/],
  ["an unknown member of a member", body({ actor: { ...SYSTEM_ACTOR, extra: 1 } }), /^actor\.extra: is not known/],
  [
    "an unknown member by a name of JavaScript's",
    JSON.parse(JSON.stringify(body()).replace("{", '{"__proto__":1,')),
    /^__proto__: is not known/,
  ],
  ["a missing member", body({ reason: undefined }), /^reason: /],
  ["a word that is not of the list", body({ reason: "BORED" }), /^reason: /],
  [
    "a member in plain where a commitment belongs",
    body({ type: "SESSION_STARTED", method: "m", address: "::1" }),
    /^address: /,
  ],
  ["a state of a kind its type does not move", body(state({ kind: "ACTION" })), /^states\.0\.kind: /],
  ["no state at all", body({ states: [] }), /moves one SESSION/],
  [
    "a status its type does not lead to",
    body(state({ state: { status: "OPEN" } })),
    /leads no SESSION of version 2 to OPEN/,
  ],
  ["a version its type does not make", body(state({ version: 1 })), /leads no SESSION of version 1/],
  [
    "the id of another thing than it names",
    body({ session: "0192f3a0-0000-7000-8000-000000000002" }),
    /^session: is not the SESSION/,
  ],
  ["an unknown type that moves a state", body({ type: "SESSION_FORGED" }), /^type: SESSION_FORGED is not known/],
])("reports %s", (_, wrong, problem) => {
  expect(checkBody(wrong).join("; ")).toMatch(problem);
});

/** What every entry has. */
const bare = { id: session, actor: SYSTEM_ACTOR };
const refused = (type: string, reason: string): JsonObject => ({
  ...bare,
  type,
  reason,
  ...(type === "AUTHENTICATION_REFUSED"
    ? { refused: { from: "2026-11-25T10:00:00.000000Z", times: 1 } }
    : {
        action: session,
        platform: "crm",
        tool: "find_customer",
        effect: "READ",
        region: "eu",
        chain: session,
        digest: `sha256:${"d".repeat(64)}`,
        policyHash: `sha256:${"e".repeat(64)}`,
      }),
  ...(type === "DECISION_REFUSED" ? { decision: { verdict: "APPROVE", channel: "API" } } : {}),
});

/** The vector of a proposal, which makes an action and a chain. */
const proposal = (): JsonObject => JSON.parse(vectors.entries[2]?.body ?? "") as JsonObject;
const [action, chain] = proposal().states as unknown as readonly [JsonObject, JsonObject];
const closed = (id: string) => ({
  kind: "CHAIN",
  id,
  version: 2,
  state: { status: "CLOSED", number: 1, platform: "crm" },
});
const other = "0192f3a0-0000-7000-8000-000000000003";
const second = { ...chain, state: { ...(chain.state as JsonObject), number: 2 } };
const moving = (...states: readonly object[]) => ({ ...proposal(), states }) as JsonObject;

describe("of what a proposal moves", () => {
  it.each<readonly [string, JsonObject]>([
    ["its action alone", moving(action)],
    ["a chain that it starts", moving(action, chain)],
    ["a chain that it starts, and the one before", moving(action, second, closed(other))],
  ])("accepts %s", (_, right) => {
    expect(checkBody(right)).toEqual([]);
  });

  it.each<readonly [string, JsonObject, RegExp]>([
    ["two chains that it starts", moving(action, chain, { ...chain, id: other }), /makes one CHAIN at most/],
    ["a chain that it closes without another", moving(action, closed(other)), /moves on a CHAIN only to make/],
    ["two chains that it closes", moving(action, chain, closed(other), closed(session)), /moves on a CHAIN only/],
    ["one chain that it starts and closes", moving(action, chain, closed(String(chain.id))), /moved twice/],
    ["two actions", moving(action, { ...action, id: other }), /moves one ACTION/],
    ["a chain before its action", moving(chain, action), /another order than ACTION, CHAIN/],
    ["a chain that it closes before the one it starts", moving(action, closed(other), chain), /another order/],
    ["a first chain with another number", moving(action, second), /^states: number of CHAIN is not 1$/],
    ["a chain with the number of the one before", moving(action, chain, closed(other)), /number of CHAIN is not 2$/],
    [
      "a chain on another platform than its own",
      moving(action, { ...chain, state: { ...(chain.state as JsonObject), platform: "crm" } }),
      /^states: platform of CHAIN is not platform of the entry$/,
    ],
  ])("reports %s", (_, wrong, problem) => {
    expect(checkBody(wrong).join("; ")).toMatch(problem);
  });
});

describe("of members that stand together", () => {
  const { reason, actor, id, type, ...terms } = refused("GRANT_REFUSED", "GRANT_INVALID");
  const nameless = { reason, actor, id, type };

  it("accepts all of them and none", () => {
    expect(checkBody({ ...nameless, ...terms })).toEqual([]);
    expect(checkBody({ ...nameless, ...terms, sourceChain: session })).toEqual([]);
    expect(checkBody(nameless)).toEqual([]);
  });

  it("reports each that is missing beside another", () => {
    for (const name of Object.keys(terms)) {
      expect(checkBody({ ...nameless, ...terms, [name]: undefined })).toEqual([
        expect.stringMatching(new RegExp(`^${name}: is missing beside `)),
      ]);
    }
    expect(checkBody({ ...nameless, sourceChain: session })).toHaveLength(Object.keys(terms).length);
  });
});

it.each(["0000-01-01", "2026-02-30", "2023-02-29", "2026-13-01", "2026-00-10", "2026-04-31"])(
  "reports the day %s",
  (day) => {
    const signature = `e30..${"A".repeat(86)}`;
    const started = { ...bare, type: "SESSION_STARTED", session, method: "m", signature };
    const until = (expiresAt: string) => ({
      ...started,
      ...state({ version: 1, state: { status: "OPEN", expiresAt } }),
    });
    expect(checkBody(until("2024-02-29T23:59:59.000000Z"))).toEqual([]);
    expect(checkBody(until(`${day}T00:00:00.000000Z`)).join("; ")).toMatch(
      /^states\.0\.state\.expiresAt: is not an instant/,
    );
    for (const time of ["24:00:00.000000", "23:59:60.000000", "10:00:00.000", "10:00:00.0000000"]) {
      expect(checkBody(until(`2026-01-01T${time}Z`)).join("; "), time).toMatch(/is not an instant/);
    }
  },
);

it("counts the characters of an id as the database does", () => {
  const revoked = (id: string) => ({
    ...bare,
    actor: { id: "admin", kind: "HUMAN", roles: ["admin"], groups: [] },
    type: "TOKEN_REVOKED",
    signature: `e30..${"A".repeat(86)}`,
    states: [{ kind: "TOKEN", id, version: 1, state: { revoked: true } }],
  });
  expect(checkBody(revoked("😀".repeat(400)))).toEqual([]);
  expect(checkBody(revoked("😀".repeat(401)))).toEqual(["states.0.id: is empty or longer than 400 characters"]);
  expect(checkBody(revoked(""))).toEqual(["states.0.id: is empty or longer than 400 characters"]);
});

it.each([
  ["HUMAN", ["admin"], []],
  ["HUMAN", ["approver"], ["actor: is not an administrator"]],
  ["HUMAN", [], ["actor: is not an administrator"]],
  ["AGENT", ["admin"], ["actor: is not an administrator"]],
  ["SERVICE", ["admin"], ["actor: is not an administrator"]],
])("knows an acknowledgement by a %s with the roles %j", (kind, roles, problems) => {
  const acknowledged = {
    ...bare,
    actor: { id: "root", kind, roles, groups: [] },
    type: "LEDGER_ACKNOWLEDGED",
    problems: [{ verdict: "FORKED", seq: "2" }],
    note: { commit: "0".repeat(64) },
    signature: `e30..${"A".repeat(86)}`,
  };
  expect(checkBody(acknowledged)).toEqual(problems);
});

it.each<readonly [string, JsonObject, RegExp]>([
  ["a member that is null", body({ conversation: null }), /^conversation: /],
  ["a trace id in upper case", body({ traceId: "A".repeat(32) }), /^traceId: is not 32 hex digits/],
  ["a trace id that is too short", body({ traceId: "a".repeat(31) }), /^traceId: is not 32 hex digits/],
  ["a UUID in upper case", body({ session: session.toUpperCase() }), /^session: /],
])("reports %s", (_, wrong, problem) => {
  expect(checkBody(body({ traceId: "0".repeat(32) }))).toEqual([]);
  expect(checkBody(wrong).join("; ")).toMatch(problem);
});

it.each<readonly [string, JsonObject, string]>([
  ["no type", body({ type: undefined }), "type: is missing"],
  ["no type and no state", bare, "type: is missing"],
  ["a type that is no string", body({ type: 7 }), "type: is no string"],
])("reports %s", (_, wrong, problem) => {
  expect(checkBody(wrong)).toEqual([problem]);
});

it.each<readonly [string, readonly string[], string]>([
  ["DECISION_REFUSED", DECISION_REFUSALS, "GRANT_VOID"],
  ["GRANT_REFUSED", GRANT_REFUSALS, "NOT_ELIGIBLE"],
  ["AUTHENTICATION_REFUSED", AUTHENTICATION_REFUSALS, "BORED"],
])("knows every reason of a %s, and no other", (type, reasons, other) => {
  for (const reason of reasons) expect(checkBody(refused(type, reason)), reason).toEqual([]);
  expect(checkBody(refused(type, other)).join("; ")).toMatch(/^reason: /);
});

it("accepts a type it does not know without states", () => {
  expect(checkBody({ type: "FROM_THE_FUTURE", anything: true })).toEqual([]);
});

it("knows the legal steps of each kind", () => {
  expect(isLegalStep("ACTION", null, "PENDING", "ACTION_PROPOSED")).toBe(true);
  expect(isLegalStep("ACTION", null, "APPROVED", "ACTION_PROPOSED")).toBe(false);
  expect(isLegalStep("ACTION", "PENDING", "EXECUTING", "GRANT_REDEEMED")).toBe(false);
  expect(isLegalStep("ACTION", "DENIED", "PENDING", "ACTION_APPROVED")).toBe(false);
  expect(isLegalStep("TOKEN", null, undefined, "TOKEN_REVOKED")).toBe(true);
  expect(isLegalStep("NOTHING", null, undefined, "TOKEN_REVOKED")).toBe(false);
  // A step is legal by entries of its types only.
  expect(isLegalStep("ACTION", "PENDING", "APPROVED", "ACTION_APPROVED")).toBe(true);
  expect(isLegalStep("ACTION", "PENDING", "APPROVED", "GRANT_ISSUED")).toBe(false);
});

it("has one shape per type, for writers and readers", () => {
  expectTypeOf<FactDraft<"TOKEN_REVOKED">["note"]>().toEqualTypeOf<Erasable<string> | undefined>();
  expectTypeOf<Fact<"TOKEN_REVOKED">["note"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<{ type: "TOKEN_REVOKED" }>().not.toExtend<FactDraft>();
  expectTypeOf<"NO_SUCH_TYPE">().not.toExtend<FactType>();
  expectTypeOf<"BORED">().not.toExtend<FactDraft<"DECISION_REFUSED" | "AUTHENTICATION_REFUSED">["reason"]>();
  type Refused = FactDraft<"GRANT_REFUSED">;
  expectTypeOf<{ type: "GRANT_REFUSED"; reason: "GRANT_INVALID" }>().toExtend<Refused>();
  expectTypeOf<{ type: "GRANT_REFUSED"; reason: "GRANT_INVALID"; action: string }>().not.toExtend<Refused>();
  type Ended = FactDraft<"SESSION_ENDED">;
  expectTypeOf<Ended["states"]["length"]>().toEqualTypeOf<1>();
  expectTypeOf<Omit<Ended, "states"> & { states: [] }>().not.toExtend<Ended>();
  type Proposed = FactDraft<"ACTION_PROPOSED">["states"];
  expectTypeOf<readonly [StateOf<"ACTION">, StateOf<"CHAIN">]>().toExtend<Proposed>();
  expectTypeOf<readonly [StateOf<"CHAIN">, StateOf<"ACTION">]>().not.toExtend<Proposed>();
  expectTypeOf<{ type: "TOKEN_REVOKED"; states: readonly [StateOf<"TOKEN">] }>().toExtend<FactDraft>();
  expectTypeOf<{ type: "TOKEN_REVOKED"; states: readonly [StateOf<"PRINCIPAL">] }>().not.toExtend<FactDraft>();
  expectTypeOf<Commitment<string>>().not.toExtend<FactDraft<"TOKEN_REVOKED">["note"]>();
});

describe("factOf", () => {
  const entry = (said: JsonObject) => ({ body: said, payload: undefined });

  it("reads what an entry says by its type, and throws for another", () => {
    expect(factOfType(entry(body()), "SESSION_ENDED").reason).toBe("LOGOUT");
    expect(() => factOfType(entry(body()), "AUDIT_READ")).toThrow(TypeError);
  });

  it.each<readonly [string, JsonObject, RegExp]>([
    ["a wrong member", body({ reason: "BORED" }), /not what its type SESSION_ENDED says: reason: /],
    ["a missing member", { ...bare, type: "SESSION_ENDED" }, /states: |reason: |session: /],
    ["a step that its type does not take", body(state({ version: 1 })), /leads no SESSION/],
    ["no type", bare, /type: /],
    ["an actor without a kind, whatever its type is", { ...bare, type: "NEW", actor: { id: "a" } }, /actor\.kind: /],
  ])("throws for %s", (_, wrong, problem) => {
    expect(() => factOf(entry(wrong))).toThrow(TypeError);
    expect(() => factOf(entry(wrong))).toThrow(problem);
  });

  it("reads who made an entry of a type that it does not know", () => {
    expect(factOf(entry({ ...bare, type: "FROM_THE_FUTURE", anything: true })).actor.id).toBe("countersign");
  });
});
