import type { Queue } from "../../domain/channels/queues.ts";
import type { Channel } from "../../domain/channels/store.ts";
import { settingsIn } from "../../domain/channels/store.ts";
import { readRegions } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import { Channel as ChannelEnum } from "../base/enums.ts";
import { createLoader } from "../base/loader.ts";
import { entryNode } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";

interface QueueShape extends Omit<Queue, "channel"> {
  readonly unreadRegions: readonly string[];
}

/** Messages that wait in one region are counted up to here. */
const MAX_WAITING = 100_001;

/** What waits in the regions of the caller: each has a queue of its own for every channel. */
const loadQueue = createLoader<string, QueueShape>(async (context, names) => {
  const { parts, failures } = await readRegions(context, ({ services, db, ledger }) =>
    services.channels.queues(db, ledger, names),
  );
  const unreadRegions = [...failures.keys()];
  return new Map(
    names.map((name) => [name, { ...together(parts.flatMap((queues) => queues.get(name) ?? [])), unreadRegions }]),
  );
});

function together(queues: readonly Queue[]): Omit<Queue, "channel"> {
  const resumes = queues
    .flatMap(({ resumeAt }) => resumeAt ?? [])
    .sort((one, other) => one.getTime() - other.getTime());
  return {
    waiting: Math.min(
      queues.reduce((sum, { waiting }) => sum + waiting, 0),
      MAX_WAITING,
    ),
    failures: queues.reduce((sum, { failures }) => sum + failures, 0),
    resumeAt: resumes[0],
    problem: queues.find(({ problem }) => problem !== undefined)?.problem,
  };
}

const ChannelQueueRef = builder.objectRef<QueueShape>("ChannelQueue").implement({
  description: "What waits to be sent to a channel, about actions of all regions that you may see.",
  fields: (t) => ({
    waiting: t.exposeInt("waiting", {
      description: "How many messages wait, at most 100,001, which stands for more.",
    }),
    failures: t.exposeInt("failures", {
      description: "How often the channel was tried in vain since it was reached last.",
    }),
    retryAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it is tried again; null where it is not known to be out of reach.",
      resolve: ({ resumeAt }) => resumeAt?.toISOString(),
    }),
    problem: t.exposeString("problem", {
      nullable: true,
      description: "What the last attempt that failed met; null where none did lately.",
    }),
    unreadRegions: t.stringList({
      description: "Regions that could not be read: what waits there is not counted.",
      resolve: ({ unreadRegions }) => [...unreadRegions],
    }),
  }),
});

export const ConfiguredChannelRef = builder.objectRef<Channel>("ConfiguredChannel").implement({
  description:
    "A channel that an administrator configured: people are told there of actions that wait for them. Its secrets cannot be read.",
  fields: (t) => ({
    name: t.exposeString("name", { description: "Its name, unique within the organization." }),
    ledger: t.exposeString("ledger", { description: "The ledger that records it, `<organization>/<region>`." }),
    kind: t.field({ type: ChannelEnum, description: "What it is.", resolve: ({ kind }) => kind }),
    groups: t.stringList({
      description: "The groups whose requests go there; empty: those of every group.",
      resolve: ({ groups }) => [...groups],
    }),
    settings: t.field({
      type: "JSON",
      description: "Where it leads: the settings of its kind, as they were configured.",
      resolve: (channel) => settingsIn(channel).settings as never,
    }),
    path: t.string({
      nullable: true,
      description:
        "The path at this server to which the other side sends requests; null where it sends none. Append it to the address at which this server is reached.",
      resolve: ({ kind, ledger, name }) =>
        kind === "SLACK" || kind === "TEAMS"
          ? `/channels/${kind.toLowerCase()}/${ledger.slice(0, ledger.indexOf("/"))}/${name}`
          : null,
    }),
    configuredAt: t.field({
      type: "DateTime",
      description: "When it was configured last.",
      resolve: ({ entry }) => entry.recordedAt,
    }),
    entry: t.field({
      type: EntryRef,
      description: "The entry that configured it last.",
      resolve: ({ entry }) => entryNode(entry),
    }),
    queue: t.field({
      type: ChannelQueueRef,
      description: "What waits to be sent to it.",
      complexity: 2,
      resolve: async ({ name }, _args, context) => {
        const queue = await loadQueue(context, name);
        if (queue === undefined) throw new Error(`there is no queue of channel ${name}`);
        return queue;
      },
    }),
  }),
});

builder.queryField("channels", (t) =>
  t.field({
    type: [ConfiguredChannelRef],
    complexity: { field: 5, multiplier: 10 },
    description: "The channels in use, in the order in which they were first configured.",
    authScopes: { oversees: true },
    resolve: async (_root, _args, { services, db, ledger }) => [...(await services.channels.list(db, ledger))],
  }),
);
