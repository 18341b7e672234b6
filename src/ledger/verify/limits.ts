/** Entries that are checked in one piece: enough to make its cost that of the entries, few enough to keep memory flat. */
export const RANGE_SIZE = 10_000n;

/** State rows that go with one piece at most; one with more ends earlier. */
export const PIECE_STATES = 20_000;

/** State rows of one position that are looked at. An entry of 4 MiB, the largest a batch takes, moves fewer things. */
export const MAX_POSITION_STATES = 100_000;

/** Entries up to which no thread is started: verifying their signatures takes this thread some 50 ms at most. */
export const THREADLESS_SIZE = 250n;

/** Default number of threads of a verification, each with its own connection. */
export const DEFAULT_WORKERS = 2;

/** Problems a verification names at most; the first ones. */
export const MAX_PROBLEMS = 100;
