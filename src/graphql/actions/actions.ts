import { builder } from "../base/builder.ts";
import { ActionStatus } from "../base/enums.ts";
import { uuidOf } from "../base/node-id.ts";
import { decodeCursor, pageComplexity, pageOf, pageSize } from "../base/page.ts";
import { mayDecide, seesAction } from "../base/reads.ts";
import type { ActionRow } from "../base/rows.ts";
import { ActionConnection, ActionRef } from "./action.ts";
import { listActions } from "./action-list.ts";

builder.queryField("action", (t) =>
  t.prismaField({
    type: ActionRef,
    nullable: true,
    description: "The action of this id; null when there is none you may see.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "An action's id." }) },
    resolve: async (query, _root, { id }, context) => {
      const { services, ledger } = context;
      const where = { ledger_id: { ledger, id: uuidOf("Action", ledger, id) } };
      // `query` selects at least what the type always selects, which the plugin's types do not know.
      const action = (await services.prisma.action.findUnique({ ...query, where })) as ActionRow | null;
      return action !== null && seesAction(context, action) ? action : null;
    },
  }),
);

builder.queryField("actions", (t) =>
  t.field({
    type: ActionConnection,
    description: "Actions you may see, the latest proposed first.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      status: t.arg({ type: [ActionStatus], description: "Standing at one of these; at any when left out." }),
      first: t.arg.int({ description: "How many at most." }),
      after: t.arg.string({ description: "Continue behind this cursor." }),
    },
    resolve: async (_root, { status, ...page }, context) => {
      const size = pageSize(page);
      const before = decodeCursor(page);
      const { found } = await listActions(context, { statuses: status ?? undefined, before, limit: size + 1 });
      return pageOf(found, size, before, ({ proposedSeq }) => proposedSeq);
    },
  }),
);

builder.queryField("pendingApprovals", (t) =>
  t.field({
    type: ActionConnection,
    description:
      "Actions you may see that wait for people, the latest proposed first. A page can be short although more follow.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      onlyDecidable: t.arg.boolean({ description: "Only those with `viewerCanDecide`." }),
      first: t.arg.int({ description: "How many at most." }),
      after: t.arg.string({ description: "Continue behind this cursor." }),
    },
    resolve: async (_root, { onlyDecidable, ...page }, context) => {
      const size = pageSize(page);
      const before = decodeCursor(page);
      const { found, stoppedAt } = await listActions(context, {
        statuses: ["PENDING"],
        before,
        limit: size + 1,
        ...(onlyDecidable === true ? { keep: (action) => mayDecide(context, action) } : {}),
      });
      return pageOf(found, size, before, ({ proposedSeq }) => proposedSeq, stoppedAt);
    },
  }),
);
