import { classify } from "../db/errors.ts";
import { assertMilliseconds } from "../db/time-limits.ts";
import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { announcedLedger } from "./ledger-id.ts";
import { type EntryPage, type Queryable, readEntryPage } from "./read.ts";

/** Consecutive entries, oldest first; or that the consumer had nothing to pass on for `idleSeconds`. */
export type Followed = readonly LedgerEntry[] | "idle";

export interface Follower {
  /**
   * The entries of a ledger behind position `after`, and then each one as it is committed: in order, without a gap, none
   * twice. Ends when `signal` aborts. Waits while the database is away; rejects when reading fails for another reason.
   *
   * Nothing is started before the first `next()`, nothing is read ahead of the consumer (a page holds at most
   * `PAGE_ENTRIES`), and nothing is left behind when the iteration ends.
   *
   * @param usedAt returns when the consumer last used an entry, by `performance.now()`; undefined: not yet. Idle time counts
   *   from there, whatever entries arrive that it does not use. Omitted: every entry counts as used.
   */
  follow(
    ledger: LedgerId,
    after: bigint,
    signal: AbortSignal,
    usedAt?: () => number | undefined,
  ): AsyncIterable<Followed>;
  /** Iterations that run, over all ledgers. */
  following(): number;
  /** Give these two to the listener on the channel of announcements; the payload is `<ledger> <seq>`, and anything else is ignored. */
  readonly onNotify: (payload: string) => void;
  readonly onReconnect: () => void;
}

export interface FollowerOptions {
  readonly pool: Queryable;
  /** Seconds after which the table is read without a notification. */
  readonly pollSeconds?: number;
  /** Seconds without a used entry after which an iteration yields "idle". */
  readonly idleSeconds?: number;
}

/**
 * Follows ledgers for any number of consumers in this process. Entries come from the table; notifications, which PostgreSQL
 * may lose, and a poll only trigger reading it. Consumers that read one ledger from the same position share the query. Throws
 * RangeError for times that are no numbers of seconds.
 */
export function createFollower({ pool, pollSeconds = 5, idleSeconds = 15 }: FollowerOptions): Follower {
  assertMilliseconds({ poll: pollSeconds * 1_000, idle: idleSeconds * 1_000 });
  const tips = new Map<LedgerId, Tip>();

  async function* run(
    ledger: LedgerId,
    after: bigint,
    signal: AbortSignal,
    usedAt: (() => number | undefined) | undefined,
  ): AsyncGenerator<Followed, void> {
    const tip = tips.get(ledger) ?? new Tip(pool, ledger, pollSeconds * 1000);
    tips.set(ledger, tip);
    tip.join();
    try {
      yield* followTip(tip, after, idleSeconds * 1000, signal, usedAt);
    } finally {
      if (tip.leave()) tips.delete(ledger);
    }
  }

  return {
    follow: (ledger, after, signal, usedAt) => ({
      [Symbol.asyncIterator]: () =>
        interruptible((ended) => run(ledger, after, AbortSignal.any([signal, ended]), usedAt)),
    }),
    following: () => [...tips.values()].reduce((sum, tip) => sum + tip.followers, 0),
    onNotify(payload) {
      const ledger = announcedLedger(payload);
      if (ledger !== undefined) tips.get(ledger)?.wake();
    },
    onReconnect() {
      for (const tip of tips.values()) tip.wake();
    },
  };
}

async function* followTip(
  tip: Tip,
  after: bigint,
  idleMilliseconds: number,
  signal: AbortSignal,
  usedAt: (() => number | undefined) | undefined,
): AsyncGenerator<Followed, void> {
  let cursor = after;
  let quietSince = performance.now();
  const untilIdle = () => Math.max(quietSince, usedAt?.() ?? 0) + idleMilliseconds - performance.now();
  while (!signal.aborted) {
    // What is committed after this look wakes the tip after it, too: then `seen` is out of date and nobody sleeps.
    const seen = tip.wakes;
    const page = await unlessAborted(tip.read(cursor), signal);
    const newest = page?.entries.at(-1);
    if (page !== undefined && newest !== undefined) {
      yield page.entries;
      cursor = newest.seq;
      if (usedAt === undefined) quietSince = performance.now();
    }
    if (page?.more !== true || untilIdle() <= 0) await tip.wait(seen, Math.max(0, untilIdle()), signal);
    // Timers may fire a moment early.
    if (signal.aborted || untilIdle() > 0) continue;
    yield "idle";
    quietSince = performance.now();
  }
}

/** Where one ledger ends, for those of this process who wait for it to grow. */
class Tip {
  /** Counts the reasons to look at the table. */
  wakes = 0;
  followers = 0;
  readonly #pool: Queryable;
  readonly #ledger: LedgerId;
  readonly #pollMilliseconds: number;
  readonly #waiting = new Set<() => void>();
  readonly #looks = new Map<bigint, { readonly wakes: number; readonly page: Promise<EntryPage> }>();
  #poll: NodeJS.Timeout | undefined;

  constructor(pool: Queryable, ledger: LedgerId, pollMilliseconds: number) {
    this.#pool = pool;
    this.#ledger = ledger;
    this.#pollMilliseconds = pollMilliseconds;
  }

  join(): void {
    this.followers += 1;
    this.#poll ??= setInterval(() => this.wake(), this.#pollMilliseconds);
  }

  /** Returns whether that was the last follower. */
  leave(): boolean {
    this.followers -= 1;
    if (this.followers > 0) return false;
    clearInterval(this.#poll);
    return true;
  }

  wake(): void {
    this.wakes += 1;
    for (const resume of this.#waiting) resume();
  }

  /** The entries after `after`; none while the database is unavailable: the next wake or poll retries. */
  async read(after: bigint): Promise<EntryPage> {
    try {
      return await this.#look(after);
    } catch (error) {
      const meaning = classify(error);
      if (meaning === "unavailable" || meaning === "timeout" || meaning === "conflict") {
        return { entries: [], more: false };
      }
      throw error;
    }
  }

  #look(after: bigint): Promise<EntryPage> {
    // A look that began before the latest wake may have missed what the wake is about.
    const shared = this.#looks.get(after);
    if (shared?.wakes === this.wakes) return shared.page;
    const look = { wakes: this.wakes, page: readEntryPage(this.#pool, this.#ledger, after) };
    const forget = () => {
      if (this.#looks.get(after) === look) this.#looks.delete(after);
    };
    look.page.then(forget, forget);
    this.#looks.set(after, look);
    return look.page;
  }

  /** Resolves at a wake (at once if one came after `seen`), after `milliseconds`, or when aborted. */
  wait(seen: number, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.wakes !== seen || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#waiting.add(end);
      signal.addEventListener("abort", end);
    });
  }
}

/** The outcome of `work`, or undefined as soon as `signal` aborts, whatever then becomes of the work. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const give = () => resolve(undefined);
    const settled = () => signal.removeEventListener("abort", give);
    signal.addEventListener("abort", give);
    work.then(resolve, reject).then(settled);
  });
}

/**
 * A generator's own `return()` waits for the `next()` under way, which here may take as long as the ledger is quiet. This
 * one ends it at once.
 */
function interruptible<T>(start: (ended: AbortSignal) => AsyncGenerator<T, void>): AsyncIterator<T, void> {
  const ended = new AbortController();
  const generator = start(ended.signal);
  return {
    next: () => generator.next(),
    return() {
      ended.abort();
      return generator.return();
    },
    throw(error) {
      ended.abort();
      return generator.throw(error);
    },
  };
}
