import { defineState, type Step } from "../definition.ts";
import { always, code, count, hex, list, object, positive, text, uuid } from "../schema.ts";

/**
 * Routing chains, and the edges between them. They have no facts of their own: a proposal on another platform closes a chain and starts the
 * next, and says where what it writes comes from.
 */

export const CHAIN = defineState("CHAIN", {
  description: "a routing chain: consecutive steps of one principal in one conversation on one platform",
  namedBy: { path: "chain", whenMade: true },
  id:
    "the chain's UUID, which `chain` of the entry that starts it names too. Servers make it of the first 16 bytes of the SHA-256 of " +
    '`["countersign/chain/v1",<ledger>,<actor.id>,<onBehalfOf.id>,<conversation>,<number>]` as RFC 8785 text, `""` for what is not ' +
    "there, with version 8 and variant 2 set; no condition says that it is that one",
  state: object(
    {
      status: code(["OPEN", "CLOSED"], "whether it is the latest of its principal in the conversation"),
      number: count("its number among those of this principal and conversation, from 1"),
      platform: text("where its steps are done"),
    },
    "the chain from this entry on",
  ),
  conditions: {
    constant: ["number", "platform"],
    records: { platform: "platform" },
    numbered: "number",
    replaced: { by: ["CALLER"], repeats: { conversation: "conversation" } },
    dependedOn: { by: ["CALLER"], repeats: { conversation: "conversation" }, names: { platform: "platform" } },
  },
});

/** A read, as edges name it. */
const readPlace = {
  chain: uuid("the routing chain that read"),
  platform: text("where it was read"),
  region: text("where that platform keeps its data"),
  ledger: text("where the read is recorded"),
  seq: text("position of its proposal there, or of its completion where the proposal was too long ago to be looked at"),
  hash: hex("hash of that entry"),
};
/** Where the data of a write comes from, or may come from. */
export const WRITE_LINEAGE = object(
  {
    observed: list(
      object(
        {
          ...readPlace,
          values: positive("how many values they share, each counted once"),
          whole: count("how many of these are whole values of the arguments, not within a text"),
          exact: count(
            "how many of these are whole values of what was read too, character by character; missing where that was not looked up",
          ).optional(),
          said: positive(
            "how many of these the person asked for themselves, as the agent reports it; they do not count for `sourceChain`",
          ).optional(),
          strength: positive("how much that tells, in tenths: 50 is the least that is observed"),
        },
        "values of the arguments are among those of this read",
      ),
      "by compared content, the strongest first, where values that the person asked for come last; `sourceChain` is the chain of the first " +
        "of these, unless the person asked for what it has",
    ),
    possible: list(
      object(
        {
          ...readPlace,
          reads: positive("how many reads of that chain count"),
          unknown: always(true, "values of one of them are not known, so every argument may be from there").optional(),
        },
        "a chain of the caller with reads on another platform within the session window, by its latest",
      ),
      "by order in time, the latest first",
    ),
    origins: list(
      object(
        {
          platforms: list(
            text("where it was read"),
            "the platforms that have them, by name; none: no source of them is known",
          ),
          said: always(true, "the person asked for them, as the agent reports it").optional(),
          mixed: always(
            true,
            "each is on one of these platforms at least: there were too many combinations",
          ).optional(),
          values: positive("how many values of the arguments"),
        },
        "values of the arguments that have the same sources",
      ),
      "where values of the arguments are from, those left out that are too short or too common to tell",
    ),
    unknown: list(
      text("a platform, that of the write included"),
      "where something was read that was not compared, or not all of it, so that any value may be from there; missing: nowhere",
    ).optional(),
    unread: list(
      text("a region"),
      "regions that could not be asked for reads, each of which may be a source of everything; missing: none",
    ).optional(),
    left: positive("how many of the edges are left out").optional(),
    earlier: always(true, "there are more reads than were looked at").optional(),
    uncompared: always(
      true,
      "the arguments, or what the person asked for, were too much to compare all of it",
    ).optional(),
  },
  "of a write: where its data may come from",
);

/** What the completion of a read commits to. */
export const READ_FINGERPRINTS = object(
  {
    digest: hex(
      "SHA-256 of 16 random bytes that are kept with the fingerprints alone, six bytes of what was asked for, and the fingerprints, six bytes each in ascending order",
    ).optional(),
    omitted: positive(
      "values that have none because there were too many or they could not be read, rounded up to a power of two",
    ).optional(),
    unknown: always(true, "in place of a digest: the result took too long to look at").optional(),
  },
  "of a read: what the values of its result are recognized by, which are kept elsewhere and not for long",
);

/** A proposal may start a chain, and closes the one before it then. */
export const CHAIN_STEPS: readonly Step[] = [
  [null, "OPEN"],
  ["OPEN", "CLOSED"],
];
export const LINEAGE = { states: [CHAIN], facts: [] } as const;
