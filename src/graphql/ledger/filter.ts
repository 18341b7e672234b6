import type { LedgerId } from "../../facts/entry.ts";
import type { EntryFilter } from "../../ledger/search.ts";
import { builder } from "../base/builder.ts";
import { Effect } from "../base/enums.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { LISTED_FACT_TYPES } from "./fact-types.ts";

export const AuditFilter = builder.inputType("AuditFilter", {
  description: "Conditions that an entry must meet, all of them. An omitted or null member is no condition.",
  fields: (t) => ({
    actorId: t.id({
      description: "The id of the principal that did it: for an agent its own id, not that of the person it acted for.",
    }),
    onBehalfOfId: t.id({ description: "The id of the person that the actor acted for." }),
    actorEmail: t.string({
      description:
        "The e-mail address, ignoring case, of the actor or of the person the actor acted for. Erased addresses are not found.",
    }),
    sessionId: t.id({ description: "The session it belongs to." }),
    actionId: t.id({ description: "The action it is about." }),
    types: t.stringList({ description: `Entries of any of these types. Values: ${LISTED_FACT_TYPES}.` }),
    platform: t.string({ description: "The platform of the action." }),
    tool: t.string({ description: "The tool of the action." }),
    effect: t.field({ type: Effect, description: "Whether the tool changes data on its platform." }),
    chainHash: t.field({ type: "UUID", description: "The routing chain of the action it is about." }),
    sourceChainHash: t.field({ type: "UUID", description: "The routing chain its data came from." }),
    recordedFrom: t.field({ type: "DateTime", description: "Recorded at this instant or later." }),
    recordedTo: t.field({ type: "DateTime", description: "Recorded at this instant or earlier." }),
    text: t.string({
      description: "Words separated by spaces. Each must occur, ignoring case, in some value of the entry.",
    }),
    contains: t.field({
      type: "JSON",
      description:
        "A JSON value that the arguments or the result contain, as PostgreSQL's `jsonb @>` defines it: objects match by some of their members, arrays by some of their elements.",
    }),
  }),
});

type Given = typeof AuditFilter.$inferInput;

/** The conditions that `given` puts on entries of `ledger`. */
export function entryFilter(ledger: LedgerId, given: Given | null | undefined): EntryFilter {
  if (given === null || given === undefined) return {};
  const { sessionId, actionId, ...rest } = given;
  return {
    ...rest,
    ...(isGiven(sessionId) ? { sessionId: uuidOfNodeId("Session", ledger, sessionId) } : {}),
    ...(isGiven(actionId) ? { actionId: uuidOfNodeId("Action", ledger, actionId) } : {}),
  };
}

/** Whether `value` is a condition, which an empty text is: nothing meets it. */
function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}

/** Whether `filter` has no condition. */
export function isEmptyFilter(filter: EntryFilter): boolean {
  return Object.values(filter).every((value) => value === undefined || value === null);
}
