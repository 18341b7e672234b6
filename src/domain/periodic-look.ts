import { asError } from "../errors.ts";
import type { Logger } from "../log.ts";

export interface PeriodicLookOptions {
  /** Looks for what is due. Whoever stops it in between is waited for. */
  readonly look: () => Promise<void>;
  /** Seconds between two looks. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn">;
  /** What is logged when one fails, and not again before one succeeds. */
  readonly failure: string;
}

export interface PeriodicLook {
  /** Looks now, unless it does already. */
  now(): void;
  /** Looks no more; resolves when the last look is over. */
  stop(): Promise<void>;
}

/** Calls `look` now and then again and again, one call at a time. One that fails is tried again with the next. */
export function startPeriodicLook({ look, interval, log, failure }: PeriodicLookOptions): PeriodicLook {
  let failing = false;
  let looking: Promise<void> | undefined;

  async function tried(): Promise<void> {
    try {
      await look();
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ err: asError(error) }, failure);
      failing = true;
    }
  }

  function now(): void {
    looking ??= tried().finally(() => {
      looking = undefined;
    });
  }

  const timer = setInterval(now, interval * 1_000);
  timer.unref();
  now();
  return {
    now,
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
