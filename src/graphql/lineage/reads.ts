import { type Relation, readRelated } from "../../ledger/related.ts";
import type { Context } from "../base/context.ts";
import { createLoader } from "../base/loader.ts";
import { type EntryNode, entryNode } from "../base/rows.ts";
import { seesEntry } from "../ledger/reads.ts";

/** Entries of one chain that are shown at most: a chain ends after idle minutes, so only abuse makes a longer one. */
export const MAX_CHAIN_ENTRIES = 200;

const loaderOf = (relation: Relation) =>
  createLoader<string, EntryNode[]>(async ({ db, ledger }, chains) => {
    const found = await readRelated(db, ledger, relation, chains, MAX_CHAIN_ENTRIES);
    return new Map([...found].map(([chain, entries]) => [chain, entries.map(entryNode)]));
  });

const loads = { entries: loaderOf("chain"), derived: loaderOf("sourceChain") };

/** Entries of a chain the caller may read, oldest first; `of: "derived"`: those that name it as their source. */
export async function readChain(
  context: Context,
  chain: string | undefined,
  of: keyof typeof loads = "entries",
): Promise<EntryNode[]> {
  if (chain === undefined) return [];
  const rows = (await loads[of](context, chain)) ?? [];
  const seen = await Promise.all(rows.map((row) => seesEntry(context, row)));
  return rows.filter((_, at) => seen[at]);
}

/** The platform of a chain, without a visibility check. A chain is on one platform, so its first entry has it. */
export const platformOf = createLoader<string, string>(async ({ db, ledger }, chains) => {
  const found = await readRelated(db, ledger, "chain", chains, 1);
  return new Map([...found].map(([chain, [first]]) => [chain, String(first?.body.platform)]));
});
