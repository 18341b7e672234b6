import { createHash } from "node:crypto";
import type { JsonValue } from "../../../facts/canonical.ts";
import { FINGERPRINT_BYTES, type Fingerprint, type Fingerprinter } from "./digest.ts";
import { featuresOf, type Omitted } from "./features.ts";

/** The fingerprints of what was read. */
export interface ReadSet {
  /** Each of FINGERPRINT_BYTES, big-endian, in ascending order, none twice. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Values that were not looked at, and fingerprints that were left out, because there were too many. */
  readonly omitted: number;
}

/** The fingerprints of `result`, whose JSON has `size` bytes: those that tell most, where all would take more bytes than that. */
export function readSetOf(result: JsonValue, size: number, fingerprinter: Fingerprinter): ReadSet {
  const omitted: Omitted = { count: 0 };
  const weights = new Map<Fingerprint, number>();
  for (const { fingerprint, weight } of featuresOf(result, fingerprinter, false, omitted)) {
    if ((weights.get(fingerprint) ?? 0) < weight) weights.set(fingerprint, weight);
  }
  const room = Math.floor(size / FINGERPRINT_BYTES);
  const left = Math.max(0, weights.size - room);
  const kept = left === 0 ? [...weights.keys()] : heaviest(weights, room);
  return { bytes: packed(kept), omitted: omitted.count + left };
}

function heaviest(weights: ReadonlyMap<Fingerprint, number>, count: number): readonly Fingerprint[] {
  const sorted = [...weights].sort(([, one], [, other]) => other - one);
  return sorted.slice(0, count).map(([fingerprint]) => fingerprint);
}

function packed(fingerprints: readonly Fingerprint[]): Uint8Array<ArrayBuffer> {
  const sorted = Float64Array.from(fingerprints).sort();
  const bytes = new Uint8Array(sorted.length * FINGERPRINT_BYTES);
  const buffer = Buffer.from(bytes.buffer);
  for (const [at, one] of sorted.entries()) buffer.writeUIntBE(one, at * FINGERPRINT_BYTES, FINGERPRINT_BYTES);
  return bytes;
}

/** The fingerprints that `bytes` hold. */
export function* unpacked(bytes: Uint8Array): Generator<Fingerprint> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + FINGERPRINT_BYTES <= buffer.length; at += FINGERPRINT_BYTES) {
    yield buffer.readUIntBE(at, FINGERPRINT_BYTES);
  }
}

/** Those of `wanted` that `bytes` hold. */
export function foundIn(bytes: Uint8Array, wanted: ReadonlySet<Fingerprint>): ReadonlySet<Fingerprint> {
  const found = new Set<Fingerprint>();
  const count = bytes.byteLength / FINGERPRINT_BYTES;
  if (wanted.size * Math.log2(count + 1) > count) {
    for (const one of unpacked(bytes)) if (wanted.has(one)) found.add(one);
    return found;
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const one of wanted) {
    let [from, to] = [0, count];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const there = buffer.readUIntBE(middle * FINGERPRINT_BYTES, FINGERPRINT_BYTES);
      if (there === one) found.add(one);
      if (there < one) from = middle + 1;
      else to = middle;
    }
  }
  return found;
}

/** A set as it is stored. */
export interface StoredSet {
  /** SALT_BYTES that are kept nowhere else: without them, the digest confirms no guess. */
  readonly salt: Uint8Array;
  /** What was asked for. */
  readonly source: Fingerprint;
  readonly fingerprints: Uint8Array;
}
export const SALT_BYTES = 16;

/** What an entry commits to of a set: SHA-256 of salt, source (FINGERPRINT_BYTES, big-endian) and fingerprints, in lower-case hex. */
export function digestOfSet({ salt, source, fingerprints }: StoredSet): string {
  const asked = Buffer.alloc(FINGERPRINT_BYTES);
  asked.writeUIntBE(source, 0, FINGERPRINT_BYTES);
  return createHash("sha256").update(salt).update(asked).update(fingerprints).digest("hex");
}
