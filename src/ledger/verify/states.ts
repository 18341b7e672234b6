import type { LedgerId } from "../../facts/entry.ts";
import { type Fingerprints, NO_FINGERPRINTS, toFingerprints } from "./fingerprints.ts";
import type { Range } from "./ranges.ts";
import { isDataError, type Run, statements } from "./session.ts";

export interface StateResult {
  readonly intact: boolean;
  readonly fingerprints: Fingerprints;
}

/** The least `bigint` of PostgreSQL. */
const LOWEST = -(2n ** 63n);

/**
 * Where state rows of a range begin: a verification from the first entry also finds those that claim to stand before it,
 * where no entry can be.
 */
export const lowest = ({ from }: Range): bigint => (from === 1n ? LOWEST : from);

/** Compares state rows with the entries that made them, as far as these lie in the range, and says what they add up to. */
export async function checkStates(run: Run, ledger: LedgerId, range: Range): Promise<StateResult> {
  const values = [ledger, String(lowest(range)), String(range.to)];
  try {
    const [actions] = await run<{ bad: string; versions: string }>(statements.states, values);
    const [chains] = await run<{ chains: string }>(statements.chains, values);
    const [sessions] = await run<{ bad: string; sessions: string }>(statements.sessions, values);
    const [directory] = await run<{ bad: string; directory: string }>(statements.directory, values);
    return {
      intact: [actions, sessions, directory].every((row) => row?.bad === "0"),
      fingerprints: toFingerprints({ ...actions, ...chains, ...sessions, ...directory }),
    };
  } catch (error) {
    if (!isDataError(error)) throw error;
    return { intact: false, fingerprints: NO_FINGERPRINTS };
  }
}
