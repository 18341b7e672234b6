import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import type { StateKind, StateOf } from "../facts/registry.ts";
import { provenEntry, provenState, provenVersion, STORED_STATE, type StoredState } from "./proof.ts";
import { type Queryable, readEntryRows } from "./read.ts";

/** The current state of one thing of `Kind`, as in its latest entry, with its entries. */
export interface RecordedState<Kind extends StateKind = StateKind> {
  /** Names it among those of its kind. */
  readonly id: string;
  readonly state: StateOf<Kind>["state"];
  /** How many entries have changed it; 1 for the first. */
  readonly version: number;
  /** The entry that created it. */
  readonly first: LedgerEntry;
  /** The entry that changed it last; `first` when none did. */
  readonly latest: LedgerEntry;
}

/**
 * The states of `rows`, which are of `kind`, in that order. Each is read from its entries, which are hashed again. Throws
 * LedgerDamagedError for a row that is not what they say.
 */
export async function loadStates<Kind extends StateKind>(
  db: Queryable,
  ledger: LedgerId,
  kind: Kind,
  rows: readonly StoredState[],
): Promise<RecordedState<Kind>[]> {
  const positions = new Set(rows.flatMap(({ first_seq, updated_seq }) => [first_seq, updated_seq]));
  const found = await readEntryRows(db, ledger, [...positions].map(BigInt));
  const entries = new Map(found.map((row) => [row.seq, provenEntry(ledger, row)]));
  return rows.map((row) => {
    const [first, latest] = [entries.get(row.first_seq), entries.get(row.updated_seq)];
    const { id, state } = provenState(ledger, kind, row, latest);
    provenVersion(ledger, first, kind, { id, version: 1 });
    if (first === undefined || latest === undefined) throw new Error("a state was proven without its entries");
    return { id, state, version: row.version, first, latest };
  });
}

// Not prepared: a plan made while the table is small would later read all of it.
const READ_STATES = `SELECT ${STORED_STATE} FROM oc_state s WHERE s.ledger = $1 AND s.kind = $2 AND s.id = ANY ($3::text[])`;

/** The states of `kind` with these ids, in no order; unknown ids are omitted. Ids must be storable (`facts/text.ts`). */
export async function readStates<Kind extends StateKind>(
  db: Queryable,
  ledger: LedgerId,
  kind: Kind,
  ids: readonly string[],
): Promise<RecordedState<Kind>[]> {
  const { rows } = await db.query<StoredState>(READ_STATES, [ledger, kind, ids]);
  return loadStates(db, ledger, kind, rows);
}
