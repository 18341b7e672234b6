import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { ENTRY_COLUMNS, ENTRY_TABLES, type EntryRow, type Queryable, toEntry } from "./read.ts";

/** How an entry can be related to a key: it belongs to the chain, names it as its source, or tried to move the action. */
export type Relation = "chain" | "sourceChain" | "attemptOn";

const CONDITIONS: Readonly<Record<Relation, string>> = {
  chain: "e.chain = k.key",
  sourceChain: "e.source_chain = k.key",
  attemptOn: "e.action_id = k.key AND e.state_version IS NULL",
};

/**
 * The entries related to each of `keys` (UUIDs), oldest first and at most `limitEach` of each: one key with many takes
 * nothing from the others. A key without any is omitted.
 */
export async function readRelated(
  db: Queryable,
  ledger: LedgerId,
  relation: Relation,
  keys: readonly string[],
  limitEach: number,
): Promise<Map<string, LedgerEntry[]>> {
  const statement = {
    name: `oc_read_related_${relation}`,
    text: `
      SELECT k.key, r.*
        FROM unnest($2::uuid[]) AS k(key)
       CROSS JOIN LATERAL (
         SELECT ${ENTRY_COLUMNS}
           FROM ${ENTRY_TABLES}
          WHERE e.ledger = $1 AND ${CONDITIONS[relation]}
          ORDER BY e.seq LIMIT $3::bigint) r`,
    values: [ledger, keys, limitEach],
  };
  const { rows } = await db.query<EntryRow & { readonly key: string }>(statement);
  const found = new Map<string, LedgerEntry[]>();
  for (const row of rows) {
    const entries = found.get(row.key);
    const entry = toEntry(ledger, row);
    if (entries === undefined) found.set(row.key, [entry]);
    else entries.push(entry);
  }
  return found;
}
