/** The database's time, computed from its last known time and the time passed here since. */
export interface DatabaseClock {
  /** Sets the database's time, as just returned by a query. */
  observe(moment: Date): void;
  /** undefined until the first observation. */
  now(): Date | undefined;
}

/** Results arrive late, never early, so the largest offset is the best; one this much smaller means a clock was set. */
const SET_BACK_MS = 5_000;

/** `elapsed` returns milliseconds that never go backwards. This clock sets deadlines; the database's clock checks them. */
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
