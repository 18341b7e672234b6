import { concernsOf, mayRead, type Viewer, viewerFor } from "../../domain/visibility/visibility.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { textOf } from "../../facts/members.ts";
import type { Concern } from "../../ledger/concern.ts";
import type { EntryRange } from "../../ledger/read.ts";
import { type EntryFilter, searchEntries } from "../../ledger/search.ts";
import { type Context, callerOf, viewerOf } from "./context.ts";
import { ACTION_SELECT, type ActionRow, ENTRY_SELECT, type EntryRow, entryOf, isSealed, viewOf } from "./rows.ts";

function organizationOf(ledger: string): string {
  return ledger.slice(0, ledger.indexOf("/"));
}

function idOf(value: unknown): string | undefined {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string"
    ? value.id
    : undefined;
}

/** The caller as a reader. Asked anew each time: who is in a team can change while a subscription lasts. */
export function readerOf(context: Context): Viewer {
  return viewerFor(viewerOf(context), context.services.directory);
}

/** What the caller may read within the organization's ledger, for the database; undefined: all of it. */
export function readableBy(context: Context): readonly Concern[] | undefined {
  const concerns = concernsOf(readerOf(context));
  return concerns === "everything" ? undefined : concerns;
}

/** `searchEntries` of what the caller may read. */
export function searchReadable(context: Context, filter: EntryFilter, range: EntryRange): Promise<LedgerEntry[]> {
  const { services, ledger } = context;
  return searchEntries(services.pool, ledger, filter, range, readableBy(context));
}

/**
 * `value`, once it is recorded that the caller reads `shown` entries by the field `what`. Reading is refused when that
 * cannot be recorded.
 */
export async function recordingRead<Value>(
  context: Context,
  what: string,
  shown: number,
  value: Value,
): Promise<Value> {
  await context.services.readingLog?.record(callerOf(context), context.ledger, what, shown);
  return value;
}

/** Whether the caller did what `entry` says. What became of one's own doing is an answer, and no audit log. */
export function isOwn(context: Context, { body }: LedgerEntry): boolean {
  const { id, onBehalfOf } = viewerOf(context);
  return idOf(body.actor) === id && idOf(body.onBehalfOf) === onBehalfOf?.id;
}

/**
 * `recordingRead` of `entries` that hang on something else: of those that are no part of the caller's own doing.
 *
 * @param about the entry that began what they are about; left out: each stands for itself
 */
export async function recordingEntries(
  context: Context,
  what: string,
  entries: readonly EntryRow[],
  about?: LedgerEntry,
): Promise<EntryRow[]> {
  const read = entries.filter((row) => !isOwn(context, about ?? entryOf(row))).length;
  if (read > 0) await recordingRead(context, what, read, undefined);
  return [...entries];
}

/** Whether the caller may read `action`. */
export function seesAction(context: Context, action: ActionRow): boolean {
  const { proposal } = viewOf(action);
  return mayRead(readerOf(context), {
    organization: organizationOf(proposal.ledger),
    actorId: idOf(proposal.body.actor),
    onBehalfOfId: idOf(proposal.body.onBehalfOf),
  });
}

/** Whether the caller may read `entry`: for what it says of its actor, or because it is about an action of theirs. */
export async function seesEntry(context: Context, row: EntryRow): Promise<boolean> {
  const entry = entryOf(row);
  const seen = mayRead(readerOf(context), {
    organization: organizationOf(entry.ledger),
    actorId: idOf(entry.body.actor),
    onBehalfOfId: idOf(entry.body.onBehalfOf),
  });
  if (seen || organizationOf(entry.ledger) !== viewerOf(context).organization) return seen;
  return (await actionOf(row, context)) !== null;
}

/** The action of this id in the caller's ledger. Calls of one tick share a query, as Prisma batches them. */
export async function readAction(context: Context, id: string | undefined): Promise<ActionRow | null> {
  if (id === undefined) return null;
  const { services, ledger, known } = context;
  const where = { ledger_id: { ledger, id } };
  return known.actions.get(id) ?? services.prisma.action.findUnique({ where, select: ACTION_SELECT });
}

/** The action an entry is about, if the caller may see it. */
export async function actionOf(row: EntryRow, context: Context): Promise<ActionRow | null> {
  const action = await readAction(context, textOf(entryOf(row).body.action));
  return action !== null && seesAction(context, action) ? action : null;
}

/** The entries at `positions` of the caller's ledger, in that order. Calls of one tick share a query. */
export async function readPositions(context: Context, positions: readonly bigint[]): Promise<EntryRow[]> {
  const { services, ledger, known } = context;
  const rows = await Promise.all(
    positions.map(
      (seq) =>
        known.entries.get(seq) ??
        services.prisma.entry.findUnique({ where: { ledger_seq: { ledger, seq } }, select: ENTRY_SELECT }),
    ),
  );
  return rows.filter((row) => row !== null);
}

/** The entry that proposed `action`, with its payload. Calls of one tick share a query. */
export async function opened(context: Context, action: ActionRow): Promise<LedgerEntry> {
  const { proposal } = viewOf(action);
  if (!isSealed(proposal)) return proposal;
  let found = proposals.get(proposal);
  if (found === undefined) {
    found = readPositions(context, [proposal.seq]).then(([row]) => (row === undefined ? proposal : entryOf(row)));
    proposals.set(proposal, found);
  }
  return found;
}

/** What was read for a sealed proposal, by the proposal: several fields of one action ask for it. */
const proposals = new WeakMap<LedgerEntry, Promise<LedgerEntry>>();

/** Every entry an action's state rests on, oldest first. */
export function readEntriesOf(context: Context, action: ActionRow): Promise<EntryRow[]> {
  return readPositions(context, viewOf(action).state.entries);
}

/** The same but for the proposal, which says nothing of what became of the action and is the largest. */
export function readOutcomeOf(context: Context, action: ActionRow): Promise<EntryRow[]> {
  const { state, proposal } = viewOf(action);
  return readPositions(
    context,
    state.entries.filter((seq) => seq !== proposal.seq),
  );
}

/** The same and, in their places, the refused attempts on the action. */
export async function readTimelineOf(context: Context, action: ActionRow): Promise<EntryRow[]> {
  const [entries, attempts] = await Promise.all([readEntriesOf(context, action), context.attempts(action.id)]);
  return attempts === undefined ? entries : [...entries, ...attempts].sort((a, b) => (a.seq < b.seq ? -1 : 1));
}

/** Entries of a chain the caller may read, oldest first; `of: "derived"`: those that name it as their source. */
export async function readChain(
  context: Context,
  chain: string | undefined,
  of: "entries" | "derived" = "entries",
): Promise<EntryRow[]> {
  if (chain === undefined) return [];
  const rows = (await context.chains[of](chain)) ?? [];
  const seen = await Promise.all(rows.map((row) => seesEntry(context, row)));
  return rows.filter((_, at) => seen[at]);
}

/** Why the caller may not approve `action`; empty when they may. */
export async function blockedBecause(context: Context, action: ActionRow): Promise<readonly string[]> {
  const { actions } = context.services;
  const caller = callerOf(context);
  const view = viewOf(action);
  // Who approved already is in the entries alone: only while some have, and more are needed, does it have to be read.
  const undecided = view.voters === undefined && view.state.status === "PENDING" && view.state.approvals > 0;
  const complete = undecided
    ? await actions.load(caller, view.state.id)
    : { ...view, proposal: await opened(context, action) };
  return complete === undefined ? ["NOT_FOUND"] : actions.blockedBecause(complete, caller.principal);
}

/** Whether the caller may approve `action` now. */
export async function mayDecide(context: Context, action: ActionRow): Promise<boolean> {
  // Who asked is one person by their address too, which the payload has: with it there can be more objections, never fewer.
  const objections = context.services.actions.blockedBecause(viewOf(action), viewerOf(context));
  return objections.length === 0 && (await blockedBecause(context, action)).length === 0;
}
