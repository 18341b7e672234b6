/** How long the database may take, by what it is asked for. Each is kept here as well: see `createPool`. */
export interface TimeLimits {
  /** A transaction that appends, from when it has a connection. */
  readonly appendMs: number;
  /** The wait of such a transaction for a head that somebody else has locked. */
  readonly headLockMs: number;
  /** A statement that reads for a decision, a query or a subscription. */
  readonly readMs: number;
  /** The same of a query that searches, walks or exports. */
  readonly searchMs: number;
  /** All reads of one snapshot together. */
  readonly snapshotMs: number;
  /** A statement of a job. */
  readonly jobMs: number;
  /** A statement of a readiness check. */
  readonly readinessMs: number;
}

/** Milliseconds that PostgreSQL and timers of Node can take at most. */
const MOST_MS = 2 ** 31 - 1;

/**
 * Throws RangeError unless each of `limits`, by its name, is a number of milliseconds from 0 to 24 days: PostgreSQL and Node take
 * others for something else, or for no limit at all.
 */
export function assertMilliseconds(limits: Readonly<Record<string, number>>): void {
  for (const [name, limit] of Object.entries(limits)) {
    if (!(limit >= 0 && limit <= MOST_MS))
      throw new RangeError(`${name} is ${limit}, which is no number of milliseconds`);
  }
}

export const TIME_LIMITS: TimeLimits = {
  appendMs: 5_000,
  headLockMs: 2_000,
  readMs: 10_000,
  searchMs: 10_000,
  snapshotMs: 30_000,
  jobMs: 60_000,
  readinessMs: 2_000,
};
