import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { provenEntry } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

export interface SignInSource {
  readonly db: Queryable;
  /** Whether a server of this installation signed an entry. */
  readonly isSigned: IsSigned;
}

/** A person as an entry has them that a server signed. */
export interface SignIn {
  readonly principal: Principal;
  readonly entry: LedgerEntry;
}

/** Starts of sessions that are looked at, the latest first: others than servers can append some that nobody signed. */
const MAX_STARTS = 20;

const STARTS = {
  name: "oc_read_starts_of_sessions",
  text: `
    SELECT s.first_seq FROM oc_state s
     WHERE s.kind = 'SESSION' AND s.actor_id = $2 AND s.ledger = $1 AND s.on_behalf_of_id IS NULL
     ORDER BY s.first_seq DESC LIMIT ${MAX_STARTS}`,
};

/**
 * The person as they last signed in, by the latest entry that a server signed: a session that they started, or one of those at the positions
 * `others`. Throws LedgerDamagedError where their profile is not what was recorded: it is missing, or another one. Throws
 * LedgerUnavailableError.
 */
export async function lastSignIn(
  { db, isSigned }: SignInSource,
  ledger: LedgerId,
  id: string,
  others: readonly bigint[],
): Promise<SignIn | undefined> {
  const { rows } = await withLedgerErrors(db.query<{ first_seq: string }>({ ...STARTS, values: [ledger, id] }));
  const positions = new Set([...rows.map(({ first_seq }) => BigInt(first_seq)), ...others]);
  const found = await withLedgerErrors(readEntryRows(db, ledger, [...positions]));
  for (const row of found.toReversed()) {
    const entry = provenEntry(ledger, row);
    if (!isSigned(entry)) continue;
    const { withheld, ...principal } = actorOf(entry);
    if (principal.id !== id || principal.kind !== "HUMAN" || principal.onBehalfOf !== undefined) continue;
    if (withheld !== undefined) throw unknownPerson(entry);
    return { principal, entry };
  }
  return undefined;
}

function unknownPerson({ ledger, seq }: LedgerEntry): LedgerDamagedError {
  return new LedgerDamagedError(
    ledger,
    `the profile at position ${seq} is missing or is not the one that was recorded, so the person it is about is not known: ` +
      "restore it from a backup",
  );
}
