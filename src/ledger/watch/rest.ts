import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds that a timer of Node can take; it fires at once after a longer time. */
const LONGEST = 2 ** 31 - 1;

/** Resolves after `milliseconds`, of which there may be any number. Rejects with the signal's AbortError. */
export async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  for (let left = milliseconds; left > 0; left -= LONGEST) {
    await pause(Math.max(1, Math.min(left, LONGEST)), undefined, { signal });
  }
}

/**
 * Milliseconds until the next attempt after so many failures in a row: `first`, then twice as long each time, and `longest` at most.
 */
export function backoff(failures: number, first: number, longest: number): number {
  return Math.min(first * 2 ** Math.min(Math.max(failures - 1, 0), 30), Math.max(first, longest));
}
