import { LRUCache } from "lru-cache";
import type { LedgerId } from "../../../facts/entry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import { createRarity, type Rarity } from "../fingerprints/rarity.ts";
import type { RecentRead } from "./recent-reads.ts";

/** What is common in `ledger`, as of some seconds ago, these reads included. Throws LedgerUnavailableError. */
export type RarityOf = (ledger: LedgerId, reads: readonly RecentRead[]) => Promise<Rarity>;

/** Milliseconds after which what others recorded is looked at, sets that are looked at then, and ledgers that are remembered. */
const LEARN_AGAIN = 30_000;
const LEARNED = 1_000;
const MAX_LEDGERS = 50;

// Large ones are of lists, whose values are found again in what is read of each.
const LEARN = {
  name: "oc_learn_fingerprints",
  text: `
    SELECT f.source, f.fingerprints, f.made_at FROM oc_work.read_fingerprints f
     WHERE f.ledger = $1 AND f.made_at > $2 AND octet_length(f.fingerprints) <= 6000
     ORDER BY f.made_at DESC LIMIT ${LEARNED}`,
};

export function createLearnedRarity(db: Queryable): RarityOf {
  /** Reads that were learned from already. */
  const noted = new WeakSet<RecentRead>();
  const learned = new LRUCache<LedgerId, { readonly rarity: Rarity; since: Date; at: number }>({ max: MAX_LEDGERS });

  async function learn(ledger: LedgerId): Promise<Rarity> {
    const known = learned.get(ledger) ?? { rarity: createRarity(), since: new Date(0), at: Number.NEGATIVE_INFINITY };
    learned.set(ledger, known);
    if (performance.now() - known.at < LEARN_AGAIN) return known.rarity;
    known.at = performance.now();
    type Row = { readonly source: string; readonly fingerprints: Buffer; readonly made_at: Date };
    const { rows } = await withLedgerErrors(db.query<Row>({ ...LEARN, values: [ledger, known.since] }));
    for (const { source, fingerprints } of rows) known.rarity.note(fingerprints, Number(source));
    known.since = rows[0]?.made_at ?? known.since;
    return known.rarity;
  }

  return async (ledger, reads) => {
    const rarity = await learn(ledger);
    for (const read of reads) {
      if (noted.has(read) || typeof read.values === "string" || read.source === undefined) continue;
      noted.add(read);
      rarity.note(read.values, read.source);
    }
    return rarity;
  };
}
