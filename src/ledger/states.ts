import type { JsonObject } from "../facts/canonical.ts";
import type { LedgerId } from "../facts/entry.ts";
import type { Queryable } from "./read.ts";

/** The current state of one subject, as in its latest entry; an item of `body.states`. */
export interface StateRow {
  readonly ledger: LedgerId;
  /** What sort of thing it is: capitals and underscores. */
  readonly kind: string;
  /** Names it among those of its kind; 1 to 400 characters. */
  readonly id: string;
  /** 1 in its first entry, and one more in each after that. */
  readonly version: number;
  readonly state: JsonObject;
  /** Position of that entry. */
  readonly updatedSeq: bigint;
}

/** A ledger, and the position behind which changes are read; 0: everything. */
export interface Since {
  readonly ledger: LedgerId;
  readonly after: bigint;
}

/** Rows of one ledger that one statement reads. */
const STRETCH = 1_000;

// Ordered and limited within each ledger, which only its index provides: so the planner chooses neither a join with the whole
// table, which it estimates to be cheaper for many directories, nor a sort.
const READ_CHANGES = {
  name: "oc_read_directory_changes",
  text: `
    SELECT k.ledger, d.kind, d.id, d.version, d.state, d.updated_seq
      FROM unnest($1::text[], $2::bigint[]) AS k(ledger, after)
     CROSS JOIN LATERAL (SELECT x.* FROM oc_state x
                          WHERE x.kind IN ('PRINCIPAL', 'TOKEN', 'SETUP') AND x.ledger = k.ledger AND x.updated_seq > k.after
                          ORDER BY x.updated_seq LIMIT ${STRETCH}) d
     ORDER BY d.updated_seq`,
};

type Stored = Omit<StateRow, "updatedSeq"> & { readonly updated_seq: string };

/**
 * The states of each ledger's directory that changed after a position, in the order of their changes. Positions are
 * committed in order, so none appears later before one that was read. A state that changed several times is returned once.
 */
export async function readStatesSince(db: Queryable, since: readonly Since[]): Promise<readonly StateRow[]> {
  const changes: StateRow[] = [];
  for (let due = since; due.length > 0; ) {
    const reached = new Map<LedgerId, { rows: number; after: bigint }>();
    for (const row of await readStretch(db, due)) {
      changes.push(row);
      reached.set(row.ledger, { rows: (reached.get(row.ledger)?.rows ?? 0) + 1, after: row.updatedSeq });
    }
    due = [...reached].flatMap(([ledger, { rows, after }]) => (rows === STRETCH ? [{ ledger, after }] : []));
  }
  return changes;
}

async function readStretch(db: Queryable, since: readonly Since[]): Promise<readonly StateRow[]> {
  const values = [since.map(({ ledger }) => ledger), since.map(({ after }) => after)];
  const { rows } = await db.query<Stored>({ ...READ_CHANGES, values });
  return rows.map(({ updated_seq, ...row }) => ({ ...row, updatedSeq: BigInt(updated_seq) }));
}
