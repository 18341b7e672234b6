import { hkdfSync, KeyObject, randomUUID } from "node:crypto";
import { access, link, mkdir, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { z } from "zod";
import { ConfigurationError } from "../../errors.ts";
import { syncDirectory } from "../../files.ts";
import { readJsonFile } from "../../json-file.ts";

/** The algorithm of all our signatures (RFC 8037). Verifiers accept no other. */
export const SIGNATURE_ALGORITHM = "EdDSA";

/** An Ed25519 key pair. `kid` is the RFC 7638 thumbprint, so two servers that share a file agree on it. */
export interface SigningKey {
  readonly kid: string;
  /** For node:crypto, and for jose as well. */
  readonly privateKey: KeyObject;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** What one installation signs with. Separate keys: an access token can never be taken for a grant. */
export interface Keys {
  readonly grants: SigningKey;
  readonly issuer: SigningKey;
  /** 32 bytes that only this installation knows, other ones for each purpose (RFC 5869). */
  secret(purpose: string): Uint8Array;
  /** Both public keys, as a JWK set (RFC 7517). */
  publicJwks(): { readonly keys: readonly JWK[] };
}

/** What names the place of the keys. */
const KEY_SETTING = "SIGNING_KEY_FILE or DATA_DIR";

const privateJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  d: z.string(),
});
const keyFile = z.object({ grants: privateJwk, issuer: privateJwk });

/**
 * The keys in `file`, which is created, readable by its owner only, if it does not exist. Servers that start concurrently on
 * a shared file use the same keys. Throws ConfigurationError when the file has no such keys.
 */
export async function loadKeys(file: string): Promise<Keys> {
  const stored = (await read(file)) ?? (await create(file));
  const parsed = keyFile.safeParse(stored);
  if (!parsed.success) throw unusable(file);
  const [grants, issuer] = await Promise.all([signingKey(parsed.data.grants), signingKey(parsed.data.issuer)]).catch(
    () => {
      // The platform's message about an invalid key does not name the file.
      throw unusable(file);
    },
  );
  if (grants.kid === issuer.kid)
    throw new ConfigurationError(`${file} contains the same key twice; grants need a separate key`);
  const ownKey = Buffer.from(parsed.data.issuer.d, "base64url");
  return {
    grants,
    issuer,
    secret: (purpose) => new Uint8Array(hkdfSync("sha256", ownKey, "", `countersign/${purpose}`, 32)),
    publicJwks: () => ({ keys: [grants.publicJwk, issuer.publicJwk] }),
  };
}

function unusable(file: string): ConfigurationError {
  return new ConfigurationError(
    `${file} does not hold the two Ed25519 keys of an installation: correct ${KEY_SETTING}, or restore the file from a backup`,
  );
}

async function read(file: string): Promise<unknown> {
  try {
    await access(file);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
  }
  return readJsonFile({ file, what: "key file", setting: KEY_SETTING });
}

/** Writes a complete temporary file and links it to its place: a concurrent second writer uses the keys of the first. */
async function create(file: string): Promise<unknown> {
  const text = `${JSON.stringify({ grants: await freshJwk(), issuer: await freshJwk() }, null, 2)}\n`;
  const draft = `${file}.${randomUUID()}`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(draft, text, { mode: 0o600, flag: "wx", flush: true });
    try {
      await link(draft, file);
      await syncDirectory(path.dirname(file));
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    } finally {
      await unlink(draft);
    }
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new ConfigurationError(
      `the key file ${file} cannot be made (${reason}): let ${KEY_SETTING} name a place that this user may write to`,
      error,
    );
  }
  return read(file);
}

async function freshJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(SIGNATURE_ALGORITHM, {
    extractable: true,
  });
  return exportJWK(privateKey);
}

async function signingKey({ d, ...publicPart }: z.infer<typeof privateJwk>): Promise<SigningKey> {
  const kid = await calculateJwkThumbprint(publicPart);
  return {
    kid,
    // Imported by WebCrypto, which refuses halves of different keys.
    privateKey: KeyObject.from(await importKey({ ...publicPart, d }, true)),
    publicKey: await importKey(publicPart),
    publicJwk: { ...publicPart, kid, alg: SIGNATURE_ALGORITHM, use: "sig" },
  };
}

async function importKey(jwk: JWK, extractable = false): Promise<CryptoKey> {
  const key = await importJWK(jwk, SIGNATURE_ALGORITHM, { extractable });
  if (key instanceof Uint8Array) throw new ConfigurationError("a signing key must be an asymmetric one");
  return key;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
