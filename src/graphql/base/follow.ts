import { createTurns } from "../../db/turns.ts";
import { nowhere } from "../../domain/regions/errors.ts";
import { type LedgerEntry, ledgerOf } from "../../facts/entry.ts";
import { eventsOfRegions } from "./across-regions/events.ts";
import { isOfAllRegions } from "./across-regions/merged.ts";
import { type Context, regionsOf, viewerOf } from "./context.ts";
import { badUserInput, graphqlError } from "./errors.ts";
import { headOf, type Position } from "./position.ts";

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
  return endingWith(context, async function* (signal) {
    return yield* followFrom(context, await startOf(context, after), signal, toEvents);
  });
}

/** The position to follow from: `after`, or where the ledger ends. Throws CURSOR_EXPIRED for one that is not there. */
export async function startOf(context: Context, after: bigint | null | undefined): Promise<bigint> {
  const head = await headOf(context);
  if (after !== null && after !== undefined && after > head.seq) {
    throw graphqlError(
      "CURSOR_EXPIRED",
      `The ledger ends at ${head.seq}: there is nothing to continue behind ${after}.`,
    );
  }
  return after ?? head.seq;
}

/** What is followed: one ledger behind a position, or those of all regions, each behind its own. */
export interface FollowArguments {
  readonly region?: string | null | undefined;
  readonly after?: bigint | null | undefined;
  readonly positions?: readonly { readonly region: string; readonly seq: bigint }[] | null | undefined;
}

/** What events of a ledger have of where they are. */
export interface InLedger {
  /** The position reached. */
  readonly cursor: bigint;
}

/** Where the subscriber is after an event. */
export interface Reached extends InLedger {
  /** The region whose ledger `cursor` is a position of. */
  readonly region: string;
  /** Where the subscription is in each ledger that it reads, as far as that is known. */
  readonly asOf: readonly Position[];
  /** Regions that cannot be read now. */
  readonly unreadRegions: readonly string[];
}

/** What makes events of the entries of one region, behind the position that the subscriber had last, if they had one. */
export type Prepare<Event> = (
  local: Context,
  after: bigint | null | undefined,
) => Promise<(followed: FollowedEntries) => AsyncIterable<Event>>;

/**
 * As `followLedger`, for the ledgers of all regions of the caller, each in its own order; for one where the arguments name a region or a
 * position in one. What is not in `positions` is followed from where its ledger ends when it is first read. A region that cannot be read is
 * named in `unreadRegions`, and followed on from where it was once it can be. Throws BAD_USER_INPUT, RegionRefusal.
 */
export async function follow<Event extends InLedger>(
  context: Context,
  args: FollowArguments,
  prepare: Prepare<Event>,
): Promise<AsyncIterableIterator<Event & Reached>> {
  const given = positionsIn(context, args);
  if (isOfAllRegions(context, args.region) && (args.after ?? undefined) === undefined) {
    return followRegions(context, given, prepare);
  }
  const { ledger, services } = context;
  const { region } = services;
  const after = args.after ?? given.get(region);
  const toEvents = await prepare(context, after);
  return followLedger(context, after, async function* (followed) {
    for await (const event of toEvents(followed)) {
      yield { ...event, region, asOf: [{ ledger, seq: event.cursor }], unreadRegions: [] };
    }
  });
}

/** By the name of the region. */
type Positions = ReadonlyMap<string, bigint>;

function positionsIn(context: Context, { region, after, positions }: FollowArguments): Positions {
  const given = new Map<string, bigint>();
  if (positions === undefined || positions === null) return given;
  if ((region ?? after ?? undefined) !== undefined) {
    throw badUserInput("`positions` is in place of `region` and `after`: pass one or the other.");
  }
  const open = regionsOf(context);
  for (const { region: name, seq } of positions) {
    if (!open.includes(name)) throw nowhere(name);
    if (given.has(name)) throw badUserInput("`positions` names each region once.");
    given.set(name, seq);
  }
  return given;
}

function followRegions<Event extends InLedger>(
  context: Context,
  after: Positions,
  prepare: Prepare<Event>,
): AsyncIterableIterator<Event & Reached> {
  const { organization } = viewerOf(context);
  const reached = new Map(after);
  return endingWith(context, async function* (signal) {
    const events = eventsOfRegions<Event>(context, signal, async (local, ends) => {
      const { region } = local.services;
      const before = reached.get(region);
      const from = await startOf(local, before);
      reached.set(region, from);
      return followFrom(local, from, ends, await prepare(local, before));
    });
    for await (const { region, event, unreadRegions } of events) {
      reached.set(region, event.cursor);
      const asOf = [...reached].map(([name, seq]) => ({ ledger: ledgerOf(organization, name), seq }));
      yield { ...event, region, asOf, unreadRegions };
    }
    return undefined;
  });
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

/** The events of all entries after `after`, then of each new one, until `signal` aborts. */
export async function* followFrom<Event>(
  context: Context,
  after: bigint,
  signal: AbortSignal,
  toEvents: (followed: FollowedEntries) => AsyncIterable<Event>,
): AsyncGenerator<Event, undefined> {
  let cursor = after;
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
