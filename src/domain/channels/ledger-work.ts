import type { LedgerId } from "../../facts/entry.ts";
import type { Follower } from "../../ledger/follow.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Delivery } from "./delivery.ts";
import { createInFlight } from "./in-flight.ts";
import { dueChannels } from "./outbox.ts";
import type { Recorder } from "./recorder.ts";

/** Work on the notices of one ledger, from when this server has it until it is stopped. */
export interface LedgerWork {
  /** Looks for what is due. */
  wake(): void;
  stop(): void;
  /** Resolves when it was stopped and nothing is under way; rejects with what ended it. */
  readonly ended: Promise<void>;
}

export interface LedgerWorkOptions {
  readonly db: Queryable;
  readonly follower: Pick<Follower, "follow">;
  readonly recorder: Recorder;
  readonly delivery: Delivery;
}

/** Follows the ledger behind `position`, and sends what is due to each of its channels, one message at a time and in order. */
export function createLedgerWork(options: LedgerWorkOptions, ledger: LedgerId, position: bigint): LedgerWork {
  const { db, follower, recorder, delivery } = options;
  const over = new AbortController();
  const { signal } = over;
  /** Channels that something is sent to; a slow one keeps no other waiting. */
  const busy = new Map<string, Promise<void>>();
  /** Those that were woken meanwhile. */
  const missed = new Set<string>();
  let failure: { readonly error: unknown } | undefined;
  let wakes = 0;
  let looking = false;

  function fail(error: unknown): void {
    failure ??= { error };
    over.abort();
  }

  async function run(channel: string): Promise<void> {
    const inFlight = createInFlight();
    try {
      while (!signal.aborted) {
        missed.delete(channel);
        while (!signal.aborted && (await delivery.next(ledger, channel, inFlight, signal)));
        // What became due of an action that was in flight is found once it is not.
        const wasInFlight = inFlight.actions.length > 0;
        await inFlight.settle();
        if (!wasInFlight && !missed.has(channel)) return;
      }
    } finally {
      await inFlight.settle();
    }
  }

  async function look(): Promise<void> {
    for (const { channel } of await dueChannels(db, [ledger])) {
      if (busy.has(channel)) missed.add(channel);
      else {
        const done = run(channel)
          .catch(fail)
          .finally(() => busy.delete(channel));
        busy.set(channel, done);
      }
    }
  }

  async function lookWhileWoken(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      for (let seen = -1; seen !== wakes && !signal.aborted; ) {
        seen = wakes;
        await look();
      }
    } catch (error) {
      fail(error);
    } finally {
      looking = false;
    }
  }

  function wake(): void {
    wakes += 1;
    if (!signal.aborted) void lookWhileWoken();
  }

  async function follow(): Promise<void> {
    try {
      wake();
      for await (const entries of follower.follow(ledger, position, signal)) {
        if (entries === "idle") continue;
        await recorder.take(ledger, entries);
        wake();
      }
    } catch (error) {
      fail(error);
    }
    over.abort();
    await Promise.all(busy.values());
    if (failure !== undefined) throw failure.error;
  }

  return { wake, stop: () => over.abort(), ended: follow() };
}
