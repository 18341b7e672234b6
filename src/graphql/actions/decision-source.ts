import { objectOf } from "../../facts/members.ts";
import { builder } from "../base/builder.ts";
import { Channel } from "../base/enums.ts";
import { type EntryNode, entryOf } from "../base/rows.ts";
import { PrincipalRef } from "../directory/principal.ts";
import { DecisionRef } from "./decision.ts";

/** Where a decision came from: what its person had been shown, and who passed it on. */

type ChannelName = "API" | "CONSOLE" | "SLACK" | "TEAMS" | "WEBHOOK";

/** A text of how it was decided, as the entry recorded it. */
function recorded(entry: EntryNode, member: string): string | null {
  const value = objectOf(entryOf(entry).body.decision)[member];
  return typeof value === "string" ? value : null;
}

builder.objectFields(DecisionRef, (t) => ({
  firstShownAt: t.field({
    type: "DateTime",
    nullable: true,
    description:
      "When the server first sent the action's `rendered`, `arguments` or `digest` to whoever decided, before they did; null where that is not known. The digest of what they were shown is in `entry`.",
    resolve: ({ entry }) => recorded(entry, "firstShownAt"),
  }),
  firstShownBy: t.field({
    type: Channel,
    nullable: true,
    description: "The channel by which the server sent it to them then; null where `firstShownAt` is.",
    resolve: ({ entry }) => recorded(entry, "firstShownBy") as ChannelName | null,
  }),
  submittedBy: t.field({
    type: PrincipalRef,
    nullable: true,
    description:
      "The integration that passed the decision on for the approver, such as that of a chat; null where the approver submitted it directly, with a token or browser session of their own. It decides nothing, and nothing that a caller sends sets it.",
    resolve: ({ entry }) => {
      const { id } = objectOf(objectOf(entryOf(entry).body.decision).submittedBy);
      return typeof id === "string" ? { id, kind: "SERVICE" as const, roles: [], groups: [] } : null;
    },
  }),
}));
