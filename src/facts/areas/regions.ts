import { anyStep, defineFact, defineState } from "../definition.ts";
import { hash, hex, object, positive, text } from "../schema.ts";

/** What a region records of its organization's home region: the signed copies that it works under, by hash. */

/** The id of the only POLICY_COPY. */
export const POLICY_COPY_ID = "policy";

const POLICY_COPY = defineState("POLICY_COPY", {
  description: "the policy of an organization, as a ledger outside its home region works under it",
  id: "`policy`; servers read no other, and no condition forbids one",
  state: object(
    { version: positive("number of the version"), hash: hash("of its document") },
    "the copy from this entry on",
  ),
});

export const REGIONS = {
  states: [POLICY_COPY],
  facts: [
    defineFact("POLICY_ADOPTED", {
      description: "the server began to evaluate by a policy that the home ledger of the organization has in force",
      members: {
        policy: object(
          { version: positive("number of the version"), hash: hash("of its document") },
          "the policy; the document is in the home ledger",
        ),
        home: object(
          {
            ledger: text("the home ledger"),
            seq: text("position of an entry of it that says that this policy is in force"),
            hash: hex("hash of that entry"),
          },
          "where that is recorded",
        ),
      },
      moves: { POLICY_COPY: anyStep },
      permits: true,
      conditions: { by: ["SYSTEM"], records: { "policy.version": "version", "policy.hash": "hash" } },
    }),
  ],
} as const;
