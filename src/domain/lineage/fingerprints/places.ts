import type { JsonValue } from "../../../facts/canonical.ts";
import type { Fingerprint, Fingerprinter } from "./digest.ts";
import { featuresOf } from "./features.ts";

/** Where a value is. */
export interface Place {
  /** The number of the value, from 1. */
  readonly leaf: number;
  readonly isWhole: boolean;
  /** As it is written there. */
  readonly raw: string;
}

/** The places of all values, in columns: there can be many, of which few are asked for, and columns cost nothing to hand from one thread to another. */
export interface Places {
  /** In ascending order. */
  readonly fingerprints: Float64Array<ArrayBuffer>;
  /** Of each fingerprint: the number of its value, and where its raw text ends in `text`, negative of what is within a text. It begins where that before ends. */
  readonly rest: Float64Array<ArrayBuffer>;
  readonly text: string;
}

/** The first place of each value in `value`, rather of a whole one than within a text. */
export function placesOf(value: JsonValue, fingerprinter: Fingerprinter, isWrite: boolean): Places {
  const found = new Map<Fingerprint, Place>();
  for (const { fingerprint, leaf, text, start, end, part } of featuresOf(value, fingerprinter, isWrite, { count: 0 })) {
    const isWhole = part === "WHOLE";
    const known = found.get(fingerprint);
    if (known !== undefined && (known.isWhole || !isWhole)) continue;
    found.set(fingerprint, { leaf, isWhole, raw: text.slice(start, end) });
  }
  const sorted = [...found].sort(([one], [other]) => one - other);
  const rest = new Float64Array(sorted.length * 2);
  const texts: string[] = [];
  let length = 0;
  for (const [at, [, { leaf, isWhole, raw }]] of sorted.entries()) {
    texts.push(raw);
    length += raw.length;
    rest.set([leaf, isWhole ? length : -length], at * 2);
  }
  return { fingerprints: Float64Array.from(sorted, ([one]) => one), rest, text: texts.join("") };
}

/** The place of the value with this fingerprint. */
export function placeAt({ fingerprints, rest, text }: Places, fingerprint: Fingerprint): Place | undefined {
  let [from, to] = [0, fingerprints.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((fingerprints[middle] as number) < fingerprint) from = middle + 1;
    else to = middle;
  }
  if (fingerprints[from] !== fingerprint) return undefined;
  const start = from === 0 ? 0 : Math.abs(rest[from * 2 - 1] as number);
  const [leaf, end] = [rest[from * 2] as number, rest[from * 2 + 1] as number];
  return { leaf, raw: text.slice(start, Math.abs(end)), isWhole: end > 0 };
}

/** Bytes of memory that they take, roughly. */
export const sizeOfPlaces = ({ fingerprints, text }: Places) => 24 * fingerprints.length + 2 * text.length;
