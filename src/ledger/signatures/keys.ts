import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { FactKey, SignatureKeys } from "../../facts/signature.ts";

/** `keys` for verification with node:crypto. A key is imported when an entry names it first. */
export function signatureKeys(keys: readonly FactKey[]): SignatureKeys {
  const byId = new Map(keys.map((key) => [key.kid, key]));
  const imported = new Map<string, KeyObject>();
  const publicKey = (kid: string): KeyObject | undefined => {
    const [known, key] = [imported.get(kid), byId.get(kid)];
    if (known !== undefined || key === undefined) return known;
    const { kty, crv, x } = key;
    const made = createPublicKey({ format: "jwk", key: { kty, crv, x } });
    imported.set(kid, made);
    return made;
  };
  return {
    byId,
    verify(bytes, signature, kid) {
      const key = publicKey(kid);
      return key !== undefined && verify(null, bytes, key, signature);
    },
  };
}
