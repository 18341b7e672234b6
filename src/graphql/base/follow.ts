import { createTurns } from "../../db/turns.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Context } from "./context.ts";
import { graphqlError } from "./errors.ts";
import { headOf } from "./position.ts";

/** Entries to make events of, oldest first. Without entries it requests a heartbeat. `cursor` is the position reached. */
export type FollowedEntries = { readonly entries: readonly LedgerEntry[]; readonly cursor: bigint };

/**
 * The events of all entries after `after` (null: after the current end), then of each new one. `toEvents` is called without
 * entries to send a heartbeat, when the subscriber received nothing for a while. Ends when the consumer stops; throws
 * UNAUTHENTICATED when the token expires. Reads only on demand, so a slow consumer costs no memory here.
 */
export function followLedger<Event>(
  context: Context,
  after: bigint | null | undefined,
  toEvents: (followed: FollowedEntries) => AsyncIterable<Event>,
): AsyncIterableIterator<Event> {
  return endingWith(context, (signal) => run(context, after, signal, toEvents));
}

/**
 * Events of all subscriptions that may be made in one turn of the event loop. Those who read a ledger from its beginning always have a
 * next one at once: without a limit, other requests would wait for an event of each of them, again and again.
 */
const EVENTS = createTurns({
  at: 2,
  perOrganization: 1,
  waitingPerPrincipal: Number.POSITIVE_INFINITY,
  maxWaitMs: 600_000,
});

async function whenOthersHadTheirs({ ledger, caller }: Context): Promise<void> {
  const end = await EVENTS.take(ledger, caller?.principal.id ?? "");
  setImmediate(end);
}

/**
 * The events of the generator that `start` returns, which has to end soon after its signal aborts. Ends when the consumer stops;
 * throws UNAUTHENTICATED when the token expires.
 */
export function endingWith<Event>(
  context: Context,
  start: (signal: AbortSignal) => AsyncGenerator<Event, undefined>,
): AsyncIterableIterator<Event> {
  const stopped = new AbortController();
  const ends = context.ends(stopped.signal);
  const generator = start(AbortSignal.any([stopped.signal, ends]));
  const next = async () => {
    try {
      const step = await generator.next();
      if (step.done !== true) {
        await whenOthersHadTheirs(context);
        return step;
      }
      stopped.abort();
      if (ends.aborted) throw ends.reason;
      return step;
    } catch (error) {
      stopped.abort();
      throw error;
    }
  };
  // A generator's own return() waits for the next() under way, which lasts as long as the ledger is quiet.
  const stop = () => {
    stopped.abort();
    return generator.return(undefined);
  };
  return {
    next,
    return: stop,
    throw: stop,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* run<Event>(
  context: Context,
  after: bigint | null | undefined,
  signal: AbortSignal,
  toEvents: (followed: FollowedEntries) => AsyncIterable<Event>,
): AsyncGenerator<Event, undefined> {
  const head = await headOf(context);
  if (after !== null && after !== undefined && after > head.seq) {
    throw graphqlError(
      "CURSOR_EXPIRED",
      `The ledger ends at ${head.seq}: there is nothing to continue behind ${after}.`,
    );
  }
  let cursor = after ?? head.seq;
  let sentAt: number | undefined;
  for await (const entries of context.services.follower.follow(context.ledger, cursor, signal, () => sentAt)) {
    const followed: FollowedEntries =
      entries === "idle" ? { entries: [], cursor } : { entries, cursor: entries.at(-1)?.seq ?? cursor };
    // A page of which nothing is wanted makes no event, and took work all the same.
    await whenOthersHadTheirs(context);
    for await (const event of toEvents(followed)) {
      yield event;
      sentAt = performance.now();
    }
    cursor = followed.cursor;
  }
  return undefined;
}
