import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { canonicalize, type JsonObject, type JsonValue } from "../../src/facts/canonical.ts";
import { bodySchema, checkBody } from "../../src/facts/check/check.ts";
import { quickCheck } from "../../src/facts/check/quick-check.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import { VOCABULARY } from "../../src/facts/registry.ts";
import { HEX, INSTANT, sampleOf, UUID } from "./samples.ts";

const SEED = 20261125;
const types = [...VOCABULARY.facts.values()].map((fact) => {
  const schema = bodySchema(fact, VOCABULARY.states);
  return { type: fact.type, schema, quick: quickCheck(schema), sample: sampleOf(schema) };
});

/** Values that some member takes, and some that nearly are. */
const values: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(UUID, HEX, `sha256:${HEX}`, INSTANT, { commit: HEX }, "", "HUMAN", "ACTION", 0, 1, true),
  fc.constantFrom<JsonValue>(UUID.toUpperCase(), UUID.replace("-", "0"), HEX.slice(1), `${HEX}0`, HEX.toUpperCase()),
  fc.constantFrom<JsonValue>(`SHA256:${HEX}`, `sha256:${HEX.slice(1)}é`, HEX.replace("0", "\u0130"), {
    commit: HEX,
    x: 1,
  }),
  fc.constantFrom<JsonValue>("2026-02-30T00:00:00.000000Z", INSTANT.replace("Z", "+00:00"), "2026-01-01T00:00:00.000Z"),
  fc.constantFrom<JsonValue>(-1, 1.5, 2 ** 31, 2 ** 53, -0, 1e300, null, false, [], {}, [[]], { commit: "" }),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>,
);
const names = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "extra", "session", "states", "type", "id", "commit", "0", "é", ""),
  fc.string(),
);

type Change =
  | { readonly kind: "remove" }
  | { readonly kind: "replace"; readonly value: JsonValue }
  | { readonly kind: "add"; readonly name: string; readonly value: JsonValue }
  | { readonly kind: "alter"; readonly at: number; readonly character: string };
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.constant({ kind: "remove" } as const),
  fc.record({ kind: fc.constant("replace" as const), value: values }),
  fc.record({ kind: fc.constant("add" as const), name: names, value: values }),
  fc.record({
    kind: fc.constant("alter" as const),
    at: fc.nat(80),
    character: fc.constantFrom("a", "g", "A", "-", "é", ""),
  }),
);

/** `value` with the member that the steps of `way` lead to changed. */
function changed(value: JsonValue, [step, ...way]: readonly number[], change: Change): JsonValue | undefined {
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  const key = step === undefined ? undefined : keys[step % keys.length];
  if (key === undefined) return applied(value, change);
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    return items.flatMap((item, at) => (String(at) === key ? (changed(item, way, change) ?? []) : [item]));
  }
  const members = Object.entries(value as JsonObject).flatMap(([name, member]) => {
    const next = name === key ? changed(member ?? null, way, change) : member;
    return next === undefined ? [] : [[name, next]];
  });
  return Object.fromEntries(members) as JsonObject;
}

function applied(value: JsonValue, change: Change): JsonValue | undefined {
  switch (change.kind) {
    case "remove":
      return undefined;
    case "replace":
      return change.value;
    case "add":
      if (Array.isArray(value)) return [...(value as readonly JsonValue[]), change.value];
      if (typeof value !== "object" || value === null) return change.value;
      return Object.fromEntries([...Object.entries(value), [change.name, change.value]]) as JsonObject;
    case "alter":
      if (typeof value !== "string") return value;
      return value.slice(0, change.at) + change.character + value.slice(change.at + 1);
  }
}

const body = fc
  .record({
    at: fc.nat(types.length - 1),
    edits: fc.array(fc.tuple(fc.array(fc.nat(40), { maxLength: 5 }), changes), { maxLength: 3 }),
  })
  .map(({ at, edits }) => {
    const { sample, ...type } = types[at]!;
    const value = edits.reduce((before, [way, change]) => changed(before, way, change) ?? before, sample);
    return { ...type, value: JSON.parse(canonicalize(value)) as JsonValue };
  });

describe("quickCheck", () => {
  it("accepts a whole body of each type", () => {
    for (const { type, quick, schema, sample } of types) {
      const value: unknown = JSON.parse(canonicalize(sample));
      expect(schema.safeParse(value).error, type).toBeUndefined();
      expect(quick(value), type).toBe(true);
    }
  });

  it("accepts exactly the bodies that the schema of their type accepts", () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(body, ({ schema, quick, value }) => {
        const { success } = schema.safeParse(value);
        seen[success ? "accepted" : "refused"] += 1;
        expect(quick(value)).toBe(success);
      }),
      { seed: SEED, numRuns: 20_000 },
    );
    expect(seen.accepted).toBeGreaterThan(3_000);
    expect(seen.refused).toBeGreaterThan(3_000);
  });

  it("leaves it to the schema where members are in another order", () => {
    const value = { type: "SETUP_CODE_ISSUED", id: UUID, actor: SYSTEM_ACTOR };
    expect(quickCheck(z.strictObject({ a: z.string(), b: z.string() }))({ b: "1", a: "2" })).toBe(false);
    expect(checkBody({ ...value, type: "LEDGER_CREATED" })).toEqual([]);
  });

  it.each([
    ["a sort of schema that it does not know", z.date()],
    ["an object with further members", z.object({ a: z.string() })],
    ["a number of any kind", z.number()],
    ["a check that it does not know", z.string().max(3)],
  ])("is not made of %s", (_, schema) => {
    expect(() => quickCheck(schema)).toThrow(/there is no quick check/);
  });
});
