import { searchReadable, searchReadablePage } from "../../domain/visibility/search.ts";
import { isOwn, mayRead, subjectsOf } from "../../domain/visibility/visibility.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { textOf } from "../../facts/members.ts";
import { type EntryRange, readEntries } from "../../ledger/read.ts";
import type { EntryFilter, SearchPage } from "../../ledger/search.ts";
import { readAction, seesAction } from "../actions/reads.ts";
import type { ActionNode } from "../actions/rows.ts";
import { type Context, callerOf, viewerOf } from "../base/context.ts";
import { createLoader, perOperation } from "../base/loader.ts";
import { type EntryNode, entryNode, entryOf } from "../base/rows.ts";
import { readerOf } from "../base/viewer.ts";

/** Entries the caller may read that meet `filter`. */
export function search(context: Context, filter: EntryFilter, range: EntryRange): Promise<LedgerEntry[]> {
  return searchReadable(context.db, context.ledger, readerOf(context), filter, range);
}

/** The same, or a page that is not full when it takes long. */
export function searchForPage(context: Context, filter: EntryFilter, range: EntryRange): Promise<SearchPage> {
  return searchReadablePage(context.db, context.ledger, readerOf(context), filter, range);
}

/**
 * Returns `value` after recording that the caller read `shown` entries by the field `what`. Throws when that cannot be
 * recorded: an unrecorded read is refused.
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

/**
 * `recordingRead` for those of `entries` that do not record what the caller did itself.
 *
 * @param about the first entry of the thing they are about, which says who did it; omitted: each entry says it itself
 */
export async function recordingEntries(
  context: Context,
  what: string,
  entries: readonly EntryNode[],
  about?: LedgerEntry,
): Promise<EntryNode[]> {
  const read = entries.filter((row) => !isOwn(viewerOf(context), about ?? entryOf(row))).length;
  if (read > 0) await recordingRead(context, what, read, undefined);
  return [...entries];
}

/** Entries that this operation recorded, by position. */
export const recordedEntries = perOperation(() => new Map<bigint, EntryNode>());

const loadEntry = createLoader<bigint, EntryNode>(async ({ db, ledger }, positions) => {
  const entries = await readEntries(db, ledger, positions);
  return new Map(entries.map((entry) => [entry.seq, entryNode(entry)]));
});

/** The entries at `positions` of the caller's ledger, in that order. */
export async function readPositions(context: Context, positions: readonly bigint[]): Promise<EntryNode[]> {
  const recorded = recordedEntries(context);
  const rows = await Promise.all(positions.map((seq) => recorded.get(seq) ?? loadEntry(context, seq)));
  return rows.filter((row) => row !== undefined);
}

/** Whether the caller may read `entry`: by its own subjects, or because the caller may read the action it is about. */
export async function seesEntry(context: Context, row: EntryNode): Promise<boolean> {
  const subjects = subjectsOf(entryOf(row));
  const seen = mayRead(readerOf(context), subjects);
  if (seen || subjects.organization !== viewerOf(context).organization) return seen;
  return (await actionOf(row, context)) !== null;
}

/** The action an entry is about, if the caller may see it. */
export async function actionOf(row: EntryNode, context: Context): Promise<ActionNode | null> {
  const action = await readAction(context, textOf(entryOf(row).body.action));
  return action !== null && seesAction(context, action) ? action : null;
}
