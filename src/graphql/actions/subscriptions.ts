import type { ActionState } from "../../domain/actions/action.ts";
import { AUDIT_READ } from "../../domain/reading-log/reading-log.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { listOf, objectOf } from "../../facts/members.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { PendingApprovalChange } from "../base/enums.ts";
import { type Batch, followLedger } from "../base/follow.ts";
import { uuidOf } from "../base/node-id.ts";
import { mayDecide, readAction, readableBy, recordingRead, searchReadable, seesAction } from "../base/reads.ts";
import { type ActionRow, actionRow, type EntryRow, entryRow, viewOf } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";
import { AuditFilter, asksNothing, entryFilter } from "../ledger/filter.ts";
import { ActionRef } from "./action.ts";

/** The state that an entry gave its action. */
type Change = JsonObject & { readonly id: string; readonly version: number; readonly status: ActionState["status"] };

function changeOf({ body }: LedgerEntry): Change | undefined {
  const moved = listOf(body.states)
    .map(objectOf)
    .find(({ kind }) => kind === "ACTION");
  return moved && ({ ...objectOf(moved.state), id: moved.id, version: moved.version } as Change);
}

function instantOf(value: JsonValue | undefined): Date | null {
  return typeof value === "string" ? new Date(value) : null;
}

/** The action an entry changed, as it stood right then: so that what is told is what happened, in order. */
function actionAt(
  context: Context,
  latest: ActionRow | null,
  entry: LedgerEntry,
  change: Change,
): ActionRow | undefined {
  if (latest === null || !seesAction(context, latest)) return undefined;
  const { state, proposal } = viewOf(latest);
  const then: ActionState = {
    ...state,
    version: change.version,
    status: change.status,
    approvals: Number(change.approvals ?? 0),
    expiresAt: instantOf(change.expiresAt),
    grantExpiresAt: instantOf((change.grant as JsonObject | undefined)?.expiresAt),
    updatedSeq: entry.seq,
    entries: state.entries.filter((seq) => seq <= entry.seq),
  };
  return actionRow({ state: then, proposal });
}

interface PendingEvent {
  readonly cursor: bigint;
  readonly change: "ADDED" | "UPDATED" | "REMOVED" | "HEARTBEAT";
  readonly action: ActionRow | null;
}

const DECIDED = ["ACTION_APPROVED", "ACTION_DENIED", "ACTION_CANCELLED", "ACTION_EXPIRED"];

/** What an entry did to the list of actions that wait for people. */
function pendingChange({ type }: LedgerEntry, { status }: Change): "ADDED" | "UPDATED" | "REMOVED" | undefined {
  if (status === "PENDING") return type === "ACTION_PROPOSED" ? "ADDED" : "UPDATED";
  return DECIDED.includes(type) ? "REMOVED" : undefined;
}

async function* pendingEvents(
  context: Context,
  onlyDecidable: boolean,
  { entries, cursor }: Batch,
): AsyncGenerator<PendingEvent> {
  if (entries.length === 0) yield { cursor, change: "HEARTBEAT", action: null };
  const changes = entries.flatMap((entry) => {
    const stated = changeOf(entry);
    const change = stated && pendingChange(entry, stated);
    return stated === undefined || change === undefined ? [] : [{ entry, stated, change }];
  });
  // All of a batch at once: calls of one tick share a query.
  const latest = await Promise.all(changes.map(({ stated }) => readAction(context, stated.id)));
  for (const [at, { entry, stated, change }] of changes.entries()) {
    const action = actionAt(context, latest[at] ?? null, entry, stated);
    if (action === undefined) continue;
    const shown = onlyDecidable ? await decidableChange(context, change, action) : change;
    if (shown !== undefined) yield { cursor: entry.seq, change: shown, action };
  }
}

/**
 * What a change means to a list of what the caller can decide. What they cannot, or no longer, is never left there: it is
 * removed, which is also told of what was never on it, because a list may come from an earlier connection.
 */
async function decidableChange(
  context: Context,
  change: "ADDED" | "UPDATED" | "REMOVED",
  action: ActionRow,
): Promise<PendingEvent["change"] | undefined> {
  if (change === "REMOVED" || (await mayDecide(context, action))) return change;
  return change === "UPDATED" ? "REMOVED" : undefined;
}

const PendingApprovalEvent = builder.objectRef<PendingEvent>("PendingApprovalEvent").implement({
  description: "A change of the list of actions that wait for people.",
  fields: (t) => ({
    cursor: t.field({
      type: "Sequence",
      description: "Pass as `after` to continue behind this event.",
      resolve: ({ cursor }) => cursor,
    }),
    change: t.field({ type: PendingApprovalChange, description: "What happened.", resolve: ({ change }) => change }),
    action: t.field({
      type: ActionRef,
      nullable: true,
      description: "The action, as it stood then; null in a heartbeat.",
      resolve: ({ action }) => action,
    }),
  }),
});

builder.subscriptionField("pendingApprovals", (t) =>
  t.field({
    type: PendingApprovalEvent,
    description:
      "Replays what changed after `after`, then follows. At least once, in ledger order, no gaps. A heartbeat (action null) when nothing was told for a while; its cursor moves on.",
    authScopes: { signedIn: true },
    args: {
      after: t.arg({
        type: "Sequence",
        description: "The last cursor seen; only what comes from now on when left out.",
      }),
      onlyDecidable: t.arg.boolean({
        description:
          "Only actions with `viewerCanDecide`: one that loses it is REMOVED, also by your own approval. REMOVED can come for one that was never ADDED.",
      }),
    },
    subscribe: (_root, { after, onlyDecidable }, context) =>
      followLedger(context, after, (batch) => pendingEvents(context, onlyDecidable === true, batch)),
    resolve: (event) => event,
  }),
);

async function* actionEvents(context: Context, id: string, { entries }: Batch): AsyncGenerator<ActionRow> {
  const changes = entries.flatMap((entry) => {
    const change = changeOf(entry);
    return change?.id === id ? [{ entry, change }] : [];
  });
  if (changes.length === 0) return;
  const latest = await readAction(context, id);
  for (const { entry, change } of changes) {
    const action = actionAt(context, latest, entry, change);
    if (action !== undefined) yield action;
  }
}

builder.subscriptionField("actionChanged", (t) =>
  t.field({
    type: ActionRef,
    description: "An action after each change: those after `after`, then each as it happens.",
    authScopes: { signedIn: true },
    args: {
      id: t.arg.id({ required: true, description: "The action. One you may not see never changes." }),
      after: t.arg({ type: "Sequence", description: "The position to start behind; now when left out." }),
    },
    subscribe: (_root, { id, after }, context) => {
      const uuid = uuidOf("Action", context.ledger, id);
      return followLedger(context, after, (batch) => actionEvents(context, uuid, batch));
    },
    resolve: (action) => action,
  }),
);

interface EntryEvent {
  readonly cursor: bigint;
  readonly entry: EntryRow | null;
}

const AuditEntryEvent = builder.objectRef<EntryEvent>("AuditEntryEvent").implement({
  description: "An entry that was recorded.",
  fields: (t) => ({
    cursor: t.field({
      type: "Sequence",
      description: "Pass as `after` to continue behind this event.",
      resolve: ({ cursor }) => cursor,
    }),
    entry: t.field({
      type: EntryRef,
      nullable: true,
      description: "The entry; null in a heartbeat.",
      resolve: ({ entry }) => entry,
    }),
  }),
});

/** The entries of a batch that meet the filter: asked of the database, so that it means what it means in a query. */
async function* entryEvents(
  context: Context,
  filter: ReturnType<typeof entryFilter>,
  batch: Batch,
): AsyncGenerator<EntryEvent> {
  const { entries, cursor } = batch;
  const first = entries[0];
  if (first === undefined) {
    yield { cursor, entry: null };
    return;
  }
  const range = { after: first.seq - 1n, before: cursor + 1n, limit: entries.length };
  const all = asksNothing(filter) && readableBy(context) === undefined;
  const met = all ? entries : await searchReadable(context, filter, range);
  // That somebody read is told, and telling it is no reading: else two who follow would go on about each other forever.
  const read = met.filter(({ type }) => type !== AUDIT_READ).length;
  if (read > 0) await recordingRead(context, SUBSCRIPTION, read, undefined);
  for (const entry of met) yield { cursor: entry.seq, entry: entryRow(entry) };
}

/** How the reading log names the subscription. */
const SUBSCRIPTION = "subscription.auditEntries";

builder.subscriptionField("auditEntries", (t) =>
  t.field({
    type: AuditEntryEvent,
    description:
      "Entries you may see after `after` that meet a filter, then each as it is recorded. At least once, in ledger order, no gaps. A heartbeat (entry null) when none did for a while; its cursor moves on. That you read is recorded.",
    authScopes: { signedIn: true },
    args: {
      after: t.arg({
        type: "Sequence",
        description: "The last cursor seen; only what comes from now on when left out.",
      }),
      filter: t.arg({ type: AuditFilter, description: "What they must meet; everything when left out." }),
    },
    subscribe: async (_root, { after, filter }, context) => {
      const wanted = entryFilter(context.ledger, filter);
      await recordingRead(context, SUBSCRIPTION, 0, undefined);
      return followLedger(context, after, (batch) => entryEvents(context, wanted, batch));
    },
    resolve: (event) => event,
  }),
);
