import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { type Queryable, readEntries } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/** A session is its two entries; without `ended` nobody has ended it yet. */
export interface Session {
  /** A UUID. */
  readonly id: string;
  readonly started: LedgerEntry;
  readonly ended: LedgerEntry | undefined;
}

/** What `loadSessions` needs of a row of `oc_state`. */
export const SESSION_COLUMNS = "s.id, s.first_seq AS started_seq, s.updated_seq, s.status = 'ENDED' AS ended";

export interface SessionRow {
  readonly id: string;
  readonly started_seq: string;
  readonly updated_seq: string;
  readonly ended: boolean;
}

/** The sessions of `rows`, in that order, with their entries. */
export async function loadSessions(db: Queryable, ledger: LedgerId, rows: readonly SessionRow[]): Promise<Session[]> {
  const positions = rows.flatMap(({ started_seq, updated_seq, ended }) =>
    ended ? [started_seq, updated_seq] : [started_seq],
  );
  const found = await withLedgerErrors(readEntries(db, ledger, positions.map(BigInt)));
  const entries = new Map(found.map((entry) => [String(entry.seq), entry]));
  return rows.flatMap(({ id, started_seq, updated_seq, ended }) => {
    const started = entries.get(started_seq);
    return started === undefined ? [] : [{ id, started, ended: ended ? entries.get(updated_seq) : undefined }];
  });
}

const STATE = `SELECT ${SESSION_COLUMNS} FROM oc_state s WHERE s.ledger = $1 AND s.kind = 'SESSION' AND s.id = ANY ($2::text[])`;

/** The sessions with these ids (UUIDs), of any caller, in no order; unknown ids are omitted. */
export async function findSessions(db: Queryable, ledger: LedgerId, ids: readonly string[]): Promise<Session[]> {
  const { rows } = await withLedgerErrors(db.query<SessionRow>(STATE, [ledger, ids.map((id) => id.toLowerCase())]));
  return loadSessions(db, ledger, rows);
}
