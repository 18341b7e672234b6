import { validate as isUuid } from "uuid";
import type { LedgerId } from "../../../facts/entry.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import { STORED_STATE } from "../../../ledger/proof.ts";
import { type EntryRow, POSITION_COLUMNS, type Queryable } from "../../../ledger/read.ts";
import type { IsSigned } from "../../../ledger/signatures/check.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import { type Proven, provenAction, type StoredAction } from "./proof.ts";

/** An action as its entries say it is at `now`, by the database's clock. */
export interface Loaded extends Proven {
  readonly now: Date;
}

/** Where actions are loaded from. */
export interface ActionSource {
  readonly db: Queryable;
  /** Whether a server of this installation signed an entry that lets an action start. */
  readonly isSigned: IsSigned;
}

export interface ActionKey {
  readonly ledger: LedgerId;
  /** Also one that is none: there is no such action. */
  readonly id: string;
}

/** The row of an action; of each of its entries that a decision depends on there is one, null where there is no such entry. */
interface LoadRow extends StoredAction, Record<keyof EntryRow, unknown> {
  readonly n: number;
  readonly now: Date;
  readonly moved_on: boolean;
}

// One round trip for everything decisions depend on: the row, the proposal and approvals with their texts, the latest entry, and the
// clock. LIMIT has the planner look each action up by its index, whatever it takes the tables' size to be. The entries of all are
// read by one call a ledger: calling oc_entries_at for each costs more than what it reads.
const LOAD = {
  name: "oc_load_action",
  text: `
    WITH a AS MATERIALIZED (
      SELECT k.n, k.ledger, ${STORED_STATE}, s.entries::text[] AS entries, s.actor_id, s.on_behalf_of_id, s.conversation, s.now,
             ARRAY[s.updated_seq] || CASE WHEN s.status IN ('PENDING', 'ALLOWED', 'APPROVED')
                                          THEN s.entries[:2 + least(s.approvals, cardinality(s.entries))]
                                          ELSE ARRAY[s.first_seq] END AS wanted,
             oc_action_moved_on(k.ledger, s.id::uuid, s.version, s.updated_seq) AS moved_on
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(ledger, id, n)
       CROSS JOIN LATERAL (SELECT x.*, clock_timestamp() AS now,
                                  CASE WHEN pg_input_is_valid(x.state ->> 'approvals', 'integer')
                                       THEN (x.state ->> 'approvals')::integer ELSE 0 END AS approvals
                             FROM oc_state x WHERE x.ledger = k.ledger AND x.kind = 'ACTION' AND x.id = k.id LIMIT 1) s
    ), e AS MATERIALIZED (
      SELECT w.ledger, r.*
        FROM (SELECT a.ledger, array_agg(p.seq) AS seqs FROM a CROSS JOIN LATERAL unnest(a.wanted) AS p(seq) GROUP BY a.ledger) w
       CROSS JOIN LATERAL oc_entries_at(w.ledger, w.seqs, true) r
    )
    SELECT a.n::integer AS n, a.id, a.version, a.state, a.status, a.expires_at, a.first_seq, a.updated_seq, a.state_hash, a.entries,
           a.actor_id, a.on_behalf_of_id, a.conversation, a.now, a.moved_on, ${POSITION_COLUMNS}
      FROM a LEFT JOIN e ON e.ledger = a.ledger AND e.seq = ANY (a.wanted)`,
};

/** The state of an action when its row was read, and all of its rows. */
interface Found {
  readonly row: LoadRow;
  readonly entries: readonly EntryRow[];
}

/**
 * The actions with these keys, in their order: undefined where there is none, an error for one with entries that contradict what is
 * stored of it. One statement as a rule. Throws LedgerUnavailableError.
 */
export async function loadAll(
  { db, isSigned }: ActionSource,
  keys: readonly ActionKey[],
): Promise<readonly (Loaded | LedgerDamagedError | undefined)[]> {
  const found = await find(db, keys);
  // What another call recorded after a row was read, and before its entries were looked for, is in the row when it is read again.
  const outdated = keys.filter((_, at) => found[at]?.row.moved_on === true);
  const again = new Map((await find(db, outdated)).map((one, at) => [outdated[at], one]));
  return keys.map((key, at) => {
    const first = found[at];
    const latest = again.get(key) ?? first;
    if (latest === undefined) return undefined;
    try {
      if (latest.row.moved_on && latest.row.version === first?.row.version) throw movedOn(key.ledger, latest.row);
      return { ...provenAction(key.ledger, latest.row, latest.entries, isSigned), now: latest.row.now };
    } catch (error) {
      if (error instanceof LedgerDamagedError) return error;
      throw error;
    }
  });
}

function movedOn(ledger: LedgerId, { id, version }: LoadRow): LedgerDamagedError {
  return new LedgerDamagedError(
    ledger,
    `the row of ACTION ${id} in oc_state has version ${version}, and entries a later one`,
  );
}

async function find(db: Queryable, keys: readonly ActionKey[]): Promise<(Found | undefined)[]> {
  const ids = keys.map(({ id }) => (isUuid(id) ? id.toLowerCase() : null));
  const found = new Array<{ row: LoadRow; entries: EntryRow[] } | undefined>(keys.length);
  if (ids.every((id) => id === null)) return found;
  const values = [keys.map(({ ledger }) => ledger), ids];
  const { rows } = await withLedgerErrors(db.query<LoadRow>({ ...LOAD, values }));
  for (const row of rows) {
    const one = found[row.n - 1] ?? { row, entries: [] };
    found[row.n - 1] = one;
    if (isEntry(row)) one.entries.push(row);
  }
  return found;
}

function isEntry(row: Record<keyof EntryRow, unknown>): row is Record<keyof EntryRow, unknown> & EntryRow {
  return typeof row.entry === "string";
}
