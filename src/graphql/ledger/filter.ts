import type { LedgerId } from "../../facts/entry.ts";
import type { EntryFilter } from "../../ledger/search.ts";
import { builder } from "../base/builder.ts";
import { Effect } from "../base/enums.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { LISTED_FACT_TYPES } from "./fact-types.ts";

export const AuditFilter = builder.inputType("AuditFilter", {
  description: "Conditions on an entry; it must meet all of them. What is left out or null asks for nothing.",
  fields: (t) => ({
    actorId: t.id({
      description:
        "The id of the principal who did it themselves: an agent's own, not that of the person it acted for.",
    }),
    onBehalfOfId: t.id({ description: "The id of the person an agent did it for." }),
    actorEmail: t.string({
      description:
        "The address, in any case, of the person who did it or whom an agent did it for. An erased address is not found.",
    }),
    sessionId: t.id({ description: "The session it happened in." }),
    actionId: t.id({ description: "The action it is about." }),
    types: t.stringList({ description: `One of these kinds of fact: ${LISTED_FACT_TYPES}.` }),
    platform: t.string({ description: "The platform of the action." }),
    tool: t.string({ description: "The tool of the action." }),
    effect: t.field({ type: Effect, description: "What the tool does to its platform." }),
    chainHash: t.field({ type: "UUID", description: "The routing chain it belongs to." }),
    sourceChainHash: t.field({ type: "UUID", description: "The chain its data was drawn from." }),
    recordedFrom: t.field({ type: "DateTime", description: "Recorded then or later." }),
    recordedTo: t.field({ type: "DateTime", description: "Recorded then or earlier." }),
    text: t.string({ description: "Words that all occur somewhere among the facts." }),
    contains: t.field({
      type: "JSON",
      description: "A piece of JSON that is contained in the arguments or in the result.",
    }),
  }),
});

type Given = typeof AuditFilter.$inferInput;

/** What `given` asks of the entries of `ledger`. */
export function entryFilter(ledger: LedgerId, given: Given | null | undefined): EntryFilter {
  if (given === null || given === undefined) return {};
  const { sessionId, actionId, ...rest } = given;
  return {
    ...rest,
    ...(sessionId ? { sessionId: uuidOfNodeId("Session", ledger, sessionId) } : {}),
    ...(actionId ? { actionId: uuidOfNodeId("Action", ledger, actionId) } : {}),
  };
}

/** Whether `filter` lets everything through. */
export function asksNothing(filter: EntryFilter): boolean {
  return Object.values(filter).every((value) => value === undefined || value === null);
}
