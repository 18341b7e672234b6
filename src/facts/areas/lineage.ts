import { defineState, type Step } from "../definition.ts";
import { code, count, object, text } from "../schema.ts";

/** Routing chains. They have no facts of their own: a proposal on another platform closes one and starts the next. */

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

/** A proposal may start a chain, and closes the one before it then. */
export const CHAIN_STEPS: readonly Step[] = [
  [null, "OPEN"],
  ["OPEN", "CLOSED"],
];
export const LINEAGE = { states: [CHAIN], facts: [] } as const;
