import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { provenEntry } from "../../ledger/proof.ts";
import { type EntryRow, type Queryable, readEntryRows } from "../../ledger/read.ts";
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
    SELECT k.n::integer AS n, p.first_seq FROM unnest($2::text[]) WITH ORDINALITY AS k(id, n)
     CROSS JOIN LATERAL (SELECT s.first_seq FROM oc_state s
                          WHERE s.kind = 'SESSION' AND s.actor_id = k.id AND s.ledger = $1 AND s.on_behalf_of_id IS NULL
                          ORDER BY s.first_seq DESC LIMIT ${MAX_STARTS}) p`,
};

/**
 * The person as they last signed in, by the latest entry that a server signed: a session that they started, or one of those at the positions
 * `others`. Throws LedgerDamagedError where their profile is not what was recorded: it is missing, or another one. Throws
 * LedgerUnavailableError.
 */
export async function lastSignIn(
  source: SignInSource,
  ledger: LedgerId,
  id: string,
  others: readonly bigint[],
): Promise<SignIn | undefined> {
  return (await lastSignIns(source, ledger, [id], () => others)).get(id);
}

/** The same of several people, by their ids. */
export async function lastSignIns(
  { db, isSigned }: SignInSource,
  ledger: LedgerId,
  ids: readonly string[],
  others: (id: string) => readonly bigint[],
): Promise<ReadonlyMap<string, SignIn>> {
  const { rows } = await withLedgerErrors(
    db.query<{ n: number; first_seq: string }>({ ...STARTS, values: [ledger, ids] }),
  );
  const positions = new Map(ids.map((id) => [id, new Set(others(id))]));
  for (const { n, first_seq } of rows) positions.get(ids[n - 1] ?? "")?.add(BigInt(first_seq));
  const all = new Set([...positions.values()].flatMap((of) => [...of]));
  const found = await withLedgerErrors(readEntryRows(db, ledger, [...all]));
  const entries = new Map(found.map((row) => [BigInt(row.seq), row]));
  return new Map(
    [...positions].flatMap(([id, of]) => {
      const latestFirst = [...of].sort((one, other) => Number(other - one));
      const signIn = latestIn(
        ledger,
        latestFirst.flatMap((seq) => entries.get(seq) ?? []),
        id,
        isSigned,
      );
      return signIn === undefined ? [] : [[id, signIn] as const];
    }),
  );
}

function latestIn(
  ledger: LedgerId,
  latestFirst: readonly EntryRow[],
  id: string,
  isSigned: IsSigned,
): SignIn | undefined {
  for (const row of latestFirst) {
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
