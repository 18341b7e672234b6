import type { LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { RecordedState } from "../../ledger/states.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

type Kind = "CHANNEL" | "ACCOUNT";
type Found = Pick<RecordedState, "id" | "latest">;

const MOVED_ON = `
  SELECT k.id FROM unnest($3::text[], $4::bigint[]) AS k(id, seq) WHERE oc_channel_moved_on($1, $2, k.id, k.seq)`;

/**
 * What `read` finds of channels or accounts, after it was looked whether the ledger has a later entry about any of them than its row names: a
 * link that was taken back counts for nothing, though its row was put back. Throws LedgerDamagedError, LedgerUnavailableError.
 */
export async function readLatest<Of extends Kind>(
  db: Queryable,
  ledger: LedgerId,
  kind: Of,
  read: () => Promise<readonly RecordedState<Of>[]>,
): Promise<readonly RecordedState<Of>[]> {
  const found = await withLedgerErrors(read());
  const outdated = await movedOn(db, ledger, kind, found);
  if (outdated.length === 0) return found;
  // What another call recorded after a row was read is in the row when it is read again.
  const again = await withLedgerErrors(read());
  const seqOf = (states: readonly Found[], id: string) => states.find((one) => one.id === id)?.latest.seq;
  const old = outdated.find((id) => seqOf(again, id) === seqOf(found, id));
  if (old === undefined) return again;
  throw new LedgerDamagedError(
    ledger,
    `the row of ${kind} ${old} in oc_state names an entry, and there is a later one`,
  );
}

/** Whether there is a later entry about the channel or account than `latest`, of which it was known before. Throws LedgerUnavailableError. */
export async function hasMovedOn(db: Queryable, ledger: LedgerId, kind: Kind, known: Found): Promise<boolean> {
  return (await movedOn(db, ledger, kind, [known])).length > 0;
}

async function movedOn(
  db: Queryable,
  ledger: LedgerId,
  kind: Kind,
  states: readonly Found[],
): Promise<readonly string[]> {
  if (states.length === 0) return [];
  const [ids, seqs] = [states.map(({ id }) => id), states.map(({ latest }) => latest.seq)];
  const { rows } = await withLedgerErrors(db.query<{ id: string }>(MOVED_ON, [ledger, kind, ids, seqs]));
  return rows.map(({ id }) => id);
}
