import type { ActionStatus } from "../../../facts/areas/actions.ts";
import { factOfType } from "../../../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { objectOf } from "../../../facts/members.ts";
import { type EntryRow, type Queryable, readEntries, toEntry } from "../../../ledger/read.ts";
import type { Principal } from "../../identity/principal.ts";
import { actorOf } from "../../identity/recorded.ts";
import { withLedgerErrors, withListErrors } from "../../ledger-errors.ts";
import type { ActionState, ActionView, Voter } from "../action.ts";
import { isBehind } from "../decide/approver.ts";
import { inPlaceOf } from "../decide/rights.ts";
import type { NextState } from "../decide/transition.ts";
import { termsOf } from "../terms.ts";

interface ActionStateRow {
  readonly id: string;
  readonly version: number;
  readonly status: string;
  readonly agent_id: string;
  readonly approvals: number;
  readonly expires_at: Date | null;
  readonly grant_id: string | null;
  readonly grant_hash: Uint8Array | null;
  readonly grant_expires_at: Date | null;
  readonly proposed_seq: string;
  readonly updated_seq: string;
  readonly entries: readonly string[];
}

const STATE_COLUMNS = `a.id, a.version, a.status, a.agent_id, a.approvals, a.expires_at, a.grant_id, a.grant_hash,
           a.grant_expires_at, a.proposed_seq, a.updated_seq, a.entries::text[] AS entries`;

/** What `toView` needs of oc_action `a` and the proposal `e`: all but the payload, which can have a megabyte. */
export const ACTION_COLUMNS = `${STATE_COLUMNS}, e.seq, e.entry, encode(e.hash, 'hex') AS hash`;
export type ActionRow = ActionStateRow & Omit<EntryRow, "payload">;

/** An action whose proposal was read without its payload. */
export function toView(ledger: LedgerId, row: ActionRow): ActionView {
  return { state: toState(ledger, row), proposal: toEntry(ledger, { ...row, payload: null }), sealed: true };
}

const LOAD_ALL = {
  name: "oc_load_actions",
  text: `
    SELECT ${ACTION_COLUMNS}
      FROM oc_action a CROSS JOIN LATERAL oc_entries_at($1, ARRAY[a.proposed_seq]) e
     WHERE a.ledger = $1 AND a.id = ANY ($2::text[])`,
};

/** The actions with these ids (lowercase UUIDs) in `ledger`, by id, without payload; unknown ids are omitted. */
export async function loadActions(
  db: Queryable,
  ledger: LedgerId,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ActionView>> {
  const { rows } = await withLedgerErrors(db.query<ActionRow>({ ...LOAD_ALL, values: [ledger, ids] }));
  return new Map(rows.map((row) => [row.id, toView(ledger, row)]));
}

/** Who approved, according to the entries of an action that `proposal` proposed; in the order in which they did. */
export function votersAmong(proposal: LedgerEntry, entries: readonly LedgerEntry[]): readonly Voter[] {
  return entries.filter(({ type }) => type === "ACTION_APPROVED").map((entry) => voterOf(proposal, entry));
}

/** Who approved by `entry`, an ACTION_APPROVED, what `proposal` proposed. */
export function voterOf(proposal: LedgerEntry, entry: LedgerEntry): Voter {
  const { decision } = factOfType(entry, "ACTION_APPROVED");
  const { delegatedBy } = decision;
  const actor = actorOf(entry);
  const by = delegatedBy === undefined ? actor : inPlaceOf(actor, delegatedBy, delegatorOf(actor, delegatedBy.id));
  return {
    ...by,
    seq: entry.seq,
    ...(decision.region === undefined ? {} : { region: decision.region }),
    at: decision.asOf,
    assurance: decision.assurance,
    // Also one whose text was erased.
    hasNote: objectOf(entry.body.decision).note !== undefined,
    isBehind: isBehind(termsOf(proposal), by),
    isUnknown: entry.body.identity !== undefined,
    delegatedBy,
  };
}

function delegatorOf({ organization }: Principal, id: string): Principal {
  return { id, kind: "HUMAN", organization, roles: [], groups: [] };
}

/** Positions of the entries of an action after its proposal. */
export function outcomePositions({ state, proposal }: ActionView): readonly bigint[] {
  return state.entries.filter((seq) => seq !== proposal.seq);
}

/**
 * `views` with what a decision depends on: payloads of the proposals, and approvers of those that are pending. One statement
 * for all.
 */
export async function openViews(
  db: Queryable,
  ledger: LedgerId,
  views: readonly ActionView[],
): Promise<readonly ActionView[]> {
  const undecided = ({ state }: ActionView) => state.status === "PENDING" && state.approvals > 0;
  const wanted = views.flatMap((view) => [view.proposal.seq, ...(undecided(view) ? outcomePositions(view) : [])]);
  const entries = await withListErrors(readEntries(db, ledger, [...new Set(wanted)]));
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
  return views.map((view) => {
    const { state, proposal } = view;
    const outcome = outcomePositions(view).flatMap((seq) => bySeq.get(seq) ?? []);
    return { state, proposal: bySeq.get(proposal.seq) ?? proposal, voters: votersAmong(proposal, outcome) };
  });
}

function toState(ledger: LedgerId, row: ActionStateRow): ActionState {
  return {
    ledger,
    id: row.id,
    version: row.version,
    status: row.status as ActionStatus,
    agentId: row.agent_id,
    approvals: row.approvals,
    expiresAt: row.expires_at,
    startedAt: null,
    grantId: row.grant_id,
    grantHash: row.grant_hash,
    grantExpiresAt: row.grant_expires_at,
    proposedSeq: BigInt(row.proposed_seq),
    updatedSeq: BigInt(row.updated_seq),
    entries: row.entries.map(BigInt),
  };
}

/** The state that `entry` leads to, known without reading it back. `before` is undefined for the first entry. */
export function nextActionState(
  before: ActionState | undefined,
  first: { readonly ledger: LedgerId; readonly id: string; readonly agentId: string },
  next: NextState,
  entry: LedgerEntry,
): ActionState {
  const { version, status, approvals, expiresAt, startedAt, grant } = next;
  return {
    ...first,
    version,
    status,
    approvals,
    expiresAt: expiresAt ?? null,
    startedAt: startedAt ?? null,
    grantId: grant?.id ?? null,
    grantHash: grant?.hash === undefined ? null : Buffer.from(grant.hash, "hex"),
    grantExpiresAt: grant?.expiresAt ?? null,
    proposedSeq: before?.proposedSeq ?? entry.seq,
    updatedSeq: entry.seq,
    entries: [...(before?.entries ?? []), entry.seq],
  };
}
