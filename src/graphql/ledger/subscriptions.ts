import { AUDIT_READ } from "../../domain/reading-log/reading-log.ts";
import type { EntryFilter } from "../../ledger/search.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { type FollowedEntries, follow, type Reached } from "../base/follow.ts";
import { LedgerEvent, RegionPosition } from "../base/position.ts";
import { FOLLOWED_AFTER, FOLLOWED_POSITIONS, FOLLOWED_REGION } from "../base/regions.ts";
import { type EntryNode, entryNode } from "../base/rows.ts";
import { readableBy } from "../base/viewer.ts";
import { EntryRef } from "./entry.ts";
import { AuditFilter, entryFilter, isEmptyFilter } from "./filter.ts";
import { recordingRead, search } from "./reads.ts";

interface EntryEvent {
  readonly cursor: bigint;
  readonly entry: EntryNode | null;
}

const AuditEntryEvent = builder.objectRef<EntryEvent & Reached>("AuditEntryEvent").implement({
  description: "A new entry, or a heartbeat.",
  interfaces: [LedgerEvent],
  isTypeOf: () => true,
  fields: (t) => ({
    entry: t.field({
      type: EntryRef,
      nullable: true,
      description: "The entry; null in a heartbeat.",
      resolve: ({ entry }) => entry,
    }),
  }),
});

/** Those of the followed entries that meet the filter. The database evaluates it, so that it means the same as in a query. */
async function* entryEvents(
  context: Context,
  filter: EntryFilter,
  followed: FollowedEntries,
): AsyncGenerator<EntryEvent> {
  const { entries, cursor } = followed;
  const first = entries[0];
  if (first === undefined) {
    yield { cursor, entry: null };
    return;
  }
  const range = { after: first.seq - 1n, before: cursor + 1n, limit: entries.length };
  const all = isEmptyFilter(filter) && readableBy(context) === undefined;
  const met = all ? entries : await search(context, filter, range);
  // Entries of reads are sent but not recorded as read: otherwise two followers would cause each other's entries for ever.
  const read = met.filter(({ type }) => type !== AUDIT_READ).length;
  if (read > 0) await recordingRead(context, SUBSCRIPTION, read, undefined);
  for (const entry of met) yield { cursor: entry.seq, entry: entryNode(entry) };
}

/** How the reading log names the subscription. */
const SUBSCRIPTION = "subscription.auditEntries";

builder.subscriptionField("auditEntries", (t) =>
  t.field({
    type: AuditEntryEvent,
    description:
      "Entries that you may see and that meet a filter: first those recorded after `after`, then new ones. Delivered at least once, those of each region in ledger order, without gaps. When a region had none for a while, a heartbeat (`entry` null) carries the position reached. Reading is recorded in the ledger.",
    authScopes: { signedIn: true },
    args: {
      region: t.arg.string({ description: FOLLOWED_REGION }),
      after: t.arg({ type: "Sequence", description: FOLLOWED_AFTER }),
      positions: t.arg({ type: [RegionPosition], description: FOLLOWED_POSITIONS }),
      filter: t.arg({ type: AuditFilter, description: "Conditions to meet. Default: none." }),
    },
    subscribe: (_root, { filter, ...args }, context) =>
      follow(context, args, async (local) => {
        const wanted = await entryFilter(local, filter);
        await recordingRead(local, SUBSCRIPTION, 0, undefined);
        return (followed) => entryEvents(local, wanted, followed);
      }),
    resolve: (event) => event,
  }),
);
