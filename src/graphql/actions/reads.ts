import type { Voter } from "../../domain/actions/action.ts";
import { loadActions, outcomePositions, votersAmong } from "../../domain/actions/loading/store.ts";
import type { RuleExplanation } from "../../domain/policy/rules.ts";
import { mayRead, readsOrganization, subjectsOf } from "../../domain/visibility/visibility.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { readRelated } from "../../ledger/related.ts";
import { type Context, callerOf, viewerOf } from "../base/context.ts";
import { createLoader, perOperation } from "../base/loader.ts";
import { type EntryNode, entryNode, entryOf } from "../base/rows.ts";
import { readerOf } from "../base/viewer.ts";
import { readPositions } from "../ledger/reads.ts";
import { type ActionNode, actionNode, viewOf } from "./rows.ts";

/** Whether the caller may read `action`. */
export function seesAction(context: Context, action: ActionNode): boolean {
  return mayRead(readerOf(context), subjectsOf(viewOf(action).proposal));
}

/** Actions as this operation left them, by id. */
export const changedActions = perOperation(() => new Map<string, ActionNode>());

const loadAction = createLoader<string, ActionNode>(async ({ db, ledger }, ids) => {
  const views = await loadActions(db, ledger, ids);
  return new Map([...views].map(([id, view]) => [id, actionNode(view)]));
});

/** The action of this id (a UUID in lower case) in the caller's ledger. */
export async function readAction(context: Context, id: string): Promise<ActionNode | null> {
  if (id === "") return null;
  return changedActions(context).get(id) ?? (await loadAction(context, id)) ?? null;
}

/** The entry that proposed `action`, with its payload. */
export async function opened(context: Context, action: ActionNode): Promise<LedgerEntry> {
  const { proposal, sealed } = viewOf(action);
  if (sealed !== true) return proposal;
  let found = proposals.get(proposal);
  if (found === undefined) {
    found = readPositions(context, [proposal.seq]).then(([row]) => (row === undefined ? proposal : entryOf(row)));
    proposals.set(proposal, found);
  }
  return found;
}

/** What was read for a sealed proposal, by the proposal: several fields of one action ask for it. */
const proposals = new WeakMap<LedgerEntry, Promise<LedgerEntry>>();

/** Notes that the caller is shown what `action` would do: they may decide on it later. */
export function noteShown(context: Context, action: ActionNode): void {
  context.services.actions.noteShown(callerOf(context), viewOf(action), "API");
}

/** The entries that changed `action` after its proposal, oldest first. */
export function readOutcomeOf(context: Context, action: ActionNode): Promise<EntryNode[]> {
  return readPositions(context, outcomePositions(viewOf(action)));
}

/** Who has approved `action` so far. */
export async function votersOf(context: Context, action: ActionNode): Promise<readonly Voter[]> {
  const { state, voters } = viewOf(action);
  if (state.approvals === 0) return [];
  return voters ?? votersAmong(viewOf(action).proposal, (await readOutcomeOf(context, action)).map(entryOf));
}

/** Refused attempts on one action that are shown at most; `auditEntries(filter: { actionId })` pages through all. */
export const MAX_ATTEMPTS = 200;

/** The refused attempts on an action, oldest first: entries that name it and left it as it was. */
const loadAttempts = createLoader<string, EntryNode[]>(async ({ db, ledger }, actions) => {
  const found = await readRelated(db, ledger, "attemptOn", actions, MAX_ATTEMPTS);
  return new Map([...found].map(([action, entries]) => [action, entries.map(entryNode)]));
});

/** All entries that changed an action, and its refused attempts; oldest first. */
export async function readTimelineOf(context: Context, action: ActionNode): Promise<EntryNode[]> {
  const [entries, attempts = []] = await Promise.all([
    readPositions(context, viewOf(action).state.entries),
    loadAttempts(context, action.id),
  ]);
  return [...entries, ...attempts].sort((a, b) => (a.seq < b.seq ? -1 : 1));
}

/** Why the caller may not approve `action`; empty when they may. */
export async function blockedBecause(context: Context, action: ActionNode): Promise<readonly string[]> {
  const { state } = viewOf(action);
  const [proposal, voters] = await Promise.all([
    opened(context, action),
    state.status === "PENDING" ? votersOf(context, action) : [],
  ]);
  return context.services.actions.blockedBecause({ state, proposal, voters }, callerOf(context));
}

/** Whether the caller may approve `action` now. */
export async function mayDecide(context: Context, action: ActionNode): Promise<boolean> {
  // The requester's address, which is in the payload, can identify them as the same person: it only adds objections.
  const objections = await context.services.actions.blockedBecause(viewOf(action), callerOf(context));
  return objections.length === 0 && (await blockedBecause(context, action)).length === 0;
}

/** The rules as they were evaluated for `action`, as far as the caller may see them: of the policy, others see what applied to them. */
export async function explanationOf(context: Context, action: ActionNode): Promise<readonly RuleExplanation[]> {
  const { actions } = context.services;
  const rules = actions.explainRecorded(await opened(context, action));
  return readsOrganization(viewerOf(context)) ? rules : rules.filter(({ matched }) => matched);
}
