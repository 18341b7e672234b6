import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { StoredState } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import { loadStates, type RecordedState, readStates } from "../../ledger/states.ts";
import { withLedgerErrors, withListErrors } from "../ledger-errors.ts";

/** A session is its two entries; without `ended` nobody has ended it yet. */
export interface Session {
  /** A UUID. */
  readonly id: string;
  readonly started: LedgerEntry;
  readonly ended: LedgerEntry | undefined;
}

function toSession({ id, state, first, latest }: RecordedState<"SESSION">): Session {
  return { id, started: first, ended: state.status === "ENDED" ? latest : undefined };
}

/** The sessions of `rows`, in that order. */
export async function loadSessions(db: Queryable, ledger: LedgerId, rows: readonly StoredState[]): Promise<Session[]> {
  return (await withListErrors(loadStates(db, ledger, "SESSION", rows))).map(toSession);
}

/** The sessions with these ids (UUIDs), of any caller, in no order; unknown ids are omitted. */
export async function findSessions(db: Queryable, ledger: LedgerId, ids: readonly string[]): Promise<Session[]> {
  const lowercase = ids.map((id) => id.toLowerCase());
  return (await withLedgerErrors(readStates(db, ledger, "SESSION", lowercase))).map(toSession);
}
