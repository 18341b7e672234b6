import type { LedgerEntry } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { provenEntry } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Organization } from "./organization.ts";

/** Starts of sessions that are looked at, the latest first: others than servers can append some that nobody signed. */
const MAX_STARTS = 20;

const STARTS = {
  name: "oc_read_starts_of_sessions",
  text: `
    SELECT s.first_seq FROM oc_state s
     WHERE s.kind = 'SESSION' AND s.actor_id = $2 AND s.ledger = $1 AND s.on_behalf_of_id IS NULL
     ORDER BY s.first_seq DESC LIMIT ${MAX_STARTS}`,
};

export interface OwnerOptions {
  readonly db: Queryable;
  /** Whether a server of this installation signed an entry. */
  readonly isSigned: IsSigned;
}

/**
 * The person `id` with the address, name and groups that they last signed in with, or changed the directory with: of entries that a
 * server signed. With another address, a second account of the owner could approve what the agent proposes. Undefined when there is no
 * such entry. Throws LedgerDamagedError, LedgerUnavailableError.
 */
export async function readOwner(
  { db, isSigned }: OwnerOptions,
  organization: Organization,
  id: string,
): Promise<Principal | undefined> {
  const { ledger, name } = organization;
  const { rows } = await withLedgerErrors(db.query<{ first_seq: string }>({ ...STARTS, values: [ledger, id] }));
  const changed = organization.changedAt.get(id);
  const positions = [...rows.map(({ first_seq }) => BigInt(first_seq)), ...(changed === undefined ? [] : [changed])];
  const found = await withLedgerErrors(readEntryRows(db, ledger, positions));
  for (const row of found.toReversed()) {
    const entry = provenEntry(ledger, row);
    if (!isSigned(entry)) continue;
    const { kind, email, emailVerified, displayName, withheld, groups, id: actor, onBehalfOf } = actorOf(entry);
    if (actor !== id || kind !== "HUMAN" || onBehalfOf !== undefined) continue;
    if (withheld !== undefined) throw unknownOwner(entry);
    return {
      id,
      kind,
      organization: name,
      ...(email === undefined ? {} : { email }),
      ...(emailVerified === undefined ? {} : { emailVerified }),
      ...(displayName === undefined ? {} : { displayName }),
      roles: [],
      groups,
    };
  }
  return undefined;
}

/** The profile of an agent's owner is not the one that `entry` recorded, or is gone. */
function unknownOwner({ ledger, seq }: LedgerEntry): LedgerDamagedError {
  return new LedgerDamagedError(
    ledger,
    `the profile at position ${seq} is missing or is not the one that was recorded, so the owner of an agent is not known: ` +
      "restore it from a backup",
  );
}
