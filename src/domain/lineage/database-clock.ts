/** The database's time, told from what it answered last and the time passed here since. */
export interface DatabaseClock {
  /** The database said it was `moment` just now. */
  observe(moment: Date): void;
  /** undefined until the first observation. */
  now(): Date | undefined;
}

/** Answers arrive late, never early, so the largest offset seen is the best; one this far behind means a clock was set. */
const SET_BACK_MS = 5_000;

/** `elapsed` gives milliseconds that never go backwards. Deadlines are set by this clock and judged by the database's. */
export function createDatabaseClock(elapsed: () => number = () => performance.now()): DatabaseClock {
  let offset: number | undefined;
  return {
    observe(moment) {
      const seen = moment.getTime() - elapsed();
      if (offset === undefined || seen > offset || seen < offset - SET_BACK_MS) offset = seen;
    },
    now: () => (offset === undefined ? undefined : new Date(Math.floor(elapsed() + offset))),
  };
}
