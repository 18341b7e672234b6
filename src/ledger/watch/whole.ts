import { classify } from "../../db/errors.ts";
import { asError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { backoff, rest } from "./rest.ts";

/** Milliseconds until ledgers that could not be verified are tried again for the first time. */
const RETRY_MS = 60_000;

export interface WholeOptions {
  /** The ledgers there are. */
  readonly ledgers: () => readonly LedgerId[];
  /** Verifies one as a whole. Rejects when that was not possible. */
  readonly verify: (ledger: LedgerId) => Promise<void>;
  /** Milliseconds from the begin of one round to the next. */
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  readonly onError: (error: Error, ledger: LedgerId | undefined) => void;
  /** Milliseconds until failed ledgers are tried again. For tests. */
  readonly retryMs?: number;
}

/**
 * Verifies every ledger as a whole, one after the other, whatever becomes of those before. Those that failed are verified again, ever
 * more rarely, until the next round is due, which this resolves at. Rejects when the signal aborts.
 */
export async function wholeRound(options: WholeOptions): Promise<void> {
  const { intervalMs, signal, retryMs = RETRY_MS } = options;
  const nextAt = performance.now() + intervalMs;
  let left = await verifyAll(options, options.ledgers());
  for (let failures = 1; left.length > 0; failures++) {
    const wait = backoff(failures, retryMs, intervalMs);
    if (performance.now() + wait >= nextAt) break;
    await rest(wait, signal);
    left = await verifyAll(options, left);
  }
  await rest(nextAt - performance.now(), signal);
}

/** Returns those that could not be verified. */
async function verifyAll(
  { verify, signal, onError }: WholeOptions,
  ledgers: readonly LedgerId[],
): Promise<readonly LedgerId[]> {
  const failed: LedgerId[] = [];
  for (const [at, ledger] of ledgers.entries()) {
    signal.throwIfAborted();
    try {
      await verify(ledger);
    } catch (error) {
      signal.throwIfAborted();
      // Without a database every other one would fail, too.
      const away = classify(error) === "unavailable";
      onError(asError(error), away ? undefined : ledger);
      if (away) return [...failed, ...ledgers.slice(at)];
      failed.push(ledger);
    }
  }
  return failed;
}
