import { BusyError, createTurns, type Turns } from "./turns.ts";

const RESTING = "Your slow queries have taken more than their share of the time.";

export interface RestsOptions {
  /** How much of the time the turns of one principal may take, in the long run. Two at a time count twice. */
  readonly share: number;
  /** Milliseconds of turns that a principal may have at once, before it has to rest. */
  readonly burstMs: number;
  /** Turns of one principal at a time. */
  readonly perPrincipal: number;
  /** How many of one principal may wait. */
  readonly waitingPerPrincipal: number;
  readonly maxWaitMs: number;
}

/**
 * `turns` of which no principal has more than its share of the time: what turns do takes processors from others, however few turns
 * there are at a time. A principal over its share waits before its next turn, or gets a BusyError with the seconds after which to retry. A principal
 * below its share does not wait for this.
 */
export function withRests(turns: Turns, options: RestsOptions): Turns {
  const { share, burstMs, perPrincipal, waitingPerPrincipal, maxWaitMs } = options;
  const own = createTurns({
    at: Number.POSITIVE_INFINITY,
    perOrganization: perPrincipal,
    waitingPerPrincipal,
    maxWaitMs,
  });
  /** When all that each had so far would have been its share. */
  const paidAt = new Map<string, number>();

  /** Counts a turn of `tookMs`. Returns the milliseconds until the next one. */
  function restAfter(key: string, tookMs: number): number {
    const now = performance.now();
    const paid = Math.max(now, paidAt.get(key) ?? 0) + tookMs / share;
    paidAt.set(key, paid);
    setTimeout(() => {
      if ((paidAt.get(key) ?? 0) <= paid) paidAt.delete(key);
    }, paid - now).unref();
    return paid - now - burstMs / share;
  }

  return {
    async take(organization, principal) {
      const key = JSON.stringify([organization, principal]);
      const rest = (paidAt.get(key) ?? 0) - performance.now() - burstMs / share;
      // Nothing would be gained by waiting: the time is not over then.
      if (rest > maxWaitMs) throw new BusyError(RESTING, Math.ceil(rest / 1_000));
      const endOwn = await own.take(key, principal);
      try {
        const end = await turns.take(organization, principal);
        const started = performance.now();
        let over = false;
        return () => {
          if (over) return;
          over = true;
          end();
          const rest = restAfter(key, performance.now() - started);
          if (rest <= 0) endOwn();
          else setTimeout(endOwn, rest).unref();
        };
      } catch (error) {
        endOwn();
        throw error;
      }
    },
  };
}
