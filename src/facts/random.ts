import { randomFillSync } from "node:crypto";
import { v7 } from "uuid";

/** Bytes that `randomBytes16` returns. */
export const RANDOM_BYTES = 16;

// Asking for 16 bytes costs as much as asking for 4096.
const pool = new Uint8Array(RANDOM_BYTES * 256);
let used = pool.length;

/** 16 bytes from a cryptographic generator. Valid until the next call: copy what you keep. */
export function randomBytes16(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += RANDOM_BYTES;
  return pool.subarray(used - RANDOM_BYTES, used);
}

/** A new UUID of version 7 (RFC 9562, section 5.7). Those of one millisecond are in no order. */
export function newId(): string {
  return v7({ random: randomBytes16() });
}
