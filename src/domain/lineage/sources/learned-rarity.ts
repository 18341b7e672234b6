import { setImmediate } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { factOf } from "../../../facts/decode.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import { provenEntry } from "../../../ledger/proof.ts";
import { type EntryRow, type Queryable, readEntryRows } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import { createRarity, LONGEST_RECORD, type Rarity } from "../fingerprints/rarity.ts";
import { digestOfSet } from "../fingerprints/read-set.ts";
import { type RecentRead, readerOf } from "./recent-reads.ts";

/** What is common in `ledger`, as of some seconds ago, these reads included. Throws LedgerUnavailableError. */
export type RarityOf = (ledger: LedgerId, reads: readonly RecentRead[]) => Promise<Rarity>;

/** Milliseconds after which what others recorded is looked at, sets that are looked at then, and how many of them at once. */
const LEARN_AGAIN = 30_000;
const LEARNED = 1_000;
const AT_ONCE = 50;
/** Seconds before the latest that are looked at again: a set is stored before the entry that proves it, and clocks of transactions overlap. */
const AGAIN = 60;
/** Bytes of all that is remembered. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Bytes of a ledger of which little was learned. */
const LEDGER_BYTES = 2_000;

// The state of an action is found by its id; whether the entry there is the completion is seen when it is read.
const LEARN = {
  name: "oc_learn_fingerprints",
  text: `
    SELECT encode(f.digest, 'hex') AS digest, f.salt, f.source, f.fingerprints, f.made_at, s.updated_seq
      FROM oc_work.read_fingerprints f
      JOIN oc_state s ON s.ledger = f.ledger AND s.kind = 'ACTION' AND s.id = f.action::text
     WHERE f.ledger = $1 AND f.made_at > $2::timestamptz - make_interval(secs => ${AGAIN}) AND octet_length(f.fingerprints) <= ${LONGEST_RECORD}
     ORDER BY f.made_at DESC LIMIT ${LEARNED}`,
};
interface Row {
  readonly digest: string;
  readonly salt: Buffer;
  readonly source: string;
  readonly fingerprints: Buffer;
  readonly made_at: Date;
  readonly updated_seq: string;
}

interface Learned {
  readonly rarity: Rarity;
  /** When the latest set that was looked at was made. */
  since: Date;
  /** When sets were looked at last, by `performance.now()`. */
  at: number;
  /** Everything that was to be noted is, once this is settled. */
  noting: Promise<void>;
}

export function createLearnedRarity(db: Queryable): RarityOf {
  /** Reads that were learned from already. */
  const noted = new WeakSet<RecentRead>();
  const learned = new LRUCache<LedgerId, Learned>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ rarity }) => LEDGER_BYTES + rarity.size(),
  });

  async function learn(ledger: LedgerId, known: Learned): Promise<void> {
    if (performance.now() - known.at < LEARN_AGAIN) return;
    const { rows } = await withLedgerErrors(db.query<Row>({ ...LEARN, values: [ledger, known.since] }));
    // The oldest first, so that what was read lately is what is remembered.
    for (let end = rows.length; end > 0; end -= AT_ONCE) {
      const some = rows.slice(Math.max(0, end - AT_ONCE), end).reverse();
      const seqs = some.map(({ updated_seq }) => BigInt(updated_seq));
      const entries = await withLedgerErrors(readEntryRows(db, ledger, seqs));
      const byPosition = new Map(entries.map((entry) => [entry.seq, entry]));
      for (const row of some) {
        const reader = provenReader(ledger, row, byPosition.get(row.updated_seq));
        if (reader !== undefined) known.rarity.note(row.fingerprints, { source: Number(row.source), reader });
      }
      await setImmediate();
    }
    known.since = rows[0]?.made_at ?? known.since;
    known.at = performance.now();
  }

  async function noteOwn({ rarity }: Learned, reads: readonly RecentRead[]): Promise<void> {
    let count = 0;
    for (const read of reads) {
      const { values, source, reader } = read;
      if (noted.has(read) || typeof values === "string" || source === undefined) continue;
      rarity.note(values, { source, reader });
      noted.add(read);
      count += 1;
      if (count % AT_ONCE === 0) await setImmediate();
    }
  }

  return async (ledger, reads) => {
    const known = learned.get(ledger) ?? {
      rarity: createRarity(),
      since: new Date(0),
      at: Number.NEGATIVE_INFINITY,
      noting: Promise.resolve(),
    };
    if (!learned.has(ledger)) learned.set(ledger, known);
    // One after the other, so that nobody decides by what is learned in part.
    const noting = known.noting.then(async () => {
      await learn(ledger, known);
      await noteOwn(known, reads);
      learned.set(ledger, known);
    });
    known.noting = noting.catch(() => undefined);
    await noting;
    return known.rarity;
  };
}

/** Who read it, where the entry is the completion that committed to this row. */
function provenReader(ledger: LedgerId, row: Row, entryRow: EntryRow | undefined): number | undefined {
  if (entryRow === undefined) return undefined;
  const entry = provenEntry(ledger, entryRow);
  const fact = factOf(entry);
  if (fact.type !== "ACTION_COMPLETED" || fact.fingerprints?.digest !== row.digest) return undefined;
  const { salt, fingerprints } = row;
  const digest = digestOfSet({ salt, source: Number(row.source), fingerprints });
  return digest === row.digest ? readerOf(entry) : undefined;
}
