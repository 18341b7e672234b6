import { validate as isUuid } from "uuid";
import type { ActionStatus } from "../../facts/areas/actions.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { type EntryRow, POSITION_COLUMNS, type Queryable, readEntries, toEntry } from "../../ledger/read.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors, withListErrors } from "../ledger-errors.ts";
import type { ActionState, ActionView, Situation } from "./action.ts";
import type { NextState } from "./decide/transition.ts";
import { termsOf } from "./terms.ts";

/** An action as the database has it at `now`, its own clock. */
export interface Loaded {
  readonly view: ActionView;
  readonly situation: Situation;
  readonly now: Date;
}

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

interface LoadRow extends ActionStateRow, EntryRow {
  readonly n: number;
  readonly now: Date;
  readonly updated_at: Date;
  readonly votes: readonly EntryRow[] | null;
}

const STATE_COLUMNS = `a.id, a.version, a.status, a.agent_id, a.approvals, a.expires_at, a.grant_id, a.grant_hash,
           a.grant_expires_at, a.proposed_seq, a.updated_seq, a.entries::text[] AS entries`;

/** What `toView` needs of oc_action `a` and the proposal `e`: all but the payload, which can have a megabyte. */
export const ACTION_COLUMNS = `${STATE_COLUMNS}, e.seq, e.entry, encode(e.hash, 'hex') AS hash`;
export type ActionRow = ActionStateRow & Omit<EntryRow, "payload">;

// One round trip for everything decisions depend on: state, proposal with its texts, clock, and earlier approvals while more than
// one is needed. LIMIT has the planner look each action up by its index, whatever it takes the tables' size to be. The entries of
// all are read by one call a ledger: calling oc_entries_at for each costs more than what it reads.
const LOAD = {
  name: "oc_load_action",
  text: `
    WITH a AS MATERIALIZED (
      SELECT k.n, l.*
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(ledger, id, n)
       CROSS JOIN LATERAL (SELECT * FROM oc_action x WHERE x.ledger = k.ledger AND x.id = k.id LIMIT 1) l
    ), entry AS MATERIALIZED (
      SELECT w.ledger, e.*
        FROM (SELECT a.ledger, array_agg(s.seq) AS seqs
                FROM a CROSS JOIN LATERAL unnest(
                       CASE WHEN a.status = 'PENDING' AND a.approvals > 0 THEN a.entries ELSE ARRAY[a.proposed_seq, a.updated_seq] END
                     ) AS s(seq)
               GROUP BY a.ledger) w
       CROSS JOIN LATERAL oc_entries_at(w.ledger, w.seqs, true) e
    )
    SELECT a.n::integer AS n, ${STATE_COLUMNS}, ${POSITION_COLUMNS}, clock_timestamp() AS now, u.recorded_at AS updated_at,
           CASE WHEN a.status = 'PENDING' AND a.approvals > 0 THEN (
             SELECT json_agg(json_build_object('seq', v.seq::text, 'entry', v.entry, 'hash', encode(v.hash, 'hex'),
                                               'payload', v.payload) ORDER BY v.seq)
               FROM entry v WHERE v.ledger = a.ledger AND v.seq = ANY (a.entries) AND v.type = 'ACTION_APPROVED')
           END AS votes
      FROM a
      JOIN entry e ON e.ledger = a.ledger AND e.seq = a.proposed_seq
      LEFT JOIN entry u ON u.ledger = a.ledger AND u.seq = a.updated_seq`,
};

export interface ActionKey {
  readonly ledger: LedgerId;
  /** Also one that is none: there is no such action. */
  readonly id: string;
}

/** The actions with these keys, in their order, or undefined, in one statement. Throws LedgerUnavailableError. */
export async function loadAll(db: Queryable, keys: readonly ActionKey[]): Promise<(Loaded | undefined)[]> {
  const loaded = new Array<Loaded | undefined>(keys.length).fill(undefined);
  const ids = keys.map(({ id }) => (isUuid(id) ? id.toLowerCase() : null));
  const values = [keys.map(({ ledger }) => ledger), ids];
  if (ids.every((id) => id === null)) return loaded;
  const { rows } = await withLedgerErrors(db.query<LoadRow>({ ...LOAD, values }));
  for (const row of rows) {
    const key = keys[row.n - 1];
    if (key !== undefined) loaded[row.n - 1] = toLoaded(key.ledger, row);
  }
  return loaded;
}

function toLoaded(ledger: LedgerId, row: LoadRow): Loaded {
  const proposal = toEntry(ledger, row);
  const state = toState(ledger, row);
  const voters = (row.votes ?? []).map((vote) => actorOf(toEntry(ledger, vote)));
  return {
    view: { state, proposal, ...(voters.length === 0 ? {} : { voters }) },
    situation: { state, terms: termsOf(proposal), voters, updatedAt: row.updated_at },
    now: row.now,
  };
}

/** The action `id` of `ledger`, or undefined: also for an id that is none. */
export async function loadAction(db: Queryable, ledger: LedgerId, id: string): Promise<Loaded | undefined> {
  return (await loadAll(db, [{ ledger, id }]))[0];
}

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

/** Who approved, according to the entries of an action; in the order in which they did. */
export function votersAmong(entries: readonly LedgerEntry[]): readonly Principal[] {
  return entries.filter(({ type }) => type === "ACTION_APPROVED").map(actorOf);
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
    return { state, proposal: bySeq.get(proposal.seq) ?? proposal, voters: votersAmong(outcome) };
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
  const { version, status, approvals, expiresAt, grant } = next;
  return {
    ...first,
    version,
    status,
    approvals,
    expiresAt: expiresAt ?? null,
    grantId: grant?.id ?? null,
    grantHash: grant?.hash === undefined ? null : Buffer.from(grant.hash, "hex"),
    grantExpiresAt: grant?.expiresAt ?? null,
    proposedSeq: before?.proposedSeq ?? entry.seq,
    updatedSeq: entry.seq,
    entries: [...(before?.entries ?? []), entry.seq],
  };
}
