import DataLoader from "dataloader";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenFact } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import { type Address, addressOf, createPeople, type People, peopleBehind } from "../identity/people.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Copies } from "./copies.ts";
import type { Organization } from "./organization.ts";
import type { Reading } from "./projections.ts";
import type { DirectoryRecord } from "./record.ts";
import { recordedProfile } from "./snapshot.ts";
import type { ReadingWithCopies } from "./with-copies.ts";

/** What is known of the people of an organization, beside what a token says. */
export interface KnownPeople {
  /** Takes in what was recorded of the directory before this call. Throws LedgerUnavailableError. */
  refresh(organization: string): Promise<void>;
  /**
   * Compares `people`, and whom they act for: by every address that comes with one of an id, that the directory has of it, and that
   * the ledger last saw it with. Of these an address counts as verified only if a server signed an entry that says so. Two are one
   * mailbox by the setting of the organization, or by one that was in force after position `since`. Throws LedgerUnavailableError.
   */
  people(organization: string, people: readonly Principal[], since: bigint): Promise<People>;
}

/** Starts of sessions of a person that are looked at, the latest first. */
const MAX_STARTS = 5;
/** Ids of people in one query at most. */
const MAX_PEOPLE = 500;

// Each by an index: the latest starts of sessions, and the latest entries by them and for them.
const SIGHTINGS = {
  name: "oc_read_sightings",
  text: `
    SELECT k.n::integer AS n, p.seq
      FROM unnest($2::text[]) WITH ORDINALITY AS k(id, n)
     CROSS JOIN LATERAL (
           (SELECT s.first_seq AS seq FROM oc_state s
             WHERE s.kind = 'SESSION' AND s.actor_id = k.id AND s.ledger = $1 AND s.on_behalf_of_id IS NULL
             ORDER BY s.first_seq DESC LIMIT ${MAX_STARTS})
           UNION ALL SELECT oc_last_seen($1, 'actor_id', k.id)
           UNION ALL SELECT oc_last_seen($1, 'on_behalf_of_id', k.id)) p
     WHERE p.seq IS NOT NULL`,
};

export interface KnownPeopleOptions {
  readonly projections: Reading | ReadingWithCopies;
  readonly db: Queryable;
  readonly isSigned: IsSigned;
  readonly ledgers: Pick<Ledgers, "damaged">;
}

interface Key {
  readonly organization: Organization;
  readonly id: string;
}

export function createKnownPeople({ projections, db, isSigned, ledgers }: KnownPeopleOptions): KnownPeople {
  const read = async (organization: Organization, ids: readonly string[]) => {
    try {
      const home = () => readAddresses(db, isSigned, organization, ids);
      if (!("copies" in projections)) return await home();
      return await projections.either(home, () => addressesInCopies(projections.copies, isSigned, organization, ids));
    } catch (error) {
      throw error instanceof LedgerDamagedError ? ledgers.damaged(error) : error;
    }
  };

  // Lists ask for the people of many actions in one turn.
  const loader = new DataLoader<Key, readonly Address[]>(
    async (keys) => {
      const found = new Map<Organization, Promise<ReadonlyMap<string, readonly Address[]>>>();
      for (const [organization, all] of Map.groupBy(keys, (key) => key.organization)) {
        found.set(organization, read(organization, [...new Set(all.map(({ id }) => id))]));
      }
      return Promise.all(
        keys.map(async ({ organization, id }) => {
          const known = await found.get(organization)?.catch((error: Error) => error);
          return known instanceof Error ? known : (known?.get(id) ?? []);
        }),
      );
    },
    { cache: false, maxBatchSize: MAX_PEOPLE },
  );

  return {
    async refresh(name) {
      await projections.refresh(await projections.open(name));
    },
    async people(name, people, since) {
      const organization = await projections.open(name);
      const asked = [...Map.groupBy(people.flatMap(peopleBehind), ({ id }) => id)];
      const recorded = await Promise.all(asked.map(([id]) => loader.load({ organization, id })));
      const known = new Map(
        asked.map(([id, told], at) => [id, [...told.flatMap(addressOf), ...(recorded[at] ?? [])]] as const),
      );
      return createPeople((id) => known.get(id) ?? [], organization.foldingsSince(since));
    },
  };
}

/** Where the directory tells of people. */
type Told = Pick<Organization, "ledger" | "changedAt"> & {
  readonly principals: ReadonlyMap<string, Pick<DirectoryRecord<unknown>, "updatedSeq">>;
};

/** The addresses that copies have of people, and those that the ledgers of other regions last saw them with. Throws LedgerUnavailableError. */
async function addressesInCopies(
  copies: Copies,
  isSigned: IsSigned,
  organization: Organization,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Address[]>> {
  await copies.refresh(organization);
  // Of one that cannot be read either, nobody knows whom it has by which address: then nothing is decided.
  const seen = await Promise.all(
    copies.places().map(({ region, db, ledgers }) => {
      const told = { ledger: ledgerOf(organization.name, region), changedAt: new Map(), principals: new Map() };
      return readAddresses(db, isSigned, told, ids).catch((error) => {
        throw error instanceof LedgerDamagedError ? ledgers.damaged(error) : error;
      });
    }),
  );
  return new Map(
    ids.map((id) => {
      const { acted, about } = copies.personOf(organization, id);
      const copied = [acted, about].flatMap((entry) =>
        entry === undefined ? [] : addressesIn(entry, id, isSigned(entry)),
      );
      return [id, [...copied, ...seen.flatMap((one) => one.get(id) ?? [])]];
    }),
  );
}

async function readAddresses(
  db: Queryable,
  isSigned: IsSigned,
  organization: Told,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Address[]>> {
  const { ledger, changedAt, principals } = organization;
  const positions = new Map(
    ids.map((id) => [id, [changedAt.get(id), principals.get(id)?.updatedSeq].filter((seq) => seq !== undefined)]),
  );
  const query = db.query<{ n: number; seq: string }>({ ...SIGHTINGS, values: [ledger, ids] });
  for (const { n, seq } of (await withLedgerErrors(query)).rows) positions.get(ids[n - 1] ?? "")?.push(BigInt(seq));
  const entries = await readAll(db, ledger, new Set([...positions.values()].flat()));
  return new Map(
    [...positions].map(([id, seqs]) => [
      id,
      seqs.flatMap((seq) => {
        const entry = entries.get(seq);
        // Without it, nobody could tell which account is whose.
        if (entry === undefined) throw new LedgerDamagedError(ledger, `entry ${seq}, which names ${id}, is missing`);
        return addressesIn(entry, id, isSigned(entry));
      }),
    ]),
  );
}

async function readAll(db: Queryable, ledger: LedgerId, seqs: ReadonlySet<bigint>) {
  if (seqs.size === 0) return new Map<bigint, LedgerEntry>();
  const rows = await withLedgerErrors(readEntryRows(db, ledger, [...seqs]));
  return new Map(rows.map((row) => [BigInt(row.seq), provenEntry(ledger, row)]));
}

/** The addresses of person `id` in `entry`: who acted, acted for, or whom it is about. */
function addressesIn(entry: LedgerEntry, id: string, isSigned: boolean): readonly Address[] {
  try {
    provenFact(entry.ledger, entry);
  } catch (error) {
    // Others than servers can append what nobody can read: it says nothing of anybody.
    if (isSigned || !(error instanceof LedgerDamagedError)) throw error;
    return [];
  }
  const { onBehalfOf, ...actor } = actorOf(entry);
  const told = [actor, onBehalfOf].filter((one) => one?.id === id && one.kind === "HUMAN");
  const all = [...told, recordedProfile(entry, id)].flatMap((one) => (one === undefined ? [] : addressOf(one)));
  // An address in an unsigned entry can show that two are one person, and never that they are two.
  return all.map(({ email, isVerified }) => ({ email, isVerified: isVerified && isSigned }));
}
