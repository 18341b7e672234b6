import type { LedgerId } from "../../facts/entry.ts";
import type { Reader } from "../../ledger/read.ts";
import { type Relation, readRelated } from "../../ledger/related.ts";
import { type Batch, createBatch } from "../base/batch.ts";
import { type EntryRow, entryRow } from "../base/rows.ts";

/** Entries of one chain that are shown at most: a chain ends after idle minutes, so only abuse makes a longer one. */
export const MAX_CHAIN_ENTRIES = 200;

/** Reads by routing chain, in as many statements for a page of entries as for one. Nobody's right to see is looked at. */
export interface ChainReads {
  /** The entries of a chain, oldest first. */
  readonly entries: Batch<string, EntryRow[]>;
  /** The entries that name a chain as their source, oldest first. */
  readonly derived: Batch<string, EntryRow[]>;
  readonly platform: Batch<string, string>;
}

export function createChainReads(db: Reader, ledger: LedgerId): ChainReads {
  const read = (relation: Relation) =>
    createBatch<string, EntryRow[]>(async (chains) => {
      const found = await readRelated(db, ledger, relation, chains, MAX_CHAIN_ENTRIES);
      return new Map([...found].map(([chain, entries]) => [chain, entries.map(entryRow)]));
    });
  return {
    entries: read("chain"),
    derived: read("sourceChain"),
    // A chain stays on one platform, so its first entry knows.
    platform: createBatch(async (chains) => {
      const found = await readRelated(db, ledger, "chain", chains, 1);
      return new Map([...found].map(([chain, [first]]) => [chain, String(first?.body.platform)]));
    }),
  };
}
