import type { JsonValue } from "../../../facts/canonical.ts";
import type { Fingerprint, Fingerprinter } from "./digest.ts";
import { featuresOf } from "./features.ts";
import { spellingOf } from "./spelling.ts";

/** Where a value is. */
export interface Place {
  /** The number of the value, from 1. */
  readonly leaf: number;
  /** How a whole value is written; undefined: it is within a text. */
  readonly spelling: number | undefined;
}

/** The places of all values, in columns: there can be many, of which few are asked for, and columns cost nothing to hand from one thread to another. */
export interface Places {
  /** In ascending order. */
  readonly fingerprints: Float64Array<ArrayBuffer>;
  /** Of each: the number of its value, and how it is written or -1. */
  readonly rest: Float64Array<ArrayBuffer>;
}

/** The first place of each value in what was read, rather of a whole one than within a text. */
export function placesOf(value: JsonValue, fingerprinter: Fingerprinter): Places {
  const found = new Map<Fingerprint, Place>();
  for (const { fingerprint, leaf, text, part } of featuresOf(value, fingerprinter, false, { count: 0 })) {
    const isWhole = part === "WHOLE";
    const known = found.get(fingerprint);
    if (known !== undefined && (known.spelling !== undefined || !isWhole)) continue;
    found.set(fingerprint, { leaf, spelling: isWhole ? spellingOf(text) : undefined });
  }
  const sorted = [...found].sort(([one], [other]) => one - other);
  const rest = new Float64Array(sorted.length * 2);
  for (const [at, [, { leaf, spelling = -1 }]] of sorted.entries()) rest.set([leaf, spelling], at * 2);
  return { fingerprints: Float64Array.from(sorted, ([one]) => one), rest };
}

/** The place of the value with this fingerprint. */
export function placeAt({ fingerprints, rest }: Places, fingerprint: Fingerprint): Place | undefined {
  let [from, to] = [0, fingerprints.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((fingerprints[middle] as number) < fingerprint) from = middle + 1;
    else to = middle;
  }
  if (fingerprints[from] !== fingerprint) return undefined;
  const [leaf, spelling] = [rest[from * 2] as number, rest[from * 2 + 1] as number];
  return { leaf, spelling: spelling < 0 ? undefined : spelling };
}

/** Bytes of memory that they take, roughly. */
export const sizeOfPlaces = ({ fingerprints }: Places) => 24 * fingerprints.length;
