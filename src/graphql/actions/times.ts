import type { ActionStatus } from "../../facts/areas/actions.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { LARGE_VALUE } from "../base/response-budget.ts";
import { entryOf, revealed, shownText } from "../base/rows.ts";
import { ActionRef, completionOf } from "./action.ts";
import { readOutcomeOf } from "./reads.ts";
import { type ActionNode, viewOf } from "./rows.ts";

/** When an action went from one step to the next: its request, the decisions (`decisions`), its redemption and its outcome. */

const STARTED: ReadonlySet<ActionStatus> = new Set(["EXECUTING", "AMBIGUOUS", "SUCCEEDED", "FAILED"]);
const ENDED: ReadonlySet<ActionStatus> = new Set(["BLOCKED", "DENIED", "CANCELLED", "EXPIRED", "SUCCEEDED", "FAILED"]);

async function redeemedAt(row: ActionNode, context: Context): Promise<string | null> {
  // Reads only where there is something to find.
  if (!STARTED.has(viewOf(row).state.status)) return null;
  const entries = (await readOutcomeOf(context, row)).map(entryOf);
  return entries.find(({ type }) => type === "GRANT_REDEEMED")?.recordedAt ?? null;
}

async function endedAt(row: ActionNode, context: Context): Promise<string | null> {
  const { state, proposal } = viewOf(row);
  if (!ENDED.has(state.status)) return null;
  const last = (await readOutcomeOf(context, row)).map(entryOf).at(-1);
  return (last ?? proposal).recordedAt;
}

builder.prismaObjectFields(ActionRef, (t) => ({
  proposedAt: t.field({
    type: "DateTime",
    description: "When it was proposed and the policy evaluated.",
    resolve: (row) => viewOf(row).proposal.recordedAt,
  }),
  redeemedAt: t.field({
    type: "DateTime",
    nullable: true,
    description: "When its grant was redeemed, which starts it; null before.",
    resolve: (row, _args, context) => redeemedAt(row, context),
  }),
  completedAt: t.field({
    type: "DateTime",
    nullable: true,
    description: "When its outcome was told; null before, and when it was never started.",
    resolve: async (row, _args, context) => (await completionOf(row, context))?.recordedAt ?? null,
  }),
  endedAt: t.field({
    type: "DateTime",
    nullable: true,
    description:
      "When it was blocked, denied, cancelled, expired or completed; null before, and while nobody knows the outcome.",
    resolve: (row, _args, context) => endedAt(row, context),
  }),
  error: t.string({
    complexity: LARGE_VALUE,
    nullable: true,
    description:
      "Why it failed, as the agent reported it; null when it did not fail, or nothing was reported. `[missing]` or `[altered]` when the stored text is gone, or is not the one that was recorded.",
    resolve: async (row, _args, context) => {
      const completed = await completionOf(row, context);
      return completed === undefined ? null : (shownText(revealed(completed, "error")) ?? null);
    },
  }),
}));
