import { type ActionPage, listActions, listDecidable } from "../../domain/actions/loading/list.ts";
import { isOfAllRegions, mergedPage } from "../base/across-regions/merged.ts";
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
import { LISTED_REGION } from "../base/regions.ts";
import { readerOf } from "../base/viewer.ts";
import { ActionConnection, ActionRef } from "./action.ts";
import { GlassReview } from "./break-glass.ts";
import { readAction, seesAction } from "./reads.ts";
import { type ActionNode, actionNode, viewOf } from "./rows.ts";

/** The page of actions that `list` finds. */
async function readPage(
  context: Context,
  { region, ...args }: PageArguments & { readonly region?: string | null | undefined },
  list: (local: Context, range: { readonly before: bigint | undefined; readonly limit: number }) => Promise<ActionPage>,
): Promise<Page<ActionNode>> {
  const positionOf = (action: ActionNode) => viewOf(action).state.proposedSeq;
  if (isOfAllRegions(context, region)) {
    return mergedPage(context, args, {
      async read(local, { after, limit }) {
        const { actions, stoppedAt } = await list(local, { before: after, limit });
        return { nodes: actions.map(actionNode), stoppedAt };
      },
      positionOf,
      recordedAtOf: (action) => viewOf(action).proposal.recordedAt,
      newestFirst: true,
    });
  }
  const size = pageSize(args);
  const after = decodeCursor(args);
  const asOf = await readingAt(context);
  const { actions, stoppedAt } = await list(context, { before: after, limit: size + 1 });
  return pageOf({ nodes: actions.map(actionNode), size, after, asOf, positionOf, stoppedAt });
}

builder.queryField("action", (t) =>
  t.field({
    type: ActionRef,
    nullable: true,
    description: "The action with this id; null when there is none that you may see.",
    authScopes: { signedIn: true },
    args: {
      region: t.arg.string({ description: "Where it is recorded, for a UUID of another region than home." }),
      id: t.arg.id({ required: true, description: "An action's id." }),
    },
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
      region: t.arg.string({ description: LISTED_REGION }),
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
    resolve: (_root, { status, breakGlass, ...page }, context) =>
      readPage(context, page, (local, range) => {
        const filter = { statuses: status ?? undefined, reviews: breakGlass ?? undefined };
        return listActions(local.db, local.ledger, readerOf(local), { ...range, ...filter });
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
      region: t.arg.string({ description: LISTED_REGION }),
      onlyDecidable: t.arg.boolean({ description: "Only actions with `viewerCanDecide`. Default: all." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: (_root, { onlyDecidable, ...page }, context) =>
      readPage(context, page, (local, range) => {
        const { db, ledger, services } = local;
        const pending = { ...range, statuses: ["PENDING"] };
        return onlyDecidable === true
          ? listDecidable(db, ledger, readerOf(local), pending, (view) =>
              services.actions.blockedBecause(view, callerOf(local)),
            )
          : listActions(db, ledger, readerOf(local), pending);
      }),
  }),
);
