import { readPositionOfGlass } from "../../domain/actions/break-glass-review.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { type EntryNode, entryOf, revealed, shownText } from "../base/rows.ts";
import { PrincipalRef, recordedActor } from "../directory/principal.ts";
import { readPositions } from "../ledger/reads.ts";
import { ActionRef } from "./action.ts";
import { DecideActionPayload } from "./mutations.ts";
import { actionPayload } from "./payload.ts";
import { readOutcomeOf } from "./reads.ts";
import { shownAction } from "./shown.ts";

export const GlassReview = builder.enumType("BreakGlassReview", {
  description: "What another person said of an action that somebody approved alone.",
  values: {
    UNREVIEWED: { value: "UNREVIEWED", description: "Nobody has looked into it yet." },
    JUSTIFIED: { value: "JUSTIFIED", description: "It was justified." },
    UNJUSTIFIED: { value: "UNJUSTIFIED", description: "It was not." },
  } as const,
});

function isReviewOf({ type, body }: LedgerEntry, action: string): boolean {
  return type === "BREAK_GLASS_REVIEWED" && body.action === action;
}

interface BreakGlassShape {
  readonly broken: EntryNode;
  readonly reviewed: EntryNode | undefined;
}

const BreakGlassRef = builder.objectRef<BreakGlassShape>("BreakGlass").implement({
  description: "That one person approved an action alone, in an emergency.",
  fields: (t) => ({
    by: t.field({
      type: PrincipalRef,
      nullable: true,
      description: "Who approved it.",
      resolve: ({ broken }) => recordedActor(entryOf(broken)),
    }),
    at: t.field({ type: "DateTime", description: "When.", resolve: ({ broken }) => entryOf(broken).recordedAt }),
    reason: t.string({
      nullable: true,
      description:
        "Why it could not wait. `[missing]` or `[altered]` when the stored text is gone, or is not the one that was recorded.",
      resolve: ({ broken }) => shownText(revealed(entryOf(broken), "reason")) ?? null,
    }),
    review: t.field({
      type: GlassReview,
      description: "What another person said of it.",
      resolve: ({ reviewed }) => {
        const verdict = reviewed && entryOf(reviewed).body.verdict;
        return verdict === "JUSTIFIED" || verdict === "UNJUSTIFIED" ? verdict : "UNREVIEWED";
      },
    }),
    reviewedBy: t.field({
      type: PrincipalRef,
      nullable: true,
      description: "Who looked into it; null while nobody has.",
      resolve: ({ reviewed }) => reviewed && recordedActor(entryOf(reviewed)),
    }),
    note: t.string({
      nullable: true,
      description: "What they wrote; null while nobody has.",
      resolve: ({ reviewed }) => (reviewed && shownText(revealed(entryOf(reviewed), "note"))) ?? null,
    }),
  }),
});

builder.prismaObjectField(ActionRef, "breakGlass", (t) =>
  t.field({
    type: BreakGlassRef,
    nullable: true,
    complexity: { field: 1, multiplier: 3 },
    description: "That somebody approved it alone, in an emergency; null where nobody did.",
    resolve: async (row, _args, context) => {
      const entries = await readOutcomeOf(context, row);
      const broken = entries.find((entry) => entryOf(entry).type === "ACTION_BROKEN_GLASS");
      if (broken === undefined) return null;
      const seq = await readPositionOfGlass(context.db, context.ledger, row.id);
      const [last] = seq === undefined ? [] : await readPositions(context, [seq]);
      // A row only tells where to look: what is there may be about another action.
      const isReview = last !== undefined && isReviewOf(entryOf(last), row.id);
      const reviewed = isReview ? last : undefined;
      return { broken, reviewed };
    },
  }),
);

const BreakGlassInput = builder.inputType("BreakGlassInput", {
  description: "An action to approve alone.",
  fields: (t) => ({
    ...shownAction(t),
    reason: t.string({ required: true, description: "Why it cannot wait; must not be blank." }),
  }),
});

builder.mutationField("breakGlass", (t) =>
  t.field({
    type: DecideActionPayload,
    description:
      "Approves a pending action alone, in an emergency. For people with the role `break-glass`: never what they asked for, what the policy forbids, or what changes the policy. It may be started for 15 minutes at most, and `Action.breakGlass` marks it until somebody else calls `reviewBreakGlass`.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: BreakGlassInput, required: true, description: "What to approve, and why." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      const work = context.services.actions.breakGlass(callerOf(context), { ...input, actionId, channel: "API" });
      return actionPayload(context, work);
    },
  }),
);

const ReviewBreakGlassInput = builder.inputType("ReviewBreakGlassInput", {
  description: "What a person says of an action that another approved alone.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    justified: t.boolean({ required: true, description: "Whether it was justified." }),
    note: t.string({ required: true, description: "Why; must not be blank." }),
  }),
});

builder.mutationField("reviewBreakGlass", (t) =>
  t.field({
    type: DecideActionPayload,
    description:
      "Says of an action that somebody approved alone whether that was justified. For administrators and people whose approval the policy asked for: somebody else than who did it, than who asked for the action, and than the person behind, with a verified address that shows it.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ReviewBreakGlassInput, required: true, description: "What to say of it." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      return actionPayload(
        context,
        context.services.actions.reviewBreakGlass(callerOf(context), { ...input, actionId }),
      );
    },
  }),
);
