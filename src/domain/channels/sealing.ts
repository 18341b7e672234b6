import { deflateRawSync, inflateRawSync } from "node:zlib";
import { CompactEncrypt, compactDecrypt } from "jose";
import { parseJson } from "../../facts/parse-json.ts";

/** Bytes of a value, as JSON. */
const MAX_VALUE = 1024 * 1024;

/**
 * Encrypts what only servers of this installation may read, as a compact JWE (RFC 7516, `dir` with A256GCM). `purpose` is authenticated with it:
 * what was sealed for one cannot be opened for another.
 */
export interface Sealing {
  seal(purpose: string, value: unknown): Promise<string>;
  /** undefined: it was sealed with another key or for another purpose, or was altered. */
  open(purpose: string, sealed: string): Promise<unknown>;
}

/** @param key 32 bytes that every server of the installation has, and no database */
export function createSealing(key: Uint8Array): Sealing {
  return {
    async seal(purpose, value) {
      // Codes are entered in fields of chats, which take 3,000 characters, and name all groups of a person.
      const text = deflateRawSync(JSON.stringify(value));
      return new CompactEncrypt(text).setProtectedHeader({ alg: "dir", enc: "A256GCM", purpose }).encrypt(key);
    },
    async open(purpose, sealed) {
      try {
        const options = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };
        const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, options);
        if (protectedHeader.purpose !== purpose) return undefined;
        return parseJson(inflateRawSync(plaintext, { maxOutputLength: MAX_VALUE }).toString("utf8"));
      } catch {
        return undefined;
      }
    },
  };
}
