import type { Notice } from "../../domain/channels/notices.ts";
import { readsOrganization } from "../../domain/visibility/visibility.ts";
import { ActionRef } from "../actions/action.ts";
import { readAction, seesAction } from "../actions/reads.ts";
import { builder } from "../base/builder.ts";
import { viewerOf } from "../base/context.ts";
import { Channel } from "../base/enums.ts";
import { createLoader } from "../base/loader.ts";
import { entryNode, revealed, shownText } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";

const NoticeStatus = builder.enumType("NoticeStatus", {
  description: "What became of a notice.",
  values: {
    QUEUED: { description: "It was not sent yet." },
    SENT: { description: "The other side accepted it." },
    FAILED: { description: "It was not sent, and is not tried any more." },
  } as const,
});

const loadPlace = createLoader(async ({ services, db, ledger }) => services.channels.places(db, ledger));

export const NoticeRef = builder.objectRef<Notice>("Notice").implement({
  description: "That people were told of an action by one channel. What it said is recorded nowhere.",
  fields: (t) => ({
    channel: t.field({ type: Channel, description: "By what kind of channel.", resolve: ({ kind }) => kind }),
    name: t.string({ description: "The name of the channel.", resolve: ({ channel }) => channel }),
    to: t.string({
      description:
        "Where it went when it was first accepted: the channel of a chat, those of the addresses that the mail server accepted, the host of a webhook. Before that, where its channel leads now. The name of the channel stands for it where the channel leads nowhere any more, for everybody once it was erased, and for whoever may not read the organization's ledger.",
      complexity: 2,
      resolve: async ({ sent, channel, kind }, _args, context) => {
        if (!readsOrganization(viewerOf(context))) return channel;
        if (sent !== undefined) return shownText(revealed(sent, "to")) ?? channel;
        return (await loadPlace(context, `${kind} ${channel}`)) ?? channel;
      },
    }),
    status: t.field({ type: NoticeStatus, description: "What became of it.", resolve: ({ state }) => state.status }),
    queuedAt: t.field({
      type: "DateTime",
      description: "When it was recorded that it is to be sent; nothing is sent before.",
      resolve: ({ queued }) => queued.recordedAt,
    }),
    sentAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When the other side accepted it; null before that.",
      resolve: ({ state }) => state.sentAt,
    }),
    firstOpenedAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "When somebody it went to first opened it, signed in or with a linked account; null before that. A program that opens every link opens nothing.",
      resolve: ({ state }) => state.openedAt,
    }),
    action: t.field({
      type: ActionRef,
      nullable: true,
      complexity: 2,
      description: "The action it is about; null when you may not see it.",
      resolve: async ({ actionId }, _args, context) => {
        const action = await readAction(context, actionId);
        return action !== null && seesAction(context, action) ? action : null;
      },
    }),
    entry: t.field({
      type: EntryRef,
      description: "The entry that changed it last.",
      resolve: ({ latest }) => entryNode(latest),
    }),
  }),
});

const loadNotices = createLoader(async ({ services, db, ledger }, actionIds: readonly string[]) => {
  const found = await services.channels.notices(db, ledger, actionIds);
  return Map.groupBy(found, ({ actionId }) => actionId);
});

builder.prismaObjectField(ActionRef, "notices", (t) =>
  t.field({
    type: [NoticeRef],
    complexity: { field: 3, multiplier: 3 },
    description:
      "Who was told of it outside the API, by which channels, and when, in the order in which it was recorded.",
    resolve: async (action, _args, context) => {
      const notices = (await loadNotices(context, action.id)) ?? [];
      return [...notices].sort((one, other) => (one.queued.seq < other.queued.seq ? -1 : 1));
    },
  }),
);
