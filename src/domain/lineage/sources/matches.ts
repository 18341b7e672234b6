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
import { spellingsAt, type Written } from "../fingerprints/written.ts";
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

/** How the values that `written` shares with the first of `reads` were read, where what was read is still there. */
export type FindMatches = (
  ledger: LedgerId,
  written: Written,
  reads: readonly Shares[],
) => Promise<ReadonlyMap<RecentRead, Matches>>;

export interface FindMatchesOptions {
  readonly db: Queryable;
  readonly keyOf: FingerprintKeys;
  readonly maker: Pick<FingerprintMaker, "places">;
}

/** Edges of which it is looked up where their values were read. */
const MOST_LOOKED_UP = 5;
/** Bytes of fingerprints of a read of which it is looked up: more take long, and of them few are near the beginning, where paths are shown. */
const LARGEST = 128 * 1024;
/** Bytes of what is remembered of reads, which has nothing of their text: writes come in a row. */
const MAX_BYTES = 32 * 1024 * 1024;

export function createFindMatches({ db, keyOf, maker }: FindMatchesOptions): FindMatches {
  const known = new LRUCache<string, Places>({
    maxSize: MAX_BYTES,
    sizeCalculation: (places) => 1_000 + sizeOfPlaces(places),
  });
  const pending = new Map<string, Promise<Places | undefined>>();

  /** Where the values of a completed read are; undefined where it is not there any more, or took too long. */
  async function placesAt(ledger: LedgerId, completed: bigint): Promise<Places | undefined> {
    const [entry] = await withLedgerErrors(readEntries(db, ledger, [completed]));
    const result = entry && valueAt(entry, "result");
    if (result === undefined || result instanceof Withheld) return undefined;
    return maker.places(keyOf(ledger), canonicalize(result));
  }

  async function placesOf(ledger: LedgerId, completed: bigint): Promise<Places | undefined> {
    const name = `${ledger} ${completed}`;
    const found = known.get(name);
    if (found !== undefined) return found;
    const one = pending.get(name) ?? placesAt(ledger, completed).finally(() => pending.delete(name));
    pending.set(name, one);
    const places = await one;
    if (places !== undefined) known.set(name, places);
    return places;
  }

  return async (ledger, written, reads) => {
    const found = new Map<RecentRead, Matches>();
    await Promise.all(
      reads.slice(0, MOST_LOOKED_UP).map(async ([read, { shared }]) => {
        const isSmall = typeof read.values !== "string" && read.values.byteLength <= LARGEST;
        const places = read.completed === undefined || !isSmall ? undefined : await placesOf(ledger, read.completed);
        if (places === undefined) return;
        const matches = shared.flatMap(({ fingerprint }): (readonly [Fingerprint, Match])[] => {
          const place = placeAt(places, fingerprint);
          return place === undefined ? [] : [[fingerprint, matchOf(place, spellingsAt(written, fingerprint))]];
        });
        found.set(read, new Map(matches));
      }),
    );
    return found;
  };
}

function matchOf({ leaf, spelling }: Place, written: readonly number[]): Match {
  const isWhole = spelling !== undefined && written.length > 0;
  return { leaf, match: !isWhole ? "PARTIAL" : written.includes(spelling) ? "EXACT" : "NORMALISED" };
}
