import { canonicalize } from "../../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import { type Queryable, readEntries } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import type { RecentRead } from "./recent-reads.ts";
import type { FingerprintKeys } from "./recorder.ts";

/** What each of `reads` was asked with: values that it has of these may only be repeated, and were known before. Throws LedgerUnavailableError. */
export type FindAsked = (
  ledger: LedgerId,
  reads: readonly RecentRead[],
) => Promise<(read: RecentRead) => ReadonlySet<Fingerprint>>;

export interface FindAskedOptions {
  readonly db: Queryable;
  readonly keyOf: FingerprintKeys;
  readonly maker: Pick<FingerprintMaker, "ofWrite">;
}

/** Reads whose arguments are looked at for one write, the latest, and characters of arguments: longer ones are no question that is repeated. */
const MOST_READS = 100;
const LONGEST = 4 * 1024;
const NOTHING: ReadonlySet<Fingerprint> = new Set();

export function createFindAsked({ db, keyOf, maker }: FindAskedOptions): FindAsked {
  const known = new WeakMap<RecentRead, ReadonlySet<Fingerprint>>();

  async function askedIn(ledger: LedgerId, entry: LedgerEntry): Promise<ReadonlySet<Fingerprint>> {
    const given = valueAt(entry, "arguments");
    if (given === undefined || given instanceof Withheld) return NOTHING;
    const text = canonicalize(given);
    if (text.length > LONGEST) return NOTHING;
    return new Set((await maker.ofWrite(keyOf(ledger), text))?.fingerprints);
  }

  return async (ledger, reads) => {
    const fresh = reads.filter((read) => !known.has(read)).slice(-MOST_READS);
    if (fresh.length > 0) {
      const positions = fresh.map(({ seq }) => seq);
      const entries = await withLedgerErrors(readEntries(db, ledger, positions));
      const proposals = new Map(entries.map((entry) => [entry.seq, entry]));
      for (const read of fresh) {
        const entry = proposals.get(read.seq);
        known.set(read, entry === undefined ? NOTHING : await askedIn(ledger, entry));
      }
    }
    return (read) => known.get(read) ?? NOTHING;
  };
}
