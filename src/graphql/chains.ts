import type { PrismaClient } from "../db/generated/prisma/client.ts";
import type { LedgerId } from "../ledger/entry.ts";
import { type Batch, createBatch } from "./batch.ts";
import { ENTRY_SELECT, type EntryRow } from "./rows.ts";

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

export function createChainReads(prisma: PrismaClient, ledger: LedgerId): ChainReads {
  const read = async (column: "chain" | "sourceChain", chains: readonly string[]) => {
    const rows = await prisma.entry.findMany({
      where: { ledger, [column]: { in: [...chains] } },
      orderBy: { seq: "asc" },
      take: MAX_CHAIN_ENTRIES * chains.length,
      select: { ...ENTRY_SELECT, chain: true, sourceChain: true },
    });
    const found = new Map<string, EntryRow[]>();
    for (const row of rows) {
      const chain = row[column] ?? "";
      const entries = found.get(chain);
      if (entries === undefined) found.set(chain, [row]);
      else if (entries.length < MAX_CHAIN_ENTRIES) entries.push(row);
    }
    return found;
  };
  return {
    entries: createBatch((chains) => read("chain", chains)),
    derived: createBatch((chains) => read("sourceChain", chains)),
    platform: createBatch(async (chains) => {
      const rows = await prisma.entry.findMany({
        where: { ledger, chain: { in: [...chains] }, platform: { not: null } },
        orderBy: { seq: "asc" },
        distinct: ["chain"],
        select: { chain: true, platform: true },
      });
      return new Map(rows.map(({ chain, platform }) => [chain ?? "", platform ?? ""]));
    }),
  };
}
