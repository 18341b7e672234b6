import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import type { FactKey } from "../../src/facts/signature.ts";
import { createFactSigner, type FactSigner, type FactSigningKey } from "../../src/ledger/signatures/signer.ts";

/** A key that signs facts, with its public half. */
export interface TestKey extends FactSigningKey {
  readonly published: FactKey;
  readonly sign: FactSigner;
}

async function keyOf(privateKey: KeyObject): Promise<TestKey> {
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  const jwk = { kty: "OKP", crv: "Ed25519", x } as const;
  const kid = await calculateJwkThumbprint(jwk);
  return { kid, privateKey, published: { ...jwk, kid }, sign: createFactSigner(() => ({ kid, privateKey })) };
}

/** The same in every process. `seed`: 32 bytes. */
export function keyOfSeed(seed: Uint8Array): Promise<TestKey> {
  // PKCS #8 of an Ed25519 key (RFC 8410): the seed behind a fixed prefix.
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return keyOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
}

export function freshKey(): Promise<TestKey> {
  return keyOf(generateKeyPairSync("ed25519").privateKey);
}

/** What the servers of tests sign facts with. */
export const FACT_KEY = await keyOfSeed(Buffer.alloc(32, 9));
export const FACT_KEYS: readonly FactKey[] = [FACT_KEY.published];
