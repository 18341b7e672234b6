import type { JsonObject } from "../facts/canonical.ts";
import type { LedgerId } from "../facts/entry.ts";
import type { Queryable } from "./read.ts";

/** What the latest entry about one thing of a ledger says of it; an item of `body.states`. */
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

// Ordered and limited within each ledger: only its index has that order, so neither a join with the whole table, which
// looks cheaper the more directories are asked for, nor a sort of all that is known can take the place of a look at it.
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
 * What has changed in each ledger's directory behind a position, the rows of one ledger in the order they changed:
 * positions are committed in order, so nothing turns up behind one that was seen. Of a thing that changed several times
 * only the last state is told.
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
