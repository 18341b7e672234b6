import { defineFact } from "../definition.ts";

/** What is said about a ledger itself. */
export const LEDGER = {
  states: [],
  facts: [
    defineFact("LEDGER_CREATED", {
      description: "the ledger begins; always its first entry and no other",
      members: {},
    }),
  ],
} as const;
