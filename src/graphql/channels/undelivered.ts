import type { Notice } from "../../domain/channels/notices.ts";
import { readAction, seesAction } from "../actions/reads.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf } from "../base/context.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { AFTER, decodeCursor, FIRST, pageComplexity, pageOf, pageSize } from "../base/page.ts";
import { readingAt } from "../base/position.ts";
import { REGION } from "../base/regions.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";
import { NoticeRef } from "./notice.ts";

const NoticeConnection = builder.connectionObject(
  { type: NoticeRef, name: "NoticeConnection", description: "A page of notices." },
  { name: "NoticeEdge", description: "A notice with its cursor." },
);

builder.queryField("undeliveredNotices", (t) =>
  t.field({
    type: NoticeConnection,
    description:
      "Notices that were not sent, in the order in which they were queued: those that wait for their channel, or those that were given up, which `retryNotice` has tried again.",
    authScopes: { oversees: true },
    complexity: pageComplexity,
    args: {
      region: t.arg.string({ description: REGION }),
      givenUp: t.arg.boolean({ description: "Those that were given up. Default: those that wait." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: async (_root, { givenUp, first, after: behind }, context) => {
      const { services, db, ledger } = context;
      const size = pageSize({ first });
      const after = decodeCursor({ after: behind });
      const asOf = await readingAt(context);
      const range = { after, limit: size + 1 };
      const nodes = await services.channels.unsent(db, ledger, givenUp === true ? "FAILED" : "QUEUED", range);
      return pageOf({ nodes, size, after, asOf, positionOf: ({ queued }) => queued.seq });
    },
  }),
);

interface NoticePayload extends Receipt {
  readonly notice?: Notice | undefined;
}

function noticePayloadType(name: string, description: string) {
  const ref = receiptType<NoticePayload>(name, description);
  builder.objectField(ref, "notice", (t) =>
    t.field({
      type: NoticeRef,
      nullable: true,
      description: "The notice in its current state; null when the call was refused, or there is none.",
      resolve: ({ notice }) => notice,
    }),
  );
  return ref;
}

function noticeInputType(name: string, description: string) {
  return builder.inputType(name, {
    description,
    fields: (t) => ({
      actionId: t.id({ required: true, description: "The action it is about." }),
      channel: t.string({ required: true, description: "The name of its channel." }),
    }),
  });
}

const RetryNoticeInput = noticeInputType("RetryNoticeInput", "A notice to be tried again.");

builder.mutationField("retryNotice", (t) =>
  t.field({
    type: noticePayloadType("RetryNoticePayload", "The result of `retryNotice`."),
    description: "Has a notice that was given up tried again. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RetryNoticeInput, required: true, description: "The notice." }) },
    resolve: (_root, { input: { actionId, channel } }, context): Promise<NoticePayload> =>
      receiptPayload(
        context,
        context.services.channels.retry(callerOf(context), {
          actionId: uuidOfNodeId("Action", context.ledger, actionId),
          channel,
        }),
      ),
  }),
);

const OpenNoticeInput = noticeInputType("OpenNoticeInput", "A notice that was opened.");

builder.mutationField("openNotice", (t) =>
  t.field({
    type: noticePayloadType("OpenNoticePayload", "The result of `openNotice`."),
    description:
      "Says that you opened a notice that leads here, such as that of an e-mail; the first time is recorded. For people who may see the action, and not for the person or agent who asked for it.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: OpenNoticeInput, required: true, description: "The notice." }) },
    resolve: (_root, { input: { actionId, channel } }, context): Promise<NoticePayload> =>
      receiptPayload(context, open(context, uuidOfNodeId("Action", context.ledger, actionId), channel)),
  }),
);

async function open(context: Context, uuid: string, channel: string) {
  const action = await readAction(context, uuid);
  // Of an action that the caller may not see, the same is said as of none.
  const actionId = action !== null && seesAction(context, action) ? uuid : "";
  return context.services.channels.opened(callerOf(context), { actionId, channel });
}
