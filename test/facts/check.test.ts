import { expect, expectTypeOf, it } from "vitest";
import { DECISION_REFUSALS, GRANT_REFUSALS } from "../../src/facts/actions.ts";
import type { JsonObject } from "../../src/facts/canonical.ts";
import { checkBody } from "../../src/facts/check.ts";
import type { Erasable } from "../../src/facts/commitment.ts";
import { bodyOf, encode } from "../../src/facts/encode.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import { AUTHENTICATION_REFUSALS } from "../../src/facts/reading.ts";
import type { Fact, FactDraft, FactType } from "../../src/facts/registry.ts";
import type { Commitment } from "../../src/facts/schema.ts";
import { isLegalStep } from "../../src/facts/steps.ts";
import { factOfType } from "../../src/facts/told.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };

const session = "0192f3a0-0000-7000-8000-000000000001";
const ended: FactDraft<"SESSION_ENDED"> = {
  type: "SESSION_ENDED",
  session,
  reason: "LOGOUT",
  states: [{ kind: "SESSION", id: session, version: 2, state: { status: "ENDED" } }],
};
const body = (changes: object = {}): JsonObject => ({
  ...(JSON.parse(encode(bodyOf({ actor: SYSTEM_ACTOR }, ended)).body) as JsonObject),
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
  ["an unknown member", body({ extra: 1 }), /extra/],
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

const refused = (type: string, reason: string): JsonObject => ({
  id: session,
  actor: SYSTEM_ACTOR,
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
  expect(isLegalStep("ACTION", null, "PENDING")).toBe(true);
  expect(isLegalStep("ACTION", null, "APPROVED")).toBe(false);
  expect(isLegalStep("ACTION", "PENDING", "EXECUTING")).toBe(false);
  expect(isLegalStep("ACTION", "DENIED", "PENDING")).toBe(false);
  expect(isLegalStep("TOKEN", null, undefined)).toBe(true);
  expect(isLegalStep("NOTHING", null, undefined)).toBe(false);
});

it("has one shape a type, for whoever writes and for whoever reads", () => {
  expectTypeOf<FactDraft<"TOKEN_REVOKED">["note"]>().toEqualTypeOf<Erasable<string> | undefined>();
  expectTypeOf<Fact<"TOKEN_REVOKED">["note"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<{ type: "TOKEN_REVOKED" }>().not.toExtend<FactDraft>();
  expectTypeOf<"NO_SUCH_TYPE">().not.toExtend<FactType>();
  expectTypeOf<"BORED">().not.toExtend<FactDraft<"DECISION_REFUSED" | "AUTHENTICATION_REFUSED">["reason"]>();
  expectTypeOf<Commitment<string>>().not.toExtend<FactDraft<"TOKEN_REVOKED">["note"]>();
  const entry = { type: "SESSION_ENDED", body: body(), payload: undefined };
  expect(factOfType(entry, "SESSION_ENDED").reason).toBe("LOGOUT");
  expect(() => factOfType(entry, "AUDIT_READ")).toThrow(TypeError);
});
