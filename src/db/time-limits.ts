/** How long the database may take, by what it is asked for; milliseconds. Each is kept here as well: see `createPool`. */
export interface TimeLimits {
  /** A transaction that appends, from when it has a connection. */
  readonly append: number;
  /** The wait of such a transaction for a head that somebody else has locked. */
  readonly headLock: number;
  /** A statement that reads for a decision, a query or a subscription. */
  readonly read: number;
  /** All reads of one snapshot together. */
  readonly snapshot: number;
  /** A statement of a job. */
  readonly job: number;
  /** A statement of a readiness check. */
  readonly readiness: number;
}

export const TIME_LIMITS: TimeLimits = {
  append: 5_000,
  headLock: 2_000,
  read: 10_000,
  snapshot: 30_000,
  job: 60_000,
  readiness: 2_000,
};
