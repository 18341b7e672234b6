import { validate as isUuid } from "uuid";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { ENTRY_COLUMNS, ENTRY_TABLES, type EntryRow, type Reader, toEntry } from "../../ledger/read.ts";
import { actorOf } from "../identity/recorded.ts";
import { reading } from "../reading.ts";
import type { ActionState, ActionStatus, ActionView, Situation } from "./action.ts";
import type { NextState } from "./decide/ruling.ts";
import { termsOf } from "./terms.ts";

/** An action as the database has it at `now`, its own clock. */
export interface Loaded {
  readonly view: ActionView;
  readonly situation: Situation;
  readonly now: Date;
}

interface StateRow {
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

interface LoadRow extends StateRow, EntryRow {
  readonly now: Date;
  readonly updated_at: Date;
  readonly votes: readonly EntryRow[] | null;
}

// One round trip for everything a decision rests on: state, proposal with its texts, clock, and earlier approvals while
// more than one is needed.
const LOAD = {
  name: "oc_load_action",
  text: `
    SELECT a.id, a.version, a.status, a.agent_id, a.approvals, a.expires_at, a.grant_id, a.grant_hash, a.grant_expires_at,
           a.proposed_seq, a.updated_seq, a.entries::text[] AS entries, ${ENTRY_COLUMNS}, clock_timestamp() AS now,
           CASE WHEN a.updated_seq = a.proposed_seq THEN e.recorded_at
                ELSE (SELECT u.recorded_at FROM oc_audit_log u WHERE u.ledger = a.ledger AND u.seq = a.updated_seq)
           END AS updated_at,
           CASE WHEN a.status = 'PENDING' AND a.approvals > 0 THEN (
             SELECT json_agg(json_build_object('seq', v.seq::text, 'entry', v.entry, 'hash', encode(v.hash, 'hex'),
                                               'payload', w.payload) ORDER BY v.seq)
               FROM oc_audit_log v LEFT JOIN oc_audit_payload w ON w.ledger = v.ledger AND w.seq = v.seq
              WHERE v.ledger = a.ledger AND v.seq = ANY (a.entries) AND v.type = 'ACTION_APPROVED')
           END AS votes
      FROM oc_action a
      JOIN (${ENTRY_TABLES}) ON e.ledger = a.ledger AND e.seq = a.proposed_seq
     WHERE a.ledger = $1 AND a.id = $2::text`,
};

/** The action `id` of `ledger`, or undefined: also for an id that is none. */
export async function loadAction(db: Reader, ledger: LedgerId, id: string): Promise<Loaded | undefined> {
  if (!isUuid(id)) return undefined;
  const { rows } = await reading(db.query<LoadRow>({ ...LOAD, values: [ledger, id.toLowerCase()] }));
  const row = rows[0];
  if (row === undefined) return undefined;
  const proposal = toEntry(ledger, row);
  const state = toState(ledger, row);
  const voters = (row.votes ?? []).map((vote) => actorOf(toEntry(ledger, vote)));
  return {
    view: { state, proposal, ...(voters.length === 0 ? {} : { voters }) },
    situation: { state, terms: termsOf(proposal), voters, updatedAt: row.updated_at },
    now: row.now,
  };
}

function toState(ledger: LedgerId, row: StateRow): ActionState {
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
export function advance(
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
