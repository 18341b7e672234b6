import type { JsonValue } from "../../../facts/canonical.ts";
import type { Fingerprint, Fingerprinter } from "./digest.ts";
import { featuresOf } from "./features.ts";

/** Where a value is, of those that are looked for. */
export interface Place {
  readonly fingerprint: Fingerprint;
  /** The number of the value, from 1. */
  readonly leaf: number;
  readonly isWhole: boolean;
  /** As it is written there. */
  readonly raw: string;
}

/** The first place of each of `wanted` in `value`, rather of a whole value than within a text. */
export function placesOf(
  value: JsonValue,
  fingerprinter: Fingerprinter,
  isWrite: boolean,
  wanted: ReadonlySet<Fingerprint>,
): readonly Place[] {
  const found = new Map<Fingerprint, Place>();
  for (const { fingerprint, leaf, text, start, end, part } of featuresOf(value, fingerprinter, isWrite, { count: 0 })) {
    if (!wanted.has(fingerprint)) continue;
    const isWhole = part === "WHOLE";
    const known = found.get(fingerprint);
    if (known !== undefined && (known.isWhole || !isWhole)) continue;
    found.set(fingerprint, { fingerprint, leaf, isWhole, raw: text.slice(start, end) });
  }
  return [...found.values()];
}
