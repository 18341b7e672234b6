import type { DelegatedBy } from "../../domain/actions/decide/rights.ts";
import { type Assurance as AssuranceLevel, UNSTATED_ASSURANCE } from "../../facts/assurance.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import { viewerOf } from "../base/context.ts";
import { ApproverIdentity, Assurance, Channel, Verdict } from "../base/enums.ts";
import { type EntryNode, entryOf, revealed, shownText } from "../base/rows.ts";
import { DelegationRef } from "../directory/delegations.ts";
import { PrincipalRef, type PrincipalShape, recordedActor } from "../directory/principal.ts";
import { EntryRef } from "../ledger/entry.ts";
import { recordingEntries } from "../ledger/reads.ts";

interface DecisionShape {
  readonly approver: PrincipalShape;
  readonly verdict: "APPROVE" | "DENY";
  readonly note: string | null;
  readonly channel: "API" | "CONSOLE" | "SLACK" | "TEAMS" | "WEBHOOK";
  readonly assurance: AssuranceLevel;
  readonly identity: "DIFFERENT" | "UNKNOWN" | null;
  readonly delegatedBy: DelegatedBy | undefined;
  readonly entry: EntryNode;
  /** Of the action it was decided on. */
  readonly proposal: LedgerEntry;
}

type Recorded = {
  readonly verdict: DecisionShape["verdict"];
  readonly channel: DecisionShape["channel"];
  readonly assurance?: AssuranceLevel;
  readonly delegatedBy?: DelegatedBy;
};

/** The decisions among the entries of an action, which `proposal` proposed. */
export function decisionsOf(proposal: LedgerEntry, rows: readonly EntryNode[]): DecisionShape[] {
  return rows.flatMap((row) => {
    const entry = entryOf(row);
    if (entry.type !== "ACTION_APPROVED" && entry.type !== "ACTION_DENIED") return [];
    const approver = recordedActor(entry);
    const decision = entry.body.decision as Recorded | undefined;
    if (approver === undefined || decision === undefined) return [];
    const { verdict, channel, assurance = UNSTATED_ASSURANCE, delegatedBy } = decision;
    const note = shownText(revealed(entry, "decision.note")) ?? null;
    const recorded = entry.body.identity === undefined ? "DIFFERENT" : "UNKNOWN";
    const identity = verdict === "APPROVE" ? recorded : null;
    return [{ approver, verdict, channel, assurance, note, identity, delegatedBy, entry: row, proposal }];
  });
}

export const DecisionRef = builder.objectRef<DecisionShape>("Decision").implement({
  description: "One person's approve or deny on an action.",
  fields: (t) => ({
    approver: t.field({ type: PrincipalRef, description: "Who decided.", resolve: ({ approver }) => approver }),
    verdict: t.expose("verdict", { type: Verdict, description: "Whether they approved or denied." }),
    note: t.exposeString("note", {
      nullable: true,
      description:
        "The remark recorded with the decision; null when there is none. `[missing]` or `[altered]` when the stored text is gone, or is not the one that was recorded.",
    }),
    channel: t.expose("channel", { type: Channel, description: "How the decision reached the server." }),
    assurance: t.expose("assurance", {
      type: Assurance,
      description: "How sure it is that they themselves decided, by how they had signed in and by the channel.",
    }),
    identity: t.expose("identity", {
      type: ApproverIdentity,
      nullable: true,
      description:
        "Of an approval: what was known when it was given of whether the approver is another person than those who asked for the action, who are responsible for its agent, and who approved before. Null for a denial.",
    }),
    delegatedBy: t.field({
      type: PrincipalRef,
      nullable: true,
      description:
        "The person who lent the approver the right to decide, with the group that it is a right of; null when it was the approver's own.",
      resolve: ({ delegatedBy: lent }) =>
        lent && { id: lent.id, kind: "HUMAN" as const, roles: [], groups: [lent.group] },
    }),
    delegation: t.field({
      type: DelegationRef,
      nullable: true,
      description: "The delegation by which it was decided; null when there was none, and when you may not see it.",
      resolve: async ({ delegatedBy: lent }, _args, context) => {
        const { ledger, services } = context;
        const delegation = lent && (await services.directory.delegation(viewerOf(context), lent.delegation));
        return delegation && { ledger, delegation };
      },
    }),
    decidedAt: t.field({
      type: "DateTime",
      description: "When it was recorded.",
      resolve: ({ entry }) => entryOf(entry).recordedAt,
    }),
    entry: t.field({
      type: EntryRef,
      description: "The entry that records it. Reading it is recorded in the ledger unless you proposed the action.",
      resolve: async ({ entry, proposal }, _args, context) => {
        await recordingEntries(context, "decision.entry", [entry], proposal);
        return entry;
      },
    }),
  }),
});
