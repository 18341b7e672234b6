import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { sha256Of } from "./sha256.ts";

/** `sha256:` and 64 lowercase hex digits: how a hash looks wherever people or clients see one. */
export type Hash = `sha256:${string}`;

/** 64 lowercase hex digits: how a hash looks inside an entry, and what `sha256sum` prints. */
export function sha256Hex(text: string): string {
  return sha256Of(utf8ToBytes(text));
}

/** The SHA-256 of the UTF-8 bytes of `text`. */
export function hashText(text: string): Hash {
  return `sha256:${sha256Hex(text)}`;
}

export function hashFromHex(hex: string): Hash {
  return `sha256:${hex}`;
}

/** The 64 hex digits of `hash`, or undefined when it is not one. */
export function hexFromHash(hash: string): string | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(hash) ? hash.slice(7) : undefined;
}

/** A UUIDv8 (RFC 9562, section 5.8) made of the SHA-256 of `name`: the same name has the same id everywhere. */
export function uuidOf(name: string): string {
  const bytes = sha256(utf8ToBytes(name)).subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytesToHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
