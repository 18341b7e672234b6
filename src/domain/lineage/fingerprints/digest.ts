import { createHmac, createSecretKey } from "node:crypto";

/** Bytes of a fingerprint: the first of an HMAC-SHA-256. */
export const FINGERPRINT_BYTES = 6;

/** A whole number below 2^48 that tells nothing of what it was made of to whoever has not the key. */
export type Fingerprint = number;

/** Makes fingerprints with `key`, which is of one organization and region: others have different ones of the same value. */
export type Fingerprinter = (form: string) => Fingerprint;

export function createFingerprinter(key: Uint8Array): Fingerprinter {
  // Taking the bytes for each costs five times as much.
  const secret = createSecretKey(key);
  return (form) => createHmac("sha256", secret).update(form).digest().readUIntBE(0, FINGERPRINT_BYTES);
}
