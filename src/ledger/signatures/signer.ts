import { type KeyObject, sign } from "node:crypto";
import type { LedgerId } from "../../facts/entry.ts";
import { signatureHeader } from "../../facts/signature.ts";

/** Signs the RFC 8785 text of a body for `ledger`; returns what its member `signature` is. */
export type FactSigner = (ledger: LedgerId, unsigned: string) => string;

/** An Ed25519 private key, and the id of its public key among those that verifiers have. */
export interface FactSigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

/**
 * Signs facts with the key that `key` returns at the time. Signs here: WebCrypto does it in another thread, which takes
 * twice the CPU. `now` is in milliseconds.
 */
export function createFactSigner(key: () => FactSigningKey, now: () => number = Date.now): FactSigner {
  // Under load many facts of a ledger have the same header.
  let last = { text: "", encoded: "" };
  return (ledger, unsigned) => {
    const { kid, privateKey } = key();
    const text = signatureHeader({ kid, ledger, iat: Math.floor(now() / 1000) });
    if (text !== last.text) last = { text, encoded: base64url(text) };
    const signature = sign(null, Buffer.from(`${last.encoded}.${base64url(unsigned)}`, "latin1"), privateKey);
    return `${last.encoded}..${signature.toString("base64url")}`;
  };
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
