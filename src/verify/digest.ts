import type { Sha256 } from "./rows.ts";

/**
 * A digest of a set of texts that does not depend on their order: the XOR of the keyed hash of each. Two sets are compared
 * by it without either being kept. The key is random and used for one comparison: without it nobody can choose texts that
 * cancel out.
 */
export interface SetDigest {
  add(text: string): void;
  /** 32 hex digits; as many zeros when every text was added an even number of times. */
  value(): string;
}

const WORDS = [0, 8, 16, 24] as const;
const encoder = new TextEncoder();

/** `key`: 32 random characters or more. */
export function createSetDigest(key: string, sha256: Sha256): SetDigest {
  const prefix = encoder.encode(key);
  let bytes = new Uint8Array(prefix.length + 4_096);
  bytes.set(prefix);
  const sum = new Uint32Array(WORDS.length);
  return {
    add(text) {
      // A UTF-16 code unit takes three bytes of UTF-8 at most.
      const length = prefix.length + text.length * 3;
      if (length > bytes.length) {
        bytes = new Uint8Array(length);
        bytes.set(prefix);
      }
      const { written } = encoder.encodeInto(text, bytes.subarray(prefix.length));
      const hash = sha256(bytes.subarray(0, prefix.length + written));
      for (const [word, at] of WORDS.entries()) sum[word]! ^= Number.parseInt(hash.slice(at, at + 8), 16);
    },
    value: () => [...sum].map((word) => word.toString(16).padStart(8, "0")).join(""),
  };
}

export const EMPTY_DIGEST = "0".repeat(32);

/** The digest of what is in one of two sets and not in the other. */
export function combine(a: string, b: string): string {
  return (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(16).padStart(32, "0");
}
