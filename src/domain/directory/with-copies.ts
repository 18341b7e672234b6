import { ledgerOf } from "../../facts/entry.ts";
import { LedgerDamagedError, LedgerUnavailableError } from "../../ledger/errors.ts";
import { isUnreachable } from "../ledger-errors.ts";
import { type Copies, isOutage } from "./copies.ts";
import { Organization } from "./organization.ts";
import type { Projections, Reading } from "./projections.ts";

/** The home ledgers, or where they cannot be read the copies of them that other regions have. */
export interface ReadingWithCopies extends Reading {
  readonly copies: Copies;
  /** Whether the home ledgers could not be read when that was tried last. */
  isDown(): boolean;
  /** The result of `home`; or that of `copied` where the home ledgers cannot be read. */
  either<Result>(home: () => Promise<Result>, copied: () => Promise<Result>): Promise<Result>;
}

export interface WithCopiesOptions {
  readonly projections: Projections;
  readonly copies: Copies;
  /** The home region. */
  readonly region: string;
  /** Seconds after which copies must be read again before a call is accepted. */
  readonly staleSeconds: number;
}

/**
 * What other regions read of directories, and what callers are admitted by: while the home ledgers cannot be read, what copies say, as far
 * as that is behind what was read before. Whether they can be read again is found out by the poll, so that nobody waits for that meanwhile.
 */
export function createReadingWithCopies(options: WithCopiesOptions): ReadingWithCopies {
  const { projections, copies, region, staleSeconds } = options;
  /** When copies of an organization were read last, by `performance.now()`. */
  const readAt = new WeakMap<Organization, number>();
  const underWay = new Map<string, Promise<Organization>>();
  let isDown = false;
  let lastRead = Number.NEGATIVE_INFINITY;

  async function either<Result>(home: () => Promise<Result>, copied: () => Promise<Result>): Promise<Result> {
    if (copies.places().length === 0) return home();
    const first = isDown ? copied : home;
    const began = performance.now();
    try {
      return await first();
    } catch (error) {
      if (first === copied) {
        if (!isOutage(error)) throw error;
        const result = await home();
        isDown = false;
        return result;
      }
      // A call that began before the last successful read does not show the current state.
      if (!isUnreachable(error) || began < lastRead) throw error;
      isDown = true;
      // Why the home ledger cannot be read says more than that there is no copy.
      return copied().catch((none) => {
        throw isOutage(none) ? error : none;
      });
    }
  }

  async function readCopies(organization: Organization): Promise<void> {
    const began = performance.now();
    const { generation } = organization;
    try {
      await copies.refresh(organization);
    } finally {
      if (organization.generation !== generation) projections.notify(organization);
    }
    readAt.set(organization, began);
  }

  /** Calls that come while an organization is read share what is found. */
  function openCopy(name: string): Promise<Organization> {
    let opening = underWay.get(name);
    if (opening === undefined) {
      opening = openNew(name).finally(() => underWay.delete(name));
      underWay.set(name, opening);
    }
    return opening;
  }

  async function openNew(name: string): Promise<Organization> {
    const held = projections.held(name);
    const organization = held ?? new Organization(name, region);
    await readCopies(organization);
    const kept = projections.hold(organization);
    if (kept !== organization) await readCopies(kept);
    return kept;
  }

  async function seeInCopies(organization: Organization): Promise<void> {
    // Whom the home ledger saw is known, up to when it could be read.
    const atHome = organization.seenBy(organization.ledger);
    if (atHome.position !== undefined) {
      atHome.freshAt = performance.now();
      organization.seen = atHome;
      return;
    }
    const place = copies.placeOf(organization);
    if (place === undefined) throw unseen(organization);
    const seen = organization.seenBy(ledgerOf(organization.name, place.region));
    await projections.seeIn(place.db, seen);
    organization.seen = seen;
  }

  const reading: ReadingWithCopies = {
    copies,
    isDown: () => isDown,
    either,
    current(name) {
      const current = projections.current(name);
      if (current !== undefined || !isDown) return current;
      const held = projections.held(name);
      if (held === undefined) return undefined;
      const age = performance.now() - (readAt.get(held) ?? Number.NEGATIVE_INFINITY);
      return age < staleSeconds * 1_000 ? held : undefined;
    },
    async open(name) {
      const current = reading.current(name);
      return (
        current ??
        either(
          () => projections.open(name),
          () => openCopy(name),
        )
      );
    },
    refresh: (organization) =>
      either(
        () => projections.refresh(organization),
        () => readCopies(organization),
      ),
    see: (organization) =>
      either(
        () => projections.see(organization),
        () => seeInCopies(organization),
      ),
    isBlind: (organization) => projections.isBlind(organization),
    seeSoon: (organization) => void reading.see(organization).catch(() => undefined),
  };

  projections.onRead = () => {
    isDown = false;
    lastRead = performance.now();
  };
  projections.onUnread = (organizations, error) => {
    // The database was read, and the ledger is damaged.
    if (error instanceof LedgerDamagedError) isDown = false;
    if (copies.places().length === 0 || !isUnreachable(error)) return;
    isDown = true;
    // Watchers of open connections are notified of changes in copies.
    for (const organization of organizations) readCopies(organization).catch(() => undefined);
  };
  return reading;
}

function unseen({ ledger }: Organization): LedgerUnavailableError {
  return new LedgerUnavailableError(`whom ledger ${ledger} saw cannot be read now; nothing was recorded`, 5);
}
