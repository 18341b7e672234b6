import type { LedgerEntry } from "../../facts/entry.ts";
import type { Context } from "./context.ts";
import { graphqlError } from "./errors.ts";
import { headOf } from "./position.ts";

/** What a subscription makes of the ledger: entries in order, or none when it told nothing for a while. */
export type Batch = { readonly entries: readonly LedgerEntry[]; readonly cursor: bigint };

/**
 * The entries behind `after` (where the ledger ends now, when left out) and each one that follows. A batch without entries
 * asks for a heartbeat: nothing was told to this subscriber for a while, whatever happened meanwhile. Ends when the consumer stops, and with UNAUTHENTICATED when the token expires. Nothing is read ahead of
 * the consumer, so a slow one costs no memory here.
 */
export function followLedger<Event>(
  context: Context,
  after: bigint | null | undefined,
  toEvents: (batch: Batch) => AsyncIterable<Event>,
): AsyncIterableIterator<Event> {
  const stopped = new AbortController();
  const ends = context.ends(stopped.signal);
  const generator = run(context, after, AbortSignal.any([stopped.signal, ends]), ends, toEvents);
  const next = async () => {
    try {
      const step = await generator.next();
      if (step.done === true) stopped.abort();
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
  ends: AbortSignal,
  toEvents: (batch: Batch) => AsyncIterable<Event>,
): AsyncGenerator<Event, undefined> {
  const head = await headOf(context);
  if (after !== null && after !== undefined && after > head.seq) {
    throw graphqlError(
      "CURSOR_EXPIRED",
      `The ledger ends at ${head.seq}: there is nothing to continue behind ${after}.`,
    );
  }
  let cursor = after ?? head.seq;
  let toldAt: number | undefined;
  for await (const entries of context.services.follower.follow(context.ledger, cursor, signal, () => toldAt)) {
    const batch: Batch =
      entries === "idle" ? { entries: [], cursor } : { entries, cursor: entries.at(-1)?.seq ?? cursor };
    for await (const event of toEvents(batch)) {
      yield event;
      toldAt = performance.now();
    }
    cursor = batch.cursor;
  }
  if (ends.aborted) throw ends.reason;
}
