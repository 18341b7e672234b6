import type { JsonObject } from "../facts/canonical.ts";
import { stateIn } from "../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import type { StateKind, StateOf } from "../facts/registry.ts";
import { type Queryable, readEntries } from "./read.ts";

/** The current state of one thing of `Kind`, as in its latest entry, with its entries. */
export interface RecordedState<Kind extends StateKind = StateKind> {
  /** Names it among those of its kind. */
  readonly id: string;
  readonly state: StateOf<Kind>["state"];
  /** The entry that created it. */
  readonly first: LedgerEntry;
  /** The entry that changed it last; `first` when none did. */
  readonly latest: LedgerEntry;
}

/** What `loadStates` needs of rows `s` of `oc_state`. */
export const STATE_COLUMNS = "s.id, s.first_seq, s.updated_seq";

export interface StateRow {
  readonly id: string;
  readonly first_seq: string;
  readonly updated_seq: string;
}

/** The states of `rows`, which are of `kind`, in that order. Each is read from its entries; a row without them is omitted. */
export async function loadStates<Kind extends StateKind>(
  db: Queryable,
  ledger: LedgerId,
  kind: Kind,
  rows: readonly StateRow[],
): Promise<RecordedState<Kind>[]> {
  const positions = new Set(rows.flatMap(({ first_seq, updated_seq }) => [first_seq, updated_seq]));
  const found = await readEntries(db, ledger, [...positions].map(BigInt));
  const entries = new Map(found.map((entry) => [String(entry.seq), entry]));
  return rows.flatMap(({ id, first_seq, updated_seq }) => {
    const [first, latest] = [entries.get(first_seq), entries.get(updated_seq)];
    const item = latest && stateIn(latest, kind, id);
    return first === undefined || latest === undefined || item === undefined
      ? []
      : [{ id, state: item.state, first, latest }];
  });
}

// Not prepared: a plan made while the table is small would later read all of it.
const READ_STATES = `SELECT ${STATE_COLUMNS} FROM oc_state s WHERE s.ledger = $1 AND s.kind = $2 AND s.id = ANY ($3::text[])`;

/** The states of `kind` with these ids, in no order; unknown ids are omitted. Ids must be storable (`facts/text.ts`). */
export async function readStates<Kind extends StateKind>(
  db: Queryable,
  ledger: LedgerId,
  kind: Kind,
  ids: readonly string[],
): Promise<RecordedState<Kind>[]> {
  const { rows } = await db.query<StateRow>(READ_STATES, [ledger, kind, ids]);
  return loadStates(db, ledger, kind, rows);
}

/** The current state of one subject of a directory, as in its latest entry; an item of `body.states`. */
export interface DirectoryState {
  readonly ledger: LedgerId;
  /** PRINCIPAL, TOKEN or SETUP. */
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

type Stored = Omit<DirectoryState, "updatedSeq"> & { readonly updated_seq: string };

/**
 * The states of each ledger's directory that changed after a position, in the order of their changes. Positions are
 * committed in order, so none appears later before one that was read. A state that changed several times is returned once.
 */
export async function readDirectoryStatesSince(
  db: Queryable,
  since: readonly Since[],
): Promise<readonly DirectoryState[]> {
  const changes: DirectoryState[] = [];
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

async function readStretch(db: Queryable, since: readonly Since[]): Promise<readonly DirectoryState[]> {
  const values = [since.map(({ ledger }) => ledger), since.map(({ after }) => after)];
  const { rows } = await db.query<Stored>({ ...READ_CHANGES, values });
  return rows.map(({ updated_seq, ...row }) => ({ ...row, updatedSeq: BigInt(updated_seq) }));
}
