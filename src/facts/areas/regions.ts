import { anyStep, defineFact, defineState } from "../definition.ts";
import type { Payload } from "../payload.ts";
import { erasable, hash, hex, object, positive, text } from "../schema.ts";

/** What a region records of its organization's home region: the signed copies that it works under. */

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

/** The id of the only HOME_COPY. */
export const HOME_COPY_ID = "home";

const HOME_COPY = defineState("HOME_COPY", {
  description: "how far the home ledger of an organization is copied, as far as it concerns the whole organization",
  id: "`home`; servers read no other, and no condition forbids one",
  state: object(
    { seq: text("position of an entry of the home ledger"), hash: hex("hash of that entry") },
    "up to where everything that changes the directory is in the copies",
  ),
});

/** A copied entry. */
export type CopiedEntry = {
  /** Its bytes, which its hash is of. */
  readonly entry: string;
  /** Its erasable values with their salts, by path: names, addresses, and what channels are configured with; no others. */
  readonly payload: Payload;
};

export const REGIONS = {
  states: [POLICY_COPY, HOME_COPY],
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
    defineFact("HOME_COPIED", {
      description:
        "entries of the home ledger were copied that concern the whole organization, to work under them while that ledger cannot be read",
      members: {
        home: object(
          {
            ledger: text("the home ledger"),
            after: text("the position up to which the copy before this one goes; `0` in the first"),
            seq: text(
              "position of an entry of it: every entry up to there that changes the directory is in this copy, or in one before it",
            ),
            hash: hex("hash of that entry"),
          },
          "up to where it was read",
        ),
        copies: erasable<readonly CopiedEntry[]>(
          'the entries in their order, each as `{"entry":…,"payload":…}`: its text, and its erasable values as far as they are names, addresses, or the settings and encrypted secrets of a channel',
        ),
      },
      moves: { HOME_COPY: anyStep },
      permits: true,
      conditions: { by: ["SYSTEM"], records: { "home.seq": "seq", "home.hash": "hash" } },
    }),
  ],
} as const;
