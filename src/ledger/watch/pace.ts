import { rest as restFor } from "./rest.ts";

/** Does one piece of work at a time, so that over time all of it takes no more than a share of one core. */
export interface Pace {
  /** Does `work` once it is its turn. Rejects with what it threw, or with the reason of the signal. */
  take<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Counts so many milliseconds of work that was done outside of a turn: the next turns come later for it. */
  charge(milliseconds: number): void;
  /** Milliseconds of work done so far. */
  spent(): number;
}

/** Milliseconds of work that may be done at once after a long rest. */
const BURST = 2_000;

/**
 * Milliseconds of work that are made up for by rest: one piece that took long, perhaps because it waited, does not keep all others
 * waiting for hours.
 */
const MOST_DEBT = 30_000;

/** How time passes: replaced by tests. */
export interface Time {
  readonly now: () => number;
  readonly rest: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const TIME: Time = {
  now: () => performance.now(),
  rest: restFor,
};

/**
 * @param share of the time, from 0 to 1. Time is what passes while work is done: at most one core is busy with it here, and the
 *   database, which works meanwhile, is counted by that as well.
 */
export function createPace(share: number, signal: AbortSignal, { now, rest }: Time = TIME): Pace {
  let credit = BURST;
  let counted = now();
  let spent = 0;
  let last: Promise<unknown> = Promise.resolve();

  function charge(milliseconds: number): void {
    spent += milliseconds;
    credit -= milliseconds;
  }

  async function turn<Result>(work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted();
    credit = Math.max(-MOST_DEBT, Math.min(BURST, credit + (now() - counted) * share));
    counted = now();
    if (credit < 0) await rest(-credit / share, signal);
    const began = now();
    try {
      return await work();
    } finally {
      charge(now() - began);
    }
  }

  return {
    take(work) {
      const taken = last.then(() => turn(work));
      last = taken.catch(() => undefined);
      return taken;
    },
    charge,
    spent: () => spent,
  };
}
