import type { JsonValue } from "../../../facts/canonical.ts";
import { leavesOf } from "../values/leaves.ts";
import type { Fingerprint, Fingerprinter } from "./digest.ts";
import { type Feature, featuresOf, type Omitted } from "./features.ts";
import { spellingOf } from "./spelling.ts";

/**
 * What is to be written, as it is compared with what was read: features in columns, since there can be many, of which few are found, and
 * columns cost nothing to hand from one thread to another.
 */
export interface Written {
  readonly fingerprints: Float64Array<ArrayBuffer>;
  /** Of each feature: weight, start, end, path, path of a second value or -1, part, and of a whole value how it is written or -1. */
  readonly rest: Float64Array<ArrayBuffer>;
  readonly paths: readonly string[];
  /** Where its values are, those that are too short to be compared included. */
  readonly leaves: readonly string[];
  /** How much was not looked at, because there was too much. */
  readonly omitted: number;
}

/** Values whose places are given. */
const MAX_LEAVES = 1_000;
const COLUMNS = 7;
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
  for (const feature of featuresOf(value, fingerprinter, true, omitted)) {
    const { fingerprint, weight, start, end, path, and, part, text } = feature;
    fingerprints.push(fingerprint);
    const second = and === undefined ? -1 : placeOf(and);
    rest.push(weight, start, end, placeOf(path), second, PARTS.indexOf(part), part === "WHOLE" ? spellingOf(text) : -1);
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

/** Those features of `written` that have one of these fingerprints. `most`: of each, the first so many. */
export function featuresAt(
  written: Written,
  found: ReadonlySet<Fingerprint>,
  most = Number.POSITIVE_INFINITY,
): readonly Feature[] {
  const places = indexOf(written);
  // Whichever has fewer is gone through.
  const [few, has] = found.size < places.size ? [found.keys(), places] : [places.keys(), found];
  const numbers = [...few].flatMap((fingerprint) =>
    has.has(fingerprint) ? (places.get(fingerprint) ?? []).slice(0, most) : [],
  );
  return numbers.sort((one, other) => one - other).map((at) => featureAt(written, at));
}

/** Where each fingerprint is among the features, made once: a write is compared with many reads. */
const indexes = new WeakMap<Written, ReadonlyMap<Fingerprint, readonly number[]>>();

function indexOf(written: Written): ReadonlyMap<Fingerprint, readonly number[]> {
  const known = indexes.get(written);
  if (known !== undefined) return known;
  const made = new Map<Fingerprint, number[]>();
  for (const [at, fingerprint] of written.fingerprints.entries()) {
    const places = made.get(fingerprint);
    if (places === undefined) made.set(fingerprint, [at]);
    else places.push(at);
  }
  indexes.set(written, made);
  return made;
}

/** How the whole values of `written` with this fingerprint are written. */
export function spellingsAt(written: Written, fingerprint: Fingerprint): readonly number[] {
  const found = indexOf(written).get(fingerprint) ?? [];
  return found.map((at) => written.rest[at * COLUMNS + 6] as number).filter((spelling) => spelling >= 0);
}

function featureAt({ fingerprints, rest, paths }: Written, at: number): Feature {
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
  return { fingerprint: fingerprints[at] as number, weight, ...place, ...(and === undefined ? {} : { and }) };
}

/**
 * The paths of values of which something is left that tells as much as `least`, beside these places of them: a list of starts and ends in UTF-16 code units,
 * or undefined for the whole value.
 */
export function pathsBeyond(
  { fingerprints, rest, paths }: Written,
  places: ReadonlyMap<string, readonly (readonly [start: number, end: number])[] | undefined>,
  least: number,
): ReadonlySet<string> {
  const beyond = new Set<string>();
  for (let at = 0; at < fingerprints.length; at += 1) {
    const [weight, start, end, number] = rest.subarray(at * COLUMNS, at * COLUMNS + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    const path = paths[number] ?? "";
    if (beyond.has(path)) continue;
    if (!places.has(path)) beyond.add(path);
    else if (weight >= least && places.get(path)?.every(([from, to]) => end <= from || to <= start) === true) {
      beyond.add(path);
    }
  }
  return beyond;
}
