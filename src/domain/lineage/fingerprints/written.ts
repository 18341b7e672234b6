import type { JsonValue } from "../../../facts/canonical.ts";
import { leavesOf } from "../values/leaves.ts";
import type { Fingerprint, Fingerprinter } from "./digest.ts";
import { type Feature, featuresOf, type Omitted } from "./features.ts";

/**
 * What is to be written, as it is compared with what was read: features in columns, since there can be many, of which few are found, and
 * columns cost nothing to hand from one thread to another.
 */
export interface Written {
  readonly fingerprints: Float64Array<ArrayBuffer>;
  /** Of each feature: weight, start, end, path, path of a second value or -1, part. */
  readonly rest: Float64Array<ArrayBuffer>;
  readonly paths: readonly string[];
  /** Where its values are, those that are too short to be compared included. */
  readonly leaves: readonly string[];
  /** How much was not looked at, because there was too much. */
  readonly omitted: number;
}

/** Values whose places are given. */
const MAX_LEAVES = 1_000;
const COLUMNS = 6;
const PARTS = ["WHOLE", "PART", "TEXT"] as const;

/** What is compared of `value`. */
export function writtenOf(value: JsonValue, fingerprinter: Fingerprinter): Written {
  const omitted: Omitted = { count: 0 };
  const fingerprints: number[] = [];
  const rest: number[] = [];
  const paths = new Map<string, number>();
  const placeOf = (path: string) => {
    const known = paths.get(path) ?? paths.size;
    paths.set(path, known);
    return known;
  };
  for (const { fingerprint, weight, start, end, path, and, part } of featuresOf(value, fingerprinter, true, omitted)) {
    fingerprints.push(fingerprint);
    const second = and === undefined ? -1 : placeOf(and);
    rest.push(weight, start, end, placeOf(path), second, PARTS.indexOf(part));
  }
  return {
    fingerprints: Float64Array.from(fingerprints),
    rest: Float64Array.from(rest),
    paths: [...paths.keys()],
    leaves: [...placesOf(value)],
    omitted: omitted.count,
  };
}

/** Each place once, though several values are at one, as the lines of a text are. */
function placesOf(value: JsonValue): ReadonlySet<string> {
  const places = new Set<string>();
  for (const { path } of leavesOf(value)) {
    places.add(path);
    if (places.size === MAX_LEAVES) break;
  }
  return places;
}

/** Those features of `written` that have one of these fingerprints. */
export function featuresAt(written: Written, has: (fingerprint: Fingerprint) => boolean): readonly Feature[] {
  const { fingerprints, rest, paths } = written;
  const found: Feature[] = [];
  for (const [at, fingerprint] of fingerprints.entries()) {
    if (!has(fingerprint)) continue;
    const [weight, start, end, path, second, part] = rest.subarray(at * COLUMNS, (at + 1) * COLUMNS) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const place = { path: paths[path] ?? "", start, end, part: PARTS[part] ?? "TEXT" };
    const and = paths[second];
    found.push({ fingerprint, weight, ...place, ...(and === undefined ? {} : { and }) });
  }
  return found;
}
