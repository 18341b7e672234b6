import { type Context, inRegion, regionsOf } from "../context.ts";
import { inTime, isBadInput, isOfCall, noteUnread } from "./merged.ts";

/** An event of one region, and the regions of which there are none now, because they cannot be read. */
export interface RegionalEvent<Event> {
  readonly region: string;
  readonly event: Event;
  readonly unreadRegions: readonly string[];
}

/** Begins, or begins again, what is sent of one region; it ends soon after `signal` aborts. */
export type BeginRegion<Event> = (local: Context, signal: AbortSignal) => Promise<AsyncGenerator<Event, undefined>>;

/** Milliseconds until a region that could not be read is tried again: at first, and at most. */
const TRY_AGAIN = { first: 1_000, most: 60_000 };

interface Source<Event> {
  readonly region: string;
  generator: AsyncGenerator<Event, undefined> | undefined;
  /** Whether its next event is awaited, or waits to be sent. */
  isBusy: boolean;
  isOver: boolean;
  failure: unknown;
  /** How often it failed since it last sent something. */
  failures: number;
}

type Outcome<Event> = { readonly source: Source<Event> } & (
  | { readonly event: Event }
  | { readonly error: unknown }
  | { readonly ended: true }
);

/**
 * What `begin` sends in each region of the caller, as it comes, until `signal` aborts. Of each region one event waits at most, and each has
 * its turn. What goes wrong in one keeps no other from being sent; it is begun again after a while. Throws when none can be read, and what no
 * region is to blame for.
 */
export async function* eventsOfRegions<Event>(
  context: Context,
  signal: AbortSignal,
  begin: BeginRegion<Event>,
): AsyncGenerator<RegionalEvent<Event>, undefined> {
  const over = new AbortController();
  const ends = AbortSignal.any([signal, over.signal]);
  const sources = regionsOf(context).map((region): Source<Event> => {
    return { region, generator: undefined, isBusy: false, isOver: false, failure: undefined, failures: 0 };
  });
  const ready: Outcome<Event>[] = [];
  let wake = () => {};

  const open = async (source: Source<Event>) => {
    source.generator ??= await inTime(begin(inRegion(context, source.region), ends));
    return source.generator;
  };

  async function next(source: Source<Event>): Promise<Outcome<Event>> {
    try {
      if (source.failures > 0) {
        await pause(Math.min(TRY_AGAIN.first * 2 ** (source.failures - 1), TRY_AGAIN.most), ends);
      }
      if (ends.aborted) return { source, ended: true };
      const step = await (await open(source)).next();
      return step.done === true ? { source, ended: true } : { source, event: step.value };
    } catch (error) {
      return { source, error };
    }
  }

  function ask(source: Source<Event>): void {
    if (source.isBusy || source.isOver) return;
    source.isBusy = true;
    void next(source).then((outcome) => {
      ready.push(outcome);
      wake();
    });
  }

  /** Throws unless others go on without it. */
  function fail(source: Source<Event>, error: unknown): void {
    source.generator = undefined;
    // What a filter names may be known in another region.
    if (isBadInput(error)) source.isOver = true;
    else if (isOfCall(error)) throw error;
    source.failure = error;
    source.failures += 1;
    if (sources.every(({ failure }) => failure !== undefined)) throw error;
    if (!source.isOver) noteUnread(context, source.region, error);
  }

  try {
    // So that the first event says already where each region was begun.
    const opened = await Promise.allSettled(sources.map(open));
    for (const [at, source] of sources.entries()) {
      const outcome = opened[at];
      if (outcome?.status === "rejected") fail(source, outcome.reason);
    }
    for (;;) {
      for (const source of sources) ask(source);
      if (sources.every(({ isOver }) => isOver)) return undefined;
      while (ready.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const outcome = ready.shift() as Outcome<Event>;
      const { source } = outcome;
      source.isBusy = false;
      if ("ended" in outcome) source.isOver = true;
      else if ("error" in outcome) fail(source, outcome.error);
      else {
        source.failure = undefined;
        source.failures = 0;
        const unread = sources.filter(({ failure, isOver }) => failure !== undefined && !isOver);
        yield { region: source.region, event: outcome.event, unreadRegions: unread.map(({ region }) => region) };
      }
    }
  } finally {
    over.abort();
    for (const { generator } of sources) void generator?.return(undefined).catch(() => {});
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
