import { asError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { readDirectoryChanges } from "../../ledger/directory-entries.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { Logger } from "../../log.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { checkLater, laterRows } from "./newest-rows.ts";
import { Organization } from "./organization.ts";
import { catchUp } from "./read-seen.ts";
import type { SeenPrincipals } from "./seen-principals.ts";

/** Milliseconds between two looks at the tables, however many notifications come. */
const LEAST_PAUSE = 250;
/** Milliseconds a list of those who were seen counts as new. */
const SEEN_FRESH_FOR = 1_000;
/** Milliseconds an organization is kept for without anybody of it calling. */
const IDLE_AFTER = 10 * 60_000;
/** Organizations kept at most, but for those with watchers: the least recently used is read again when it is needed. */
const MAX_KEPT = 1_000;

export interface ProjectionsOptions {
  readonly ledgers: Pick<Ledgers, "damaged">;
  /** Whether a server of this installation signed an entry. */
  readonly isSigned: IsSigned;
  readonly db: Queryable;
  readonly region: string;
  readonly log: Pick<Logger, "warn">;
  /** Seconds between two looks at the table though nothing was notified. */
  readonly pollSeconds: number;
  /** Seconds after which the directory must be read again before a call is accepted; if that fails, the call fails. */
  readonly staleSeconds: number;
}

/** How areas of the directory get at what was read. */
export interface Reading {
  /** The directory of an organization if it is in memory and recent enough to let somebody in. */
  current(name: string): Organization | undefined;
  /** The same, read now if it has to be. Throws LedgerUnavailableError. */
  open(name: string): Promise<Organization>;
  /** Reads what was committed before this call. Throws LedgerUnavailableError. */
  refresh(organization: Organization): Promise<void>;
  /** Brings the list of those who were seen up to date, unless it is. Throws LedgerUnavailableError. */
  see(organization: Organization): Promise<void>;
  /** Whether `see` would have something to do. */
  isBlind(organization: Organization): boolean;
  /** The same as `see` for those who cannot wait: what is known now is what they get. */
  seeSoon(organization: Organization): void;
}

/** The directories this process holds in memory, and what keeps them up to date. Nothing runs while there are none. */
export class Projections implements Reading {
  readonly #options: ProjectionsOptions;
  readonly #organizations = new Map<string, Organization>();
  readonly #loading = new Map<string, Promise<Organization>>();
  readonly #due = new Set<Organization>();
  /** Those whose rows were compared with what was read. */
  readonly #checked = new WeakSet<Organization>();
  readonly #refreshing = new Map<Organization, Promise<void>>();
  #poll: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #failing = false;
  #stopped = false;
  /** Called after ledgers were read. */
  onRead: () => void = () => undefined;
  /** Called when they could not be by the poll. */
  onUnread: (organizations: readonly Organization[], error: unknown) => void = () => undefined;

  constructor(options: ProjectionsOptions) {
    this.#options = options;
  }

  current(name: string): Organization | undefined {
    const organization = this.held(name);
    if (organization === undefined) return undefined;
    return performance.now() - organization.freshAt < this.#options.staleSeconds * 1000 ? organization : undefined;
  }

  /** The directory of `name` if it is in memory, however old. */
  held(name: string): Organization | undefined {
    const organization = this.#organizations.get(name);
    if (organization === undefined) return undefined;
    organization.usedAt = performance.now();
    // The least recently used comes first.
    this.#organizations.delete(name);
    this.#organizations.set(name, organization);
    return organization;
  }

  /** Keeps a directory that was not read from its ledger, and reads it from there as soon as it can be. */
  hold(organization: Organization): Organization {
    const { name } = organization;
    const known = this.#organizations.get(name);
    if (known === undefined) this.#keep(organization);
    return known ?? organization;
  }

  async open(name: string): Promise<Organization> {
    const current = this.current(name);
    if (current !== undefined) return current;
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(name).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  /** Calls of one turn of the event loop share what is read. */
  refresh(organization: Organization): Promise<void> {
    let due = this.#refreshing.get(organization);
    if (due === undefined) {
      due = new Promise<void>((resolve) => process.nextTick(resolve)).then(() => {
        // Whoever comes from now on may know of something later.
        this.#refreshing.delete(organization);
        return this.#look([organization]);
      });
      this.#refreshing.set(organization, due);
    }
    return due;
  }

  async see(organization: Organization): Promise<void> {
    const seen = organization.seenBy(organization.ledger);
    await this.seeIn(this.#options.db, seen);
    // Those whom another ledger saw stood in for them while this one could not be read.
    organization.seen = seen;
  }

  /** The same of the ledger that `seen` is of, which `db` has. */
  async seeIn(db: Queryable, seen: SeenPrincipals): Promise<void> {
    if (performance.now() - seen.freshAt < SEEN_FRESH_FOR) return;
    seen.look ??= this.#see(db, seen);
    await seen.look;
  }

  isBlind({ seen, ledger }: Organization): boolean {
    return seen.ledger !== ledger || performance.now() - seen.freshAt >= SEEN_FRESH_FOR;
  }

  seeSoon(organization: Organization): void {
    if (this.isBlind(organization) && !this.#stopped) this.see(organization).catch((error) => this.#warn(error));
  }

  /** Notifies watchers of a change. */
  notify({ watchers }: Organization): void {
    for (const watcher of [...watchers]) watcher();
  }

  /** `<ledger> <seq>`, as it is announced. */
  onNotify(payload: string): void {
    const [ledger = ""] = payload.split(" ", 1);
    const organization = this.#organizations.get(ledger.slice(0, Math.max(0, ledger.indexOf("/"))));
    if (organization?.ledger === ledger) this.#want([organization]);
  }

  /** Looks at everything soon. */
  wantAll(): void {
    this.#want(this.#organizations.values());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#poll);
    clearTimeout(this.#next);
    this.#poll = undefined;
    this.#next = undefined;
    await this.#looking;
  }

  async #load(name: string): Promise<Organization> {
    const organization = this.#organizations.get(name) ?? new Organization(name, this.#options.region);
    await this.#look([organization]);
    if (!this.#checked.has(organization)) await this.#checkEnd(organization);
    this.#checked.add(organization);
    const held = this.#organizations.get(name) ?? organization;
    // It was read from copies meanwhile.
    if (held !== organization) return this.#load(name);
    if (!this.#stopped) this.#keep(organization);
    return organization;
  }

  #keep(organization: Organization): void {
    const { name } = organization;
    this.#organizations.set(name, organization);
    if (this.#organizations.size > MAX_KEPT) this.#forgetOneBut(name);
    // What keeps a process alive is serving, not this.
    if (!this.#stopped) this.#poll ??= setInterval(() => this.#tick(), this.#options.pollSeconds * 1000).unref();
  }

  #forgetOneBut(kept: string): void {
    for (const [name, { watchers }] of this.#organizations) {
      if (name === kept || watchers.size > 0) continue;
      this.#organizations.delete(name);
      return;
    }
  }

  #tick(): void {
    const now = performance.now();
    for (const [name, { watchers, usedAt }] of this.#organizations) {
      if (watchers.size === 0 && now - usedAt > IDLE_AFTER) this.#organizations.delete(name);
    }
    if (this.#organizations.size === 0) {
      clearInterval(this.#poll);
      this.#poll = undefined;
    }
    this.wantAll();
  }

  #want(organizations: Iterable<Organization>): void {
    for (const organization of organizations) this.#due.add(organization);
    if (this.#stopped || this.#due.size === 0 || this.#next !== undefined || this.#looking !== undefined) return;
    const wait = Math.max(0, this.#lookedAt + LEAST_PAUSE - performance.now());
    this.#next = setTimeout(() => {
      this.#next = undefined;
      this.#looking = this.#lookAtDue().finally(() => {
        this.#looking = undefined;
        this.#want([]);
      });
    }, wait).unref();
  }

  async #lookAtDue(): Promise<void> {
    const due = [...this.#due];
    this.#due.clear();
    this.#lookedAt = performance.now();
    try {
      await this.#look(due);
      this.#failing = false;
    } catch (error) {
      // The poll retries; once the directory is stale, calls fail.
      if (!this.#failing) this.#warn(error);
      this.#failing = true;
      this.onUnread(due, error);
    }
  }

  /** A damaged directory fails the call after the others were read. Throws LedgerUnavailableError. */
  async #look(organizations: readonly Organization[]): Promise<void> {
    const damaged = new Map<LedgerId, LedgerDamagedError>();
    for (let left = organizations; left.length > 0; ) {
      try {
        await this.#read(left);
        break;
      } catch (error) {
        if (!(error instanceof LedgerDamagedError) || damaged.has(error.ledger)) throw error;
        damaged.set(error.ledger, this.#options.ledgers.damaged(error));
        left = left.filter(({ ledger }) => !damaged.has(ledger));
      }
    }
    for (const error of damaged.values()) throw error;
  }

  async #read(organizations: readonly Organization[]): Promise<void> {
    const began = performance.now();
    const byLedger = new Map<LedgerId, Organization>(organizations.map((one) => [one.ledger, one]));
    const since = organizations.map(({ ledger, position }) => ({ ledger, after: position }));
    const startedAt = new Map(since.map(({ ledger, after }) => [ledger, after]));
    const changed = new Set<Organization>();
    try {
      for await (const { ledger, entries, upTo } of readDirectoryChanges(this.#options.db, since)) {
        const organization = byLedger.get(ledger);
        if (organization === undefined) continue;
        if (upTo < (startedAt.get(ledger) ?? 0n)) throw rolledBack(organization, upTo);
        for (const entry of entries) {
          if (!this.#options.isSigned(entry)) {
            throw new LedgerDamagedError(ledger, `no server signed entry ${entry.seq}, which changes the directory`);
          }
          if (organization.replay(entry)) changed.add(organization);
        }
        if (upTo > organization.position) organization.position = upTo;
      }
    } catch (error) {
      if (error instanceof LedgerDamagedError) throw error;
      await withLedgerErrors(Promise.reject(error));
    } finally {
      // What was applied before a failure holds: it is not applied, and not told, a second time.
      for (const organization of changed) this.notify(organization);
    }
    for (const organization of organizations) organization.freshAt = Math.max(organization.freshAt, began);
    this.onRead();
  }

  /** Compares an organization that was read from its entries with the versions of its rows. Throws LedgerUnavailableError. */
  async #checkEnd(organization: Organization): Promise<void> {
    const later = await laterRows(this.#options.db, organization);
    if (later.length === 0) return;
    // They may have been recorded in between.
    await this.#look([organization]);
    try {
      await checkLater(this.#options.db, organization, later);
    } catch (error) {
      throw error instanceof LedgerDamagedError ? this.#options.ledgers.damaged(error) : error;
    }
  }

  async #see(db: Queryable, seen: SeenPrincipals): Promise<void> {
    const began = performance.now();
    try {
      await catchUp(db, seen);
      seen.freshAt = began;
    } finally {
      seen.look = undefined;
    }
  }

  #warn(error: unknown): void {
    this.#options.log.warn({ err: asError(error) }, "the directory could not be read and will be read again");
  }
}

/**
 * The ledger ends before what was read of it: entries are gone. What they said stays in force here, and everything is read anew
 * from the beginning, because new entries may have their positions.
 */
function rolledBack(organization: Organization, end: bigint): LedgerDamagedError {
  const { ledger, position } = organization;
  organization.position = 0n;
  return new LedgerDamagedError(ledger, `it ends at ${end}, and its directory was read up to ${position}`);
}
