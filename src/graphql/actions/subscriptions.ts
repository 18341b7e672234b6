import type { ActionState } from "../../domain/actions/action.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { listOf, objectOf } from "../../facts/members.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { PendingApprovalChange } from "../base/enums.ts";
import { type FollowedEntries, follow, followLedger, type Reached } from "../base/follow.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { LedgerEvent, RegionPosition } from "../base/position.ts";
import { FOLLOWED_AFTER, FOLLOWED_POSITIONS, FOLLOWED_REGION } from "../base/regions.ts";
import { ActionRef } from "./action.ts";
import { createEscalations, type Escalations } from "./escalations.ts";
import { createLentActions, type LentActions } from "./lent-actions.ts";
import { mayDecide, readAction, seesAction } from "./reads.ts";
import { type ActionNode, actionNode, viewOf } from "./rows.ts";

/** The state of an action after an entry. */
type RecordedState = JsonObject & {
  readonly id: string;
  readonly version: number;
  readonly status: ActionState["status"];
};

function recordedState({ body }: LedgerEntry): RecordedState | undefined {
  const moved = listOf(body.states)
    .map(objectOf)
    .find(({ kind }) => kind === "ACTION");
  return moved && ({ ...objectOf(moved.state), id: moved.id, version: moved.version } as RecordedState);
}

function instantOf(value: JsonValue | undefined): Date | null {
  return typeof value === "string" ? new Date(value) : null;
}

/** The action as it was after `entry`, so that each event shows the state of its own entry, not of a later one. */
function actionAt(
  context: Context,
  latest: ActionNode | null,
  entry: LedgerEntry,
  recorded: RecordedState,
): ActionNode | undefined {
  if (latest === null || !seesAction(context, latest)) return undefined;
  const { state, proposal, sealed = false } = viewOf(latest);
  const then: ActionState = {
    ...state,
    version: recorded.version,
    status: recorded.status,
    approvals: Number(recorded.approvals ?? 0),
    expiresAt: instantOf(recorded.expiresAt),
    grantExpiresAt: instantOf((recorded.grant as JsonObject | undefined)?.expiresAt),
    updatedSeq: entry.seq,
    entries: state.entries.filter((seq) => seq <= entry.seq),
  };
  return actionNode({ state: then, proposal, sealed });
}

interface PendingEvent {
  readonly cursor: bigint;
  readonly change: "ADDED" | "UPDATED" | "REMOVED" | "HEARTBEAT";
  readonly action: ActionNode | null;
}

const DECIDED = ["ACTION_APPROVED", "ACTION_BROKEN_GLASS", "ACTION_DENIED", "ACTION_CANCELLED", "ACTION_EXPIRED"];

/** How an entry changed the list of pending actions. */
function pendingChange(
  { type }: LedgerEntry,
  { status, grant }: RecordedState,
): "ADDED" | "UPDATED" | "REMOVED" | undefined {
  if (status === "PENDING") return type === "ACTION_PROPOSED" ? "ADDED" : "UPDATED";
  // What has a grant, and is not approved by this entry, was decided before: it was not pending any more.
  const wasPending = type === "ACTION_APPROVED" || type === "ACTION_BROKEN_GLASS" || grant === undefined;
  return wasPending && DECIDED.includes(type) ? "REMOVED" : undefined;
}

/** What one subscription was told, and what it will be told without an entry that says so. */
interface Subscriber {
  readonly onlyDecidable: boolean;
  readonly escalations: Escalations;
  readonly lent: LentActions;
  /** Actions that were ADDED, and not REMOVED since: none is ADDED twice. */
  readonly added: Set<string>;
}

/** Ids in `Subscriber.added`: beyond them, the earliest is forgotten. */
const MAX_ADDED = 10_000;

/** Whether an action was not in the list of a subscriber so far. */
function isNew({ added }: Subscriber, { id }: ActionNode): boolean {
  if (added.has(id)) return false;
  added.add(id);
  const [first] = added;
  if (added.size > MAX_ADDED && first !== undefined) added.delete(first);
  return true;
}

async function* pendingEvents(
  context: Context,
  { entries, cursor }: FollowedEntries,
  subscriber: Subscriber,
): AsyncGenerator<PendingEvent> {
  const { onlyDecidable, escalations, lent, added } = subscriber;
  // First: what is lent from here on is seen.
  await lent.take(entries);
  if (entries.length === 0) yield { cursor, change: "HEARTBEAT", action: null };
  const changes = entries.flatMap((entry) => {
    const recorded = recordedState(entry);
    const change = recorded && pendingChange(entry, recorded);
    return recorded === undefined || change === undefined ? [] : [{ entry, recorded, change }];
  });
  // All of a page at once: calls of one tick share a query.
  const latest = await Promise.all(changes.map(({ recorded }) => readAction(context, recorded.id)));
  const seen = changes.flatMap(({ entry, recorded, change }, at) => {
    const action = actionAt(context, latest[at] ?? null, entry, recorded);
    return action === undefined ? [] : [{ cursor: entry.seq, change, action }];
  });
  const shown = onlyDecidable
    ? await Promise.all(seen.map(({ change, action }) => decidableChange(context, change, action)))
    : seen.map(({ change }) => change);
  for (const [at, event] of seen.entries()) {
    const change = shown[at];
    if (onlyDecidable && change !== "ADDED" && event.change !== "REMOVED") escalations.note(event.action);
    if (change === "REMOVED") added.delete(event.action.id);
    if (change === undefined || (change === "ADDED" && !isNew(subscriber, event.action))) continue;
    yield { ...event, change };
  }
  // Last: whoever continues behind the cursor has had what came before it.
  for (const action of onlyDecidable ? await escalations.due() : []) {
    if (isNew(subscriber, action)) yield { cursor, change: "ADDED", action };
  }
  yield* lentEvents(context, cursor, subscriber);
}

/** What is in the list, or not any more, because a right that was lent began, or is over. */
async function* lentEvents(context: Context, cursor: bigint, subscriber: Subscriber): AsyncGenerator<PendingEvent> {
  const { onlyDecidable, escalations, lent, added } = subscriber;
  const changes = await lent.pass(cursor);
  const listed = await Promise.all(
    changes.map(async ({ action }) => seesAction(context, action) && (!onlyDecidable || mayDecide(context, action))),
  );
  for (const [at, { change, action }] of changes.entries()) {
    const isListed = listed[at] === true;
    if (change === "BEGAN" && isListed && isNew(subscriber, action)) yield { cursor, change: "ADDED", action };
    if (change === "BEGAN" && !isListed && onlyDecidable) escalations.note(action);
    if (isListed || (change === "BEGAN" && !added.has(action.id))) continue;
    added.delete(action.id);
    yield { cursor, change: "REMOVED", action };
  }
}

/**
 * The same change for a list of actions that the caller can decide. An action they cannot decide (any more) is reported as
 * REMOVED, even if this subscription never reported it: the client's list may come from an earlier connection.
 */
async function decidableChange(
  context: Context,
  change: "ADDED" | "UPDATED" | "REMOVED",
  action: ActionNode,
): Promise<PendingEvent["change"] | undefined> {
  if (change === "REMOVED" || (await mayDecide(context, action))) return change;
  return change === "UPDATED" ? "REMOVED" : undefined;
}

const PendingApprovalEvent = builder.objectRef<PendingEvent & Reached>("PendingApprovalEvent").implement({
  description: "A change of the list of pending actions, or a heartbeat.",
  interfaces: [LedgerEvent],
  isTypeOf: () => true,
  fields: (t) => ({
    change: t.field({ type: PendingApprovalChange, description: "What changed.", resolve: ({ change }) => change }),
    action: t.field({
      type: ActionRef,
      nullable: true,
      description: "The action as it was after the change; null in a heartbeat.",
      resolve: ({ action }) => action,
    }),
  }),
});

builder.subscriptionField("pendingApprovals", (t) =>
  t.field({
    type: PendingApprovalEvent,
    description:
      "Changes of the list of pending actions: first those recorded after `after`, then new ones. Delivered at least once, those of each region in ledger order, without gaps. When a region had none for a while, a heartbeat (`action` null) carries the position reached.",
    authScopes: { signedIn: true },
    args: {
      region: t.arg.string({ description: FOLLOWED_REGION }),
      after: t.arg({ type: "Sequence", description: FOLLOWED_AFTER }),
      positions: t.arg({ type: [RegionPosition], description: FOLLOWED_POSITIONS }),
      onlyDecidable: t.arg.boolean({
        description:
          "Only actions with `viewerCanDecide`. An action that you can no longer decide, for example because you approved it, is REMOVED. REMOVED can be sent for an action that was never ADDED. One that escalates to you is ADDED then, within the time of a heartbeat, if it was recorded behind `after`. So is what you can decide once somebody has lent you their right, and it is REMOVED when that is over; of many, a hundred at a time.",
      }),
    },
    subscribe: (_root, { onlyDecidable, ...args }, context) =>
      follow(context, args, async (local, after) => {
        const subscriber = {
          onlyDecidable: onlyDecidable === true,
          escalations: createEscalations(local),
          lent: createLentActions(local, after),
          added: new Set<string>(),
        };
        return (followed) => pendingEvents(local, followed, subscriber);
      }),
    resolve: (event) => event,
  }),
);

async function* actionEvents(context: Context, id: string, { entries }: FollowedEntries): AsyncGenerator<ActionNode> {
  const changes = entries.flatMap((entry) => {
    const recorded = recordedState(entry);
    return recorded?.id === id ? [{ entry, recorded }] : [];
  });
  if (changes.length === 0) return;
  const latest = await readAction(context, id);
  for (const { entry, recorded } of changes) {
    const action = actionAt(context, latest, entry, recorded);
    if (action !== undefined) yield action;
  }
}

builder.subscriptionField("actionChanged", (t) =>
  t.field({
    type: ActionRef,
    description: "The action after each of its changes: first those recorded after `after`, then new ones.",
    authScopes: { signedIn: true },
    args: {
      id: t.arg.id({ required: true, description: "The action. For one that you may not see, nothing is sent." }),
      after: t.arg({
        type: "Sequence",
        description: "The position to start after. Default: the current end of the ledger.",
      }),
    },
    subscribe: (_root, { id, after }, context) => {
      const uuid = uuidOfNodeId("Action", context.ledger, id);
      return followLedger(context, after, (followed) => actionEvents(context, uuid, followed));
    },
    resolve: (action) => action,
  }),
);
