import type { EdgeSource } from "../../domain/lineage/walk/proven-edges.ts";
import {
  type Direction,
  MAX_WALK_DEPTH,
  type Regions,
  type Start,
  type Walk,
  walkLineage,
} from "../../domain/lineage/walk/walk.ts";
import { regionOfLedger } from "../../domain/visibility/regions.ts";
import { isLedgerId } from "../../facts/entry.ts";
import { isOfCall, noteUnread, readRegions } from "../base/across-regions/merged.ts";
import { type Context, inRegion, regionsOf } from "../base/context.ts";
import { badUserInput } from "../base/errors.ts";
import { readingAt } from "../base/position.ts";
import { readableBy } from "../base/viewer.ts";
import { recordingRead } from "../ledger/reads.ts";

export const DEFAULT_DEPTH = 5;

/** Edges as the caller may read them where `context` is. */
export function edgeSource(context: Context): EdgeSource {
  const { db, ledger, services } = context;
  return { db, ledger, scopes: readableBy(context), damaged: (error) => services.ledgers.damaged(error) };
}

/**
 * The regions that the caller may read, with a snapshot of each, unless one could not be opened. Nothing may be read before, not even where
 * the walk starts. Throws when that region cannot be read.
 */
async function regionsToWalk(context: Context): Promise<Regions> {
  const home = context.services.region;
  const failed = (region: string, error: unknown) => {
    if (isOfCall(error)) throw error;
    noteUnread(context, region, error);
  };
  if (regionsOf(context).length < 2) {
    return { sources: new Map([[home, edgeSource(context)]]), unread: [], failed };
  }
  // In this order, so that nobody who holds a connection to one region waits for another that is held for it.
  const { parts, failures } = await readRegions(context, async (local) => {
    await readingAt(local);
    return local;
  });
  const sources = new Map(parts.map((local) => [local.services.region, edgeSource(local)]));
  if (!sources.has(home)) throw failures.get(home);
  return { sources, unread: [...failures.keys()], failed };
}

const NOTHING: Walk = { chains: [], edges: [], truncated: false, otherRegions: [], unreadRegions: [] };

export interface Asked {
  /** Where it starts, read after all regions were opened; undefined where there is nothing that the caller may see. */
  readonly start: (source: EdgeSource) => Promise<Start | undefined>;
  readonly direction: Direction;
  readonly depth: number | null | undefined;
  /** Named in the record of the read. */
  readonly field: string;
}

/** A walk for the caller, which is recorded in the ledger of each region that it shows something of. */
export async function walkFor(context: Context, { start, direction, depth, field }: Asked): Promise<Walk> {
  const steps = depth ?? DEFAULT_DEPTH;
  if (steps < 0) throw badUserInput("`depth` is not negative.");
  const regions = await regionsToWalk(context);
  const begin = await start(edgeSource(context));
  if (begin === undefined) return recordingRead(context, field, 0, NOTHING);
  const walk = await walkLineage(regions, begin, direction, Math.min(steps, MAX_WALK_DEPTH));
  return recordedWalk(context, field, walk);
}

/** `walk` without what is in regions where it cannot be recorded that it was read. */
async function recordedWalk(context: Context, field: string, walk: Walk): Promise<Walk> {
  await recordingRead(context, field, 0, undefined);
  const unrecorded = new Set<string>();
  for (const ledger of new Set(walk.chains.map((chain) => chain.ledger))) {
    if (ledger === context.ledger || !isLedgerId(ledger)) continue;
    const region = regionOfLedger(ledger);
    try {
      await recordingRead(inRegion(context, region), field, 0, undefined);
    } catch (error) {
      if (isOfCall(error)) throw error;
      noteUnread(context, region, error);
      unrecorded.add(ledger);
    }
  }
  if (unrecorded.size === 0) return walk;
  return {
    ...walk,
    chains: walk.chains.filter(({ ledger }) => !unrecorded.has(ledger)),
    edges: walk.edges.filter(({ ledger, sourceLedger }) => !unrecorded.has(ledger) && !unrecorded.has(sourceLedger)),
    unreadRegions: [
      ...new Set([...walk.unreadRegions, ...[...unrecorded].map((ledger) => ledger.slice(ledger.indexOf("/") + 1))]),
    ],
  };
}
