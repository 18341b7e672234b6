import type { LedgerId } from "../entry.ts";
import type { Range } from "./ranges.ts";
import { isDataError, type Run, statements } from "./session.ts";

export interface StateResult {
  readonly intact: boolean;
  /** See RangeResult.versions. */
  readonly versions: bigint;
  /** Routing chains that started in the range. */
  readonly chains: bigint;
}

/** Compares state rows with the entries that made them, as far as these lie in the range, and counts the chains. */
export async function checkStates(run: Run, ledger: LedgerId, { from, to }: Range): Promise<StateResult> {
  const values = [ledger, String(from), String(to)];
  try {
    const [states] = await run<{ bad: string; versions: string }>(statements.states, values);
    const [row] = await run<{ chains: string }>(statements.chains, values);
    const [sessions] = await run<{ bad: string }>(statements.sessions, values);
    return {
      intact: states?.bad === "0" && sessions?.bad === "0",
      versions: BigInt(states?.versions ?? 0),
      chains: BigInt(row?.chains ?? 0),
    };
  } catch (error) {
    if (!isDataError(error)) throw error;
    return { intact: false, versions: 0n, chains: 0n };
  }
}
