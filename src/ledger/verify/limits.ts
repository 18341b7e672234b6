/** Entries one statement checks: enough to make its cost that of the entries, few enough to keep memory flat. */
export const RANGE_SIZE = 10_000n;

/** Connections a verification uses unless told otherwise. */
export const DEFAULT_WORKERS = 2;

/** Problems a verification names at most; the first ones. */
export const MAX_PROBLEMS = 100;
