import { LRUCache } from "lru-cache";
import { canonicalize } from "../../../facts/canonical.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import { type Queryable, readEntries } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import type { Evidence } from "../fingerprints/evidence.ts";
import { type Place, type Places, placeAt, sizeOfPlaces } from "../fingerprints/places.ts";
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
/** Bytes of what is remembered of reads while the writes of one batch are looked at. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Makes one for the writes of each batch: what was read is fetched and looked at once for all of them. */
export function createFindMatches({ db, keyOf, maker }: FindMatchesOptions): () => FindMatches {
  /** Where the values of a completed read are; undefined where it is not there any more, or took too long. */
  async function placesAt(ledger: LedgerId, completed: bigint): Promise<Places | undefined> {
    const [entry] = await withLedgerErrors(readEntries(db, ledger, [completed]));
    const result = entry && valueAt(entry, "result");
    if (result === undefined || result instanceof Withheld) return undefined;
    return maker.places(keyOf(ledger), canonicalize(result), "READ");
  }

  return () => {
    const known = new LRUCache<bigint, { readonly places: Places | undefined }>({
      maxSize: MAX_BYTES,
      sizeCalculation: ({ places }) => 1_000 + (places === undefined ? 0 : sizeOfPlaces(places)),
    });
    const pending = new Map<bigint, Promise<Places | undefined>>();

    async function placesOf(ledger: LedgerId, completed: bigint): Promise<Places | undefined> {
      const found = known.get(completed);
      if (found !== undefined) return found.places;
      const one = pending.get(completed) ?? placesAt(ledger, completed).finally(() => pending.delete(completed));
      pending.set(completed, one);
      const places = await one;
      known.set(completed, { places });
      return places;
    }

    return async (ledger, given, reads) => {
      const top = reads.slice(0, MOST_LOOKED_UP);
      if (top.length === 0) return new Map();
      const written = await maker.places(keyOf(ledger), given, "WRITE");
      const found = await Promise.all(
        top.map(async ([{ completed }, { shared }]) => {
          const places = completed === undefined ? undefined : await placesOf(ledger, completed);
          if (places === undefined) return undefined;
          return new Map(
            shared.flatMap(({ fingerprint }): (readonly [Fingerprint, Match])[] => {
              const place = placeAt(places, fingerprint);
              return place === undefined
                ? []
                : [[fingerprint, matchOf(place, written && placeAt(written, fingerprint))]];
            }),
          );
        }),
      );
      return new Map(top.flatMap(([read], at) => (found[at] === undefined ? [] : [[read, found[at]]])));
    };
  };
}

function matchOf(read: Place, written: Place | undefined): Match {
  const isWhole = read.isWhole && written?.isWhole === true;
  const match = !isWhole ? "PARTIAL" : read.raw === written.raw ? "EXACT" : "NORMALISED";
  return { leaf: read.leaf, match };
}
