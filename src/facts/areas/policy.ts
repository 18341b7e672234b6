import { ANY, anyStep, defineFact, defineState } from "../definition.ts";
import { code, hash, object, positive, text } from "../schema.ts";

/** The policy documents of an organization: what is in force, and what led to it. */

/** The platform of what the server itself carries out. */
export const OWN_PLATFORM = "countersign";
export const PUBLICATION_MODES = ["ACTIVE", "SHADOW"] as const;
/** Why a document is not proposed. A caller is refused with the same codes. */
export const POLICY_REFUSALS = ["POLICY_INVALID", "POLICY_UNTESTED", "NOTHING_CHANGED"] as const;

const version = object(
  { version: positive("its number"), hash: hash("of the RFC 8785 form of the value that the document has") },
  "a version",
);

export const POLICY = defineState("POLICY", {
  description: "the policy of an organization",
  id: "`policy`; servers read no other, and no condition forbids one",
  state: object(
    {
      version: positive("number of the version in force"),
      hash: hash("of its document"),
      shadow: version.optional(),
      latest: positive("the highest number of a version so far"),
    },
    "the policy from this entry on",
  ),
  conditions: { initially: { version: 1, latest: 1 } },
});

export const POLICY_AREA = {
  states: [POLICY],
  facts: [
    defineFact("POLICY_STARTED", {
      description:
        "nothing was published yet, and the server began to evaluate by the policy that it starts with: for the first time, or with another catalog",
      members: {
        starter: object(
          { hash: hash("of its document"), document: text("as RFC 8785 text") },
          "the policy that servers start with, which is version 1",
        ),
      },
      moves: { POLICY: anyStep },
      permits: true,
      conditions: {
        by: ["SYSTEM"],
        sets: { version: 1, latest: 1 },
        lacks: ["shadow"],
        records: { "starter.hash": "hash" },
        keeps: ["version", "latest"],
      },
    }),
    defineFact("POLICY_PUBLISHED", {
      description:
        "the server put a policy document in force that was approved, or began to evaluate it beside the one in force",
      members: {
        publication: object(
          {
            action: text("the action that proposed it, and was approved"),
            actionVersion: positive("the version of that action on which it rests"),
            mode: code(
              PUBLICATION_MODES,
              "ACTIVE: it is in force. SHADOW: it is evaluated as well, and decides nothing",
            ),
            version: positive("its number"),
            hash: hash("of the RFC 8785 form of the value that the document has"),
            document: text("as it was published, in YAML or JSON"),
          },
          "what is published",
        ),
        status: code(["APPROVED"], "of the action"),
      },
      moves: { POLICY: [[ANY, ANY]] },
      permits: true,
      conditions: {
        by: ["SYSTEM"],
        records: { "publication.version": "latest" },
        counts: "latest",
        where: {
          member: "publication.mode",
          is: {
            ACTIVE: { records: { "publication.version": "version", "publication.hash": "hash" }, lacks: ["shadow"] },
            SHADOW: { records: { "publication.version": "shadow.version", "publication.hash": "shadow.hash" } },
          },
        },
      },
    }),
    defineFact("POLICY_REFUSED", {
      description: "an administrator wanted to publish a document that cannot be published",
      members: {
        reason: code(POLICY_REFUSALS, "why"),
        hash: hash("of the text that they sent"),
      },
      conditions: { by: ["HUMAN"] },
    }),
  ],
} as const;
