import { mayUseRegion, regionOfLedger } from "../../domain/visibility/regions.ts";
import { isLedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { isOfCall, noteUnread } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import { type Context, inRegion, viewerOf } from "../base/context.ts";
import { type EntryNode, entryOf } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";
import { readPositions, recordingEntries, seesEntry } from "../ledger/reads.ts";
import { type EdgeShape, LineageEdgeRef } from "./lineage-edge.ts";
import { readChain } from "./reads.ts";

/** Reads of a POSSIBLE edge that are shown at most, the latest. */
const MOST_READS = 20;

/** Where the read of an edge is recorded; undefined where the caller may not read, or this server does not serve it. */
function contextOfRead(context: Context, { read: { ledger } }: EdgeShape): Context | undefined {
  if (context.ledger === ledger) return context;
  const { regions } = (context.operation ?? context).services;
  if (!isLedgerId(ledger) || regions === undefined || !mayUseRegion(viewerOf(context), regionOfLedger(ledger)))
    return undefined;
  if (!regions.names.includes(regionOfLedger(ledger))) return undefined;
  const local = inRegion(context, regionOfLedger(ledger));
  return local.ledger === ledger ? local : undefined;
}

/** The read that the edge names. It has the hash that the entry of the edge says: throws LedgerDamagedError. */
async function namedRead(local: Context, { read, entry }: EdgeShape): Promise<readonly EntryNode[]> {
  if (read.seq === undefined) return [];
  const rows = await readPositions(local, [BigInt(read.seq)]);
  if (read.hash !== undefined && rows.every((row) => entryOf(row).hash !== read.hash)) {
    const problem = `entry ${read.seq} is not the read that entry ${entry.seq} of ledger ${entry.ledger} names`;
    throw local.services.ledgers.damaged(new LedgerDamagedError(local.ledger, problem));
  }
  return rows;
}

/** The reads that an edge rests on, oldest first. */
async function readsOf(local: Context, edge: EdgeShape): Promise<readonly EntryNode[]> {
  const named = await namedRead(local, edge);
  if (edge.kind === "OBSERVED") return named;
  const { ledger, seq, reads } = edge.read;
  // Without a position the entry names the chain alone: in its own ledger, what was read before it.
  const last = seq === undefined ? edge.entry.seq : BigInt(seq);
  const chain = await readChain(local, edge.sourceChainHash);
  const earlier = chain.filter((row) => {
    const { type, body } = entryOf(row);
    const isBefore = seq === undefined && ledger !== edge.entry.ledger ? true : row.seq < last;
    return type === "ACTION_PROPOSED" && body.effect === "READ" && isBefore;
  });
  const most = Math.min(reads ?? MOST_READS, MOST_READS) - named.length;
  return [...(most > 0 ? earlier.slice(-most) : []), ...named];
}

async function shownReads(local: Context, edge: EdgeShape): Promise<EntryNode[]> {
  const rows = await readsOf(local, edge);
  const seen = await Promise.all(rows.map((row) => seesEntry(local, row)));
  const visible = rows.filter((_, at) => seen[at]);
  return recordingEntries(local, "lineageEdge.sourceEntries", visible);
}

builder.objectFields(LineageEdgeRef, (t) => ({
  sourceEntries: t.field({
    type: [EntryRef],
    complexity: { field: 2, multiplier: MOST_READS },
    description: `The reads that it rests on, as far as you may see them: of an OBSERVED edge the one that has the values, of a POSSIBLE one those of the chain that count, at most the latest ${MOST_READS}. Empty where they are recorded in another region that you may not read, that this server does not serve or that cannot be read now. Reading them is recorded in the ledger unless you did what they record.`,
    resolve: async (edge, _args, context) => {
      const local = contextOfRead(context, edge);
      if (local === undefined) return [];
      try {
        return await shownReads(local, edge);
      } catch (error) {
        if (local.ledger === context.ledger || isOfCall(error)) throw error;
        noteUnread(context, local.services.region, error);
        return [];
      }
    },
  }),
}));
