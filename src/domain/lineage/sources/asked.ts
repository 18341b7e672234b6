import { canonicalize } from "../../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import { type Queryable, readEntries } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import type { RecentRead } from "./recent-reads.ts";
import type { FingerprintKeys } from "./recorder.ts";

/** What each of `reads` was asked with: values that it has of these may only be repeated, and were known before. Undefined: nobody knows. Throws LedgerUnavailableError. */
export type FindAsked = (
  ledger: LedgerId,
  reads: readonly RecentRead[],
) => Promise<(read: RecentRead) => ReadonlySet<Fingerprint> | undefined>;

export interface FindAskedOptions {
  readonly db: Queryable;
  readonly keyOf: FingerprintKeys;
  readonly maker: Pick<FingerprintMaker, "ofWrite">;
}

/** Reads whose arguments are read at once. */
const AT_ONCE = 50;

export function createFindAsked({ db, keyOf, maker }: FindAskedOptions): FindAsked {
  const known = new WeakMap<RecentRead, ReadonlySet<Fingerprint>>();

  async function askedIn(ledger: LedgerId, entry: LedgerEntry): Promise<ReadonlySet<Fingerprint> | undefined> {
    const given = entry.type === "ACTION_PROPOSED" ? valueAt(entry, "arguments") : undefined;
    if (given === undefined || given instanceof Withheld) return undefined;
    const made = await maker.ofWrite(keyOf(ledger), canonicalize(given));
    return made && new Set(made.fingerprints);
  }

  return async (ledger, reads) => {
    const fresh = reads.filter((read) => !known.has(read));
    for (let from = 0; from < fresh.length; from += AT_ONCE) {
      const some = fresh.slice(from, from + AT_ONCE);
      const positions = some.map(({ seq }) => seq);
      const entries = await withLedgerErrors(readEntries(db, ledger, positions));
      const proposals = new Map(entries.map((entry) => [entry.seq, entry]));
      for (const read of some) {
        const entry = proposals.get(read.seq);
        const asked = entry && (await askedIn(ledger, entry));
        if (asked !== undefined) known.set(read, asked);
      }
    }
    return (read) => known.get(read);
  };
}
