import type { JsonValue } from "./canonical.ts";
import type { LedgerId } from "./entry.ts";

/**
 * Signatures of facts, as FORMAT.md specifies them (section 6): a compact JWS with detached content (RFC 7515, appendix F)
 * over the body without its member `signature`. Runs in Node and in a browser; cryptography is a parameter.
 */

/** `typ` of no other token of the product, so that nothing else that a server signed is a signature of a fact (RFC 8725, 3.11). */
const HEADER =
  /^\{"alg":"EdDSA","iat":(?:0|[1-9]\d{0,14}),"kid":"(?<kid>[\w-]{1,128})","ledger":"(?<ledger>[a-z0-9-]{1,63}\/[a-z0-9-]{1,63})","typ":"countersign-fact\+jws"\}$/;
const JWS = /^(?<header>[\w-]{1,1024})\.\.(?<signature>[\w-]{86})$/;
/** The name of the member with what stands before it in a body: `id` and `actor` come first in every one. */
export const SIGNATURE_MEMBER = ',"signature":';

/** Whether `signature`, 64 bytes, is the Ed25519 signature of `bytes` by the key with this id, which is a known one. */
export type VerifySignature = (bytes: Uint8Array, signature: Uint8Array, kid: string) => boolean;

/** A public key that verifies signatures of facts, as a JWK (RFC 7517, RFC 8037). */
export interface FactKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  /** Seconds since 1970. Of a retired key: what was recorded later it did not sign. */
  readonly exp?: number | undefined;
}

/** What signatures are verified with. */
export interface SignatureKeys {
  readonly byId: ReadonlyMap<string, Pick<FactKey, "exp">>;
  readonly verify: VerifySignature;
}

/** An entry with the member `signature` of its body. */
export interface SignedEntry {
  /** The hashed text. */
  readonly text: string;
  readonly ledger: string;
  readonly recordedAt: string;
  readonly signature: JsonValue | undefined;
}

/** Whether `text` has the form of a signature. */
export function isSignature(text: string): boolean {
  return JWS.test(text);
}

/** The text of the protected header. `iat` is in seconds since 1970. */
export function signatureHeader({
  kid,
  ledger,
  iat,
}: {
  readonly kid: string;
  readonly ledger: LedgerId;
  readonly iat: number;
}): string {
  const text = `{"alg":"EdDSA","iat":${iat},"kid":"${kid}","ledger":"${ledger}","typ":"countersign-fact+jws"}`;
  if (!HEADER.test(text)) throw new TypeError(`no signature can have the header ${text}`);
  return text;
}

/** The bytes that are signed: the header in base64url, a dot, and the base64url text of the body without its signature. */
function signingInput(header: string, unsigned: string): Uint8Array {
  return toBase64url(encoder.encode(unsigned), `${header}.`);
}

/** Why the signature of `entry` is missing or not valid; undefined when it is valid. */
export function signatureProblem(entry: SignedEntry, keys: SignatureKeys): string | undefined {
  const { text, ledger, recordedAt, signature: jws } = entry;
  if (jws === undefined) return "the entry is not signed";
  const { header, signature } = (typeof jws === "string" && JWS.exec(jws)?.groups) || {};
  const [headerBytes, bytes] = [header && fromBase64url(header), signature && fromBase64url(signature)];
  const named = headerBytes && HEADER.exec(ascii(headerBytes))?.groups;
  if (!header || !bytes || !named) return "the signature is not of the form that signatures of facts have";
  if (named.ledger !== ledger) return `the signature is for ledger ${named.ledger}`;
  const kid = named.kid ?? "";
  const key = keys.byId.get(kid);
  if (key === undefined) return `the signature is by key ${kid}, which is not known`;
  // Not after it within the same second: `exp` has no fractions.
  if (key.exp !== undefined && !(Math.floor(Date.parse(recordedAt) / 1000) <= key.exp)) {
    return `the signature is by key ${kid}, which was retired before`;
  }
  const unsigned = unsignedBody(text, String(jws));
  if (unsigned === undefined) return "the signature is not where the canonical text of a body has it";
  return keys.verify(signingInput(header, unsigned), bytes, kid)
    ? undefined
    : `the signature is not one of these facts by key ${kid}`;
}

const BODY = '{"body":';
const BEHIND_BODY = ',"ledger":';
/** All that follows the body in the text of an entry: with a second member `body` there, readers would take that one. */
const REST =
  /^,"ledger":"[a-z0-9-]+\/[a-z0-9-]+","prevHash":"[0-9a-f]{64}","recordedAt":"[0-9TZ:.-]{27}","seq":"[1-9]\d{0,18}","v":1\}$/;

/**
 * The canonical text of the body of `entry` without its signature, taken from the canonical text of the entry. A signature
 * cannot be part of what it signs, so its text is found once where it is valid.
 */
function unsignedBody(entry: string, signature: string): string | undefined {
  const member = `${SIGNATURE_MEMBER}"${signature}"`;
  const at = entry.indexOf(member);
  const end = entry.lastIndexOf(BEHIND_BODY);
  if (!entry.startsWith(BODY) || at < BODY.length || at + member.length > end) return undefined;
  if (!REST.test(entry.slice(end))) return undefined;
  return entry.slice(BODY.length, at) + entry.slice(at + member.length, end);
}

const encoder = new TextEncoder();
const DIGITS = encoder.encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const VALUES = new Int8Array(128).fill(-1);
for (const [value, digit] of DIGITS.entries()) VALUES[digit] = value;

/** The base64url text (RFC 7515, section 2) of `bytes` behind `prefix`, in ASCII. Browsers have nothing that is as fast. */
function toBase64url(bytes: Uint8Array, prefix = ""): Uint8Array {
  const text = new Uint8Array(prefix.length + Math.ceil((bytes.length * 4) / 3));
  encoder.encodeInto(prefix, text);
  let to = prefix.length;
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const three = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text[to++] = DIGITS[three >> 18]!;
    text[to++] = DIGITS[(three >> 12) & 63]!;
    if (left > 1) text[to++] = DIGITS[(three >> 6) & 63]!;
    if (left > 2) text[to++] = DIGITS[three & 63]!;
  }
  return text;
}

/** The bytes of a base64url text; undefined for one that no encoder writes. */
function fromBase64url(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let [held, bits, to] = [0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const value = VALUES[text.charCodeAt(at)] ?? -1;
    if (value < 0) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[to++] = held >> bits;
    held &= (1 << bits) - 1;
  }
  return held === 0 && bits < 6 ? bytes : undefined;
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
