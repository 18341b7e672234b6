import { type ActionPage, listActions, listDecidable } from "../../domain/actions/loading/list.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf } from "../base/context.ts";
import { ActionStatus } from "../base/enums.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import {
  AFTER,
  decodeCursor,
  FIRST,
  type Page,
  type PageArguments,
  pageComplexity,
  pageOf,
  pageSize,
} from "../base/page.ts";
import { readingAt } from "../base/position.ts";
import { REGION } from "../base/regions.ts";
import { readerOf } from "../base/viewer.ts";
import { ActionConnection, ActionRef } from "./action.ts";
import { GlassReview } from "./break-glass.ts";
import { readAction, seesAction } from "./reads.ts";
import { type ActionNode, actionNode, viewOf } from "./rows.ts";

/** The page of actions that `list` finds. */
async function readPage(
  context: Context,
  args: PageArguments,
  list: (range: { readonly before: bigint | undefined; readonly limit: number }) => Promise<ActionPage>,
): Promise<Page<ActionNode>> {
  const size = pageSize(args);
  const after = decodeCursor(args);
  const asOf = await readingAt(context);
  const { actions, stoppedAt } = await list({ before: after, limit: size + 1 });
  const positionOf = (action: ActionNode) => viewOf(action).state.proposedSeq;
  return pageOf({ nodes: actions.map(actionNode), size, after, asOf, positionOf, stoppedAt });
}

builder.queryField("action", (t) =>
  t.field({
    type: ActionRef,
    nullable: true,
    description: "The action with this id; null when there is none that you may see.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "An action's id." }) },
    resolve: async (_root, { id }, context) => {
      const action = await readAction(context, uuidOfNodeId("Action", context.ledger, id));
      return action !== null && seesAction(context, action) ? action : null;
    },
  }),
);

builder.queryField("actions", (t) =>
  t.field({
    type: ActionConnection,
    description: "Actions that you may see, latest proposal first.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      region: t.arg.string({ description: REGION }),
      status: t.arg({
        type: [ActionStatus],
        description: "Only actions with one of these statuses. Default: all.",
      }),
      breakGlass: t.arg({
        type: [GlassReview],
        description:
          "Only actions that somebody approved alone, and of which another person said one of these. Default: all actions.",
      }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: (_root, { status, breakGlass, first, after }, context) =>
      readPage(context, { first, after }, (range) => {
        const filter = { statuses: status ?? undefined, reviews: breakGlass ?? undefined };
        return listActions(context.db, context.ledger, readerOf(context), { ...range, ...filter });
      }),
  }),
);

builder.queryField("pendingApprovals", (t) =>
  t.field({
    type: ActionConnection,
    description:
      "Pending actions that you may see, latest proposal first. With `onlyDecidable` a page can have fewer than `first` nodes although more follow.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      region: t.arg.string({ description: REGION }),
      onlyDecidable: t.arg.boolean({ description: "Only actions with `viewerCanDecide`. Default: all." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: (_root, { onlyDecidable, first, after }, context) =>
      readPage(context, { first, after }, (range) => {
        const { db, ledger, services } = context;
        const pending = { ...range, statuses: ["PENDING"] };
        return onlyDecidable === true
          ? listDecidable(db, ledger, readerOf(context), pending, (view) =>
              services.actions.blockedBecause(view, callerOf(context)),
            )
          : listActions(db, ledger, readerOf(context), pending);
      }),
  }),
);
