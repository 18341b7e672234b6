import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { JWK } from "jose";
import { ConfigurationError } from "../../../errors.ts";
import { canonicalize } from "../../../facts/canonical.ts";

/** Algorithms of RFC 9421, section 3.3, that somebody else can verify without a shared secret. */
export const ALGORITHMS = ["ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512"] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const SMALLEST_RSA = 2048;

/** A public key that checks signatures. Its algorithm follows from the key and never from a message. */
export interface VerifyingKey {
  /** RFC 7638 thumbprint, base64url. */
  readonly thumbprint: string;
  readonly algorithm: Algorithm;
  verify(data: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** A JWK, in which a member that is not there may also be undefined. */
export type KeyMembers = { readonly [Name in keyof JWK]: JWK[Name] | undefined };

/** Throws ConfigurationError unless `jwk` is a public Ed25519, P-256 or RSA key (2048 bits or more) for signatures. */
export function verifyingKey(jwk: KeyMembers): VerifyingKey {
  if (jwk.d !== undefined) throw new ConfigurationError("this is a private key; give the public one");
  if (jwk.use !== undefined && jwk.use !== "sig") throw new ConfigurationError("a key is not for signatures");
  const { algorithm, members } = kindOf(jwk);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { ...members }, format: "jwk" });
  } catch (error) {
    throw new ConfigurationError("a key is not a valid JWK", error);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < SMALLEST_RSA) throw new ConfigurationError(`an RSA key has only ${bits} bits`);
  const thumbprint = createHash("sha256").update(canonicalize(members)).digest("base64url");
  return { thumbprint, algorithm, verify: (data, signature) => check(algorithm, key, data, signature) };
}

interface Kind {
  readonly algorithm: Algorithm;
  /** What the thumbprint covers (RFC 7638, section 3.2; RFC 8037, section 2). */
  readonly members: { readonly [name: string]: string };
}

function kindOf({ kty, crv, x, y, n, e }: KeyMembers): Kind {
  if (kty === "OKP" && crv === "Ed25519" && x !== undefined) return { algorithm: "ed25519", members: { kty, crv, x } };
  if (kty === "EC" && crv === "P-256" && x !== undefined && y !== undefined) {
    return { algorithm: "ecdsa-p256-sha256", members: { kty, crv, x, y } };
  }
  if (kty === "RSA" && n !== undefined && e !== undefined)
    return { algorithm: "rsa-pss-sha512", members: { kty, n, e } };
  throw new ConfigurationError("a key is neither Ed25519 nor P-256 nor RSA");
}

function check(algorithm: Algorithm, key: KeyObject, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null, valid: boolean) => (error === null ? resolve(valid) : reject(error));
    switch (algorithm) {
      case "ed25519":
        return verify(null, data, key, signature, settle);
      case "ecdsa-p256-sha256":
        return verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature, settle);
      case "rsa-pss-sha512":
        return verify(
          "sha512",
          data,
          { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
          signature,
          settle,
        );
    }
  });
}
