import { canonicalize } from "../../../facts/canonical.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import { type Queryable, readEntries } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import type { Evidence } from "../fingerprints/evidence.ts";
import type { Place } from "../fingerprints/places.ts";
import type { RecentRead } from "./recent-reads.ts";
import type { FingerprintKeys } from "./recorder.ts";

/** Where a value was read: its number in the result. EXACT: character by character as it is to be written. NORMALISED: in another form. PARTIAL: within a text, there or here. */
export interface Match {
  /** Counted from 1, as `leavesOf` gives them; a path would have names of what was read. */
  readonly leaf: number;
  readonly match: "EXACT" | "NORMALISED" | "PARTIAL";
}
export type Matches = ReadonlyMap<Fingerprint, Match>;

/** A read, and what a write shares with it. */
export type Edge = readonly [RecentRead, Evidence];
export type Shares = readonly [RecentRead, { readonly shared: readonly { readonly fingerprint: Fingerprint }[] }];

/** How the values that a write with arguments `given` (RFC 8785 text) shares with the first of `reads` were read, where what was read is still there. */
export type FindMatches = (
  ledger: LedgerId,
  given: string,
  reads: readonly Shares[],
) => Promise<ReadonlyMap<RecentRead, Matches>>;

export interface FindMatchesOptions {
  readonly db: Queryable;
  readonly keyOf: FingerprintKeys;
  readonly maker: Pick<FingerprintMaker, "places">;
}

/** Edges of which it is looked up where their values were read. */
const MOST_LOOKED_UP = 5;

export function createFindMatches({ db, keyOf, maker }: FindMatchesOptions): FindMatches {
  return async (ledger, given, reads) => {
    const top = reads.slice(0, MOST_LOOKED_UP);
    if (top.length === 0) return new Map();
    const seqs = top.flatMap(([{ completed }]) => completed ?? []);
    const entries = new Map((await withLedgerErrors(readEntries(db, ledger, seqs))).map((entry) => [entry.seq, entry]));
    const key = keyOf(ledger);
    const all = new Set(top.flatMap(([, { shared }]) => shared.map(({ fingerprint }) => fingerprint)));
    const there = byFingerprint(await maker.places(key, given, "WRITE", all));
    const found = await Promise.all(
      top.map(async ([{ completed }, { shared }]) => {
        const entry = entries.get(completed ?? -1n);
        const result = entry && valueAt(entry, "result");
        if (result === undefined || result instanceof Withheld) return undefined;
        const wanted = new Set(shared.map(({ fingerprint }) => fingerprint));
        const places = await maker.places(key, canonicalize(result), "READ", wanted);
        return (
          places && new Map(places.map((place) => [place.fingerprint, matchOf(place, there.get(place.fingerprint))]))
        );
      }),
    );
    return new Map(top.flatMap(([read], at) => (found[at] === undefined ? [] : [[read, found[at]]])));
  };
}

const byFingerprint = (places: readonly Place[] = []) => new Map(places.map((place) => [place.fingerprint, place]));

function matchOf(read: Place, written: Place | undefined): Match {
  const isWhole = read.isWhole && written?.isWhole === true;
  const match = !isWhole ? "PARTIAL" : read.raw === written.raw ? "EXACT" : "NORMALISED";
  return { leaf: read.leaf, match };
}
