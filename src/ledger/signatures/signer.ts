import { type KeyObject, sign } from "node:crypto";
import type { LedgerId } from "../../facts/entry.ts";
import { signatureHeader, signingInput } from "../../facts/signature.ts";

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
  return (ledger, unsigned) => {
    const { kid, privateKey } = key();
    const header = signatureHeader({ kid, ledger, iat: Math.floor(now() / 1000) });
    const signature = sign(null, signingInput(header, unsigned), privateKey);
    return `${header}..${signature.toString("base64url")}`;
  };
}
