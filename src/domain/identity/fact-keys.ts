import { calculateJwkThumbprint, type JWK } from "jose";
import { z } from "zod";
import type { FactKey } from "../../facts/signature.ts";
import type { SigningKey } from "./keys.ts";

/** The key that signs facts, and all that ever did. */
export interface FactKeys {
  readonly signing: Pick<SigningKey, "kid" | "privateKey">;
  /** Public keys, that of `signing` first, then those that were retired. */
  readonly published: readonly FactKey[];
}

/** A JWK set (RFC 7517). */
export interface JwkSet {
  readonly keys: readonly (JWK & { readonly purpose: string })[];
}

const PURPOSE = "facts";
const publicKey = { kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string().regex(/^[\w-]{43}$/) };
/** Seconds since 1970 until when entries may be recorded that a retired key signed. */
const exp = z.int().min(0);

/** The public half of a key that signed facts, as the key file keeps it. */
export const retiredKey = z.strictObject({ ...publicKey, exp });

/** Keys that verify facts, with what readers of a JWK set expect. Member `purpose` tells them from keys for other things. */
export function factJwks(keys: readonly FactKey[]): JwkSet {
  return { keys: keys.map((key) => ({ ...key, alg: "EdDSA", use: "sig", purpose: PURPOSE })) };
}

export async function factKeyOf(
  key: z.infer<typeof retiredKey> | Pick<FactKey, "kty" | "crv" | "x">,
): Promise<FactKey> {
  const { kty, crv, x } = key;
  return { kty, crv, x, kid: await calculateJwkThumbprint({ kty, crv, x }), ...("exp" in key ? { exp: key.exp } : {}) };
}

const jwkSet = z.object({ keys: z.array(z.looseObject({ purpose: z.string().optional() })) });
const publishedKey = z.object({ ...publicKey, kid: z.string(), exp: exp.optional() });

/**
 * The keys that verify facts among those of a JWK set, as `factJwks` and `ledger { publicKeys }` write them. Throws TypeError when there are none,
 * or one that cannot be used.
 */
export async function parseFactKeys(value: unknown): Promise<readonly FactKey[]> {
  const set = jwkSet.safeParse(value);
  const found = set.success ? set.data.keys.filter(({ purpose }) => purpose === PURPOSE) : [];
  if (found.length === 0) throw new TypeError("holds no key of purpose facts");
  return Promise.all(
    found.map(async (jwk) => {
      const parsed = publishedKey.safeParse(jwk);
      const key = parsed.success ? { ...(await factKeyOf(parsed.data)), exp: parsed.data.exp } : undefined;
      if (!parsed.success || key === undefined || key.kid !== parsed.data.kid) {
        throw new TypeError("holds a key of purpose facts that is no Ed25519 key with its RFC 7638 thumbprint as kid");
      }
      return key;
    }),
  );
}
