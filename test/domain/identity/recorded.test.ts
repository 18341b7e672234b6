import { expect, it } from "vitest";
import { profileIn } from "../../../src/domain/identity/recorded.ts";
import type { JsonValue } from "../../../src/facts/canonical.ts";
import { seal } from "../../../src/facts/commitment.ts";
import type { LedgerEntry } from "../../../src/facts/entry.ts";
import { Erasable } from "../../../src/facts/erasable.ts";
import { parseJson } from "../../../src/facts/parse-json.ts";

const entryWith = (profile: JsonValue) => {
  const { body, payload } = seal({ actor: { id: "ann", profile: new Erasable(profile) } });
  return { body: parseJson(body), payload: parseJson(payload) } as unknown as LedgerEntry;
};

it.each<[string, JsonValue, object]>([
  ["null", null, {}],
  ["a number", 7, {}],
  ["a text", "ann@acme.example", {}],
  ["a list", ["ann@acme.example"], {}],
  ["members that are no texts", { email: 7, displayName: { first: "Ann" } }, {}],
  [
    "an address beside a name that is none",
    { email: "ann@acme.example", displayName: null },
    { email: "ann@acme.example" },
  ],
])("reads a profile that no server recorded as one without what is not a text: %s", (_, recorded, profile) => {
  expect(profileIn(entryWith(recorded), "actor.profile")).toEqual(profile);
});
