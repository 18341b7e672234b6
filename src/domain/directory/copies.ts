import { hash } from "node:crypto";
import { type CopiedEntry, HOME_COPY_ID } from "../../facts/areas/regions.ts";
import { factOfType, stateIn } from "../../facts/decode.ts";
import { type LedgerEntry, type LedgerId, ledgerOf, parseEntry } from "../../facts/entry.ts";
import { readDirectoryChanges } from "../../ledger/directory-entries.ts";
import { LedgerDamagedError, LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenFact } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import { readStates } from "../../ledger/states.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { SignIn } from "./last-sign-in.ts";
import type { Organization } from "./organization.ts";

/** A region beside the home region: its ledgers have copies of what the home ledgers say of whole organizations. */
export interface CopyPlace {
  readonly region: string;
  readonly db: Queryable;
  readonly ledgers: Pick<Ledgers, "damaged">;
  /**
   * Copies what the home region has of one organization now, whether or not it has a ledger here. Throws LedgerUnavailableError. Undefined:
   * organizations are copied where they have a ledger, and no others.
   */
  readonly copy?: ((organization: string) => Promise<void>) | undefined;
}

export interface CopiesOptions {
  /** Those that were reached since the server began. */
  readonly places: () => readonly CopyPlace[];
  readonly isSigned: IsSigned;
  /** Milliseconds for which copies are used after the home ledger was last read. */
  readonly maxAge: number;
}

/** Kinds of states that are copied beside those of the directory. */
export type CopiedKind = "CHANNEL" | "ACCOUNT";

/** The latest copied entry that a person made, and the latest that is about them. */
export interface CopiedPerson {
  readonly acted?: LedgerEntry | undefined;
  readonly about?: LedgerEntry | undefined;
}

/** How far the copies in one ledger were read. */
interface Progress {
  position: bigint;
  version: number;
  /** Up to where the home ledger is copied. */
  home: bigint;
  /** When the latest of them was recorded, in milliseconds since the epoch. */
  recordedAt: number;
}

/** What was read of one organization. */
interface Read {
  readonly progress: Map<string, Progress>;
  readonly people: Map<string, CopiedPerson>;
  /** The latest entry about each thing, by its id. */
  readonly things: Readonly<Record<CopiedKind, Map<string, LedgerEntry>>>;
  /** Where the latest copy is. */
  place: CopyPlace | undefined;
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

/** Reads the directories of organizations from copies in the ledgers of other regions. */
export class Copies {
  readonly #options: CopiesOptions;
  readonly #read = new WeakMap<Organization, Read>();

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /**
   * Takes in what was copied before this call, beside what `organization` has already. Throws LedgerUnavailableError where there is no
   * copy, or none that is recent enough, and LedgerDamagedError for copies that are not what was recorded.
   */
  refresh(organization: Organization): Promise<void> {
    const read = this.#readOf(organization);
    if (read.running === undefined && read.next === undefined) return this.#begin(organization, read);
    // What runs may be past what was copied since.
    read.next ??= (read.running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        read.next = undefined;
        return this.#begin(organization, read);
      });
    return read.next;
  }

  #begin(organization: Organization, read: Read): Promise<void> {
    const running = this.#refresh(organization, read).finally(() => {
      if (read.running === running) read.running = undefined;
    });
    read.running = running;
    return running;
  }

  /** Where the latest copy was found; undefined before `refresh`. */
  placeOf(organization: Organization): CopyPlace | undefined {
    return this.#readOf(organization).place;
  }

  places(): readonly CopyPlace[] {
    return this.#options.places();
  }

  personOf(organization: Organization, id: string): CopiedPerson {
    return this.#readOf(organization).people.get(id) ?? {};
  }

  latestOf(organization: Organization, kind: CopiedKind): ReadonlyMap<string, LedgerEntry> {
    return this.#readOf(organization).things[kind];
  }

  /** Person `id` as they last signed in, or made another entry that was copied; undefined: none was, or their profile is gone. */
  signInOf(organization: Organization, id: string): SignIn | undefined {
    const { acted: entry } = this.personOf(organization, id);
    if (entry === undefined) return undefined;
    const { withheld, ...principal } = actorOf(entry);
    return withheld === undefined ? { principal, entry } : undefined;
  }

  #readOf(organization: Organization): Read {
    let read = this.#read.get(organization);
    if (read === undefined) {
      const things = { CHANNEL: new Map(), ACCOUNT: new Map() };
      read = { progress: new Map(), people: new Map(), things, place: undefined, running: undefined, next: undefined };
      this.#read.set(organization, read);
    }
    return read;
  }

  async #refresh(organization: Organization, read: Read, isAgain = this.#options.maxAge === 0): Promise<void> {
    const places = this.#options.places();
    const results = await Promise.allSettled(places.map((place) => this.#readPlace(organization, read, place)));
    const failures = results.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    const damage = failures.find((error) => !isOutage(error));
    if (damage !== undefined) throw damage;
    const reached = places.filter((_, at) => results[at]?.status === "fulfilled");
    const ageOf = ({ region }: CopyPlace) => Date.now() - (read.progress.get(region)?.recordedAt ?? 0);
    const [latest] = reached.toSorted((a, b) => ageOf(a) - ageOf(b));
    if (latest === undefined || ageOf(latest) > this.#options.maxAge) {
      const [place] = reached;
      if (place?.copy === undefined || isAgain) throw noCopy(organization);
      // The organization is new to the region.
      await place.copy(organization.name);
      return this.#refresh(organization, read, true);
    }
    read.place = latest;
  }

  async #readPlace(organization: Organization, read: Read, place: CopyPlace): Promise<void> {
    const ledger = ledgerOf(organization.name, place.region);
    const progress = read.progress.get(place.region) ?? { position: 0n, version: 0, home: 0n, recordedAt: 0 };
    read.progress.set(place.region, progress);
    try {
      const isFirst = progress.version === 0;
      await this.#take(organization, read, ledger, place, progress);
      if (!isFirst) return;
      // The latest copy may have been removed, or not be found by its type: its row in oc_state names it.
      const version = await versionOf(place.db, ledger);
      if (version <= progress.version) return;
      await this.#take(organization, read, ledger, place, progress);
      if (version <= progress.version) return;
      throw new LedgerDamagedError(
        ledger,
        `oc_state has version ${version} of HOME_COPY, and no entry of copies makes it`,
      );
    } catch (error) {
      throw error instanceof LedgerDamagedError ? place.ledgers.damaged(error) : error;
    }
  }

  async #take(
    organization: Organization,
    read: Read,
    ledger: LedgerId,
    place: CopyPlace,
    progress: Progress,
  ): Promise<void> {
    const { db } = place;
    const since = [{ ledger, after: progress.position }];
    try {
      for await (const { entries, upTo } of readDirectoryChanges(db, since)) {
        const copies = entries.filter(({ type }) => type === "HOME_COPIED");
        const rows = await readEntryRows(
          db,
          ledger,
          copies.map(({ seq }) => seq),
        );
        if (rows.length < copies.length) throw new LedgerDamagedError(ledger, "an entry with copies is missing");
        if (upTo < progress.position) {
          // The ledger is an earlier state of itself: it is read from its beginning.
          Object.assign(progress, { position: 0n, version: 0, home: 0n });
          return await this.#take(organization, read, ledger, place, progress);
        }
        for (const row of rows) {
          this.#apply(organization, read, provenEntry(ledger, row), progress);
          progress.position = BigInt(row.seq);
        }
        progress.position = upTo;
      }
    } catch (error) {
      if (error instanceof LedgerDamagedError) throw error;
      await withLedgerErrors(Promise.reject(error));
    }
  }

  /** Takes one copy in. Throws LedgerDamagedError for one that is not the next, or not what was recorded. */
  #apply(organization: Organization, read: Read, copied: LedgerEntry, progress: Progress): void {
    const { ledger, seq } = copied;
    const { isSigned } = this.#options;
    provenFact(ledger, copied);
    const { home, copies } = factOfType(copied, "HOME_COPIED");
    const version = stateIn(copied, "HOME_COPY", HOME_COPY_ID)?.version;
    if (!isSigned(copied)) throw new LedgerDamagedError(ledger, `no server signed entry ${seq}, which has copies`);
    if (version !== progress.version + 1) {
      throw new LedgerDamagedError(
        ledger,
        `entry ${seq} is version ${version} of HOME_COPY, after ${progress.version}`,
      );
    }
    if (home.after !== String(progress.home)) {
      throw new LedgerDamagedError(
        ledger,
        `the copies of entry ${seq} begin behind ${home.after}, after those up to ${progress.home}`,
      );
    }
    if (!Array.isArray(copies) || home.ledger !== organization.ledger) {
      throw new LedgerDamagedError(ledger, `the copies of entry ${seq} are not those that were recorded`);
    }
    for (const one of copies as readonly CopiedEntry[]) {
      const entry = originalOf(organization.ledger, one);
      if (!isSigned(entry)) throw new LedgerDamagedError(ledger, `entry ${seq} has a copy that no server signed`);
      organization.replay(entry);
      remember(read.people, entry);
      note(read.things, entry);
    }
    const upTo = BigInt(home.seq);
    if (upTo > organization.position) organization.position = upTo;
    progress.version = version;
    progress.home = upTo;
    progress.recordedAt = Date.parse(copied.recordedAt);
  }
}

/** The entry of the home ledger that a copy is of. Throws LedgerDamagedError. */
function originalOf(ledger: LedgerId, { entry, payload }: CopiedEntry): LedgerEntry {
  let seq: bigint;
  try {
    seq = parseEntry(entry).seq;
  } catch (cause) {
    throw new LedgerDamagedError(ledger, "a copy of one of its entries cannot be read", cause);
  }
  return provenEntry(ledger, { seq: String(seq), entry, hash: hash("sha256", entry), payload });
}

function remember(people: Map<string, CopiedPerson>, entry: LedgerEntry): void {
  const fact = provenFact(entry.ledger, entry);
  const { actor, onBehalfOf } = fact;
  const isNewer = (than: LedgerEntry | undefined) => than === undefined || than.seq < entry.seq;
  if (actor.kind === "HUMAN" && onBehalfOf === undefined) {
    const known = people.get(actor.id) ?? {};
    if (isNewer(known.acted)) people.set(actor.id, { ...known, acted: entry });
  }
  if (!("subject" in fact)) return;
  const known = people.get(fact.subject.id) ?? {};
  if (isNewer(known.about)) people.set(fact.subject.id, { ...known, about: entry });
}

function note(things: Read["things"], entry: LedgerEntry): void {
  const fact = provenFact(entry.ledger, entry);
  for (const { kind, id } of "states" in fact ? (fact.states ?? []) : []) {
    if (kind !== "CHANNEL" && kind !== "ACCOUNT") continue;
    const known = things[kind].get(id);
    if (known === undefined || known.seq < entry.seq) things[kind].set(id, entry);
  }
}

async function versionOf(db: Queryable, ledger: LedgerId): Promise<number> {
  const [row] = await withLedgerErrors(readStates(db, ledger, "HOME_COPY", [HOME_COPY_ID]));
  return row === undefined ? 0 : (stateIn(row.latest, "HOME_COPY", HOME_COPY_ID)?.version ?? 0);
}

/** Whether `error` says no more than that something cannot be read now. */
export function isOutage(error: unknown): boolean {
  return error instanceof LedgerUnavailableError && !(error instanceof LedgerDamagedError);
}

function noCopy({ ledger }: Organization): LedgerUnavailableError {
  return new LedgerUnavailableError(
    `ledger ${ledger} cannot be read now, and no other region has a copy that may be worked under; nothing was recorded`,
    5,
  );
}
