import { hkdfSync, KeyObject, randomUUID } from "node:crypto";
import { access, link, mkdir, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { z } from "zod";
import { ConfigurationError } from "../../errors.ts";
import type { FactKey } from "../../facts/signature.ts";
import { locked, replaceDurably, syncDirectory } from "../../files.ts";
import { readJsonFile } from "../../json-file.ts";
import { type FactKeys, factJwks, factKeyOf, type JwkSet, retiredKey } from "./fact-keys.ts";

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

/** What one installation signs with. Separate keys: an access token can never be taken for a grant, nor for a fact. */
export interface Keys {
  readonly grants: SigningKey;
  readonly issuer: SigningKey;
  readonly facts: FactKeys;
  /** 32 bytes that only this installation knows, other ones for each purpose (RFC 5869). */
  secret(purpose: string): Uint8Array;
}

/** The public keys, as a JWK set (RFC 7517). Member `purpose` of each says what it signs: `facts`, `grants` or `tokens`. */
export function publicJwks({ grants, issuer, facts }: Pick<Keys, "grants" | "issuer" | "facts">): JwkSet {
  return {
    keys: [
      { ...grants.publicJwk, purpose: "grants" },
      { ...issuer.publicJwk, purpose: "tokens" },
      ...factJwks(facts.published).keys,
    ],
  };
}

/** What names the place of the keys. */
const KEY_SETTING = "SIGNING_KEY_FILE or DATA_DIR";

const privateJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  d: z.string(),
});
const keyFile = z.object({
  grants: privateJwk,
  issuer: privateJwk,
  facts: privateJwk,
  /** Public halves of keys that signed facts, the latest first. */
  retired: z.array(retiredKey).default([]),
});

/**
 * The keys in `file`, which is created, readable by its owner only, if it does not exist. Servers that start concurrently on
 * a shared file use the same keys. Throws ConfigurationError when the file has no such keys.
 */
export async function loadKeys(file: string): Promise<Keys> {
  const parsed = keyFile.safeParse((await read(file)) ?? (await create(file)));
  if (!parsed.success) throw unusable(file);
  const { data } = parsed;
  const [grants, issuer, signing] = await Promise.all([
    signingKey(data.grants),
    signingKey(data.issuer),
    signingKey(data.facts),
  ]).catch(() => {
    // The platform's message about an invalid key does not name the file.
    throw unusable(file);
  });
  const facts = { signing, published: await Promise.all([data.facts, ...data.retired].map(factKeyOf)) };
  const kids = [grants, issuer, ...facts.published].map(({ kid }) => kid);
  if (new Set(kids).size < kids.length) {
    throw new ConfigurationError(`${file} contains the same key twice; each purpose needs a separate key`);
  }
  const ownKey = Buffer.from(data.issuer.d, "base64url");
  return {
    grants,
    issuer,
    facts,
    secret: (purpose) => new Uint8Array(hkdfSync("sha256", ownKey, "", `countersign/${purpose}`, 32)),
  };
}

/**
 * Makes a new key that signs facts in `file`, which has to exist. Of the one before only the public half is kept: what it
 * signed is valid when it was recorded until `graceSeconds` from now. Returns both keys, the new one first. Throws
 * ConfigurationError.
 */
export function rotateFactKey(file: string, graceSeconds: number): Promise<readonly [FactKey, FactKey]> {
  return locked(`${file}.lock`, async () => {
    // Refuses a file that no server could use.
    await loadKeys(file);
    const stored = keyFile.parse(await read(file));
    const { d: _private, ...before } = stored.facts;
    const exp = Math.ceil(Date.now() / 1000) + graceSeconds;
    const fresh = await freshKey();
    const next = { ...stored, facts: fresh, retired: [{ ...before, exp }, ...stored.retired] };
    await replaceDurably(file, textOf(next));
    return [await factKeyOf(fresh), { ...(await factKeyOf(before)), exp }];
  });
}

function unusable(file: string): ConfigurationError {
  return new ConfigurationError(
    `${file} does not hold the three Ed25519 keys of an installation: correct ${KEY_SETTING}, or restore the file from a backup`,
  );
}

async function read(file: string): Promise<unknown> {
  try {
    await access(file);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
  }
  return (await readJsonFile({ file, what: "key file", setting: KEY_SETTING })).value;
}

/** Writes a complete temporary file and links it to its place: a concurrent second writer uses the keys of the first. */
async function create(file: string): Promise<unknown> {
  const text = textOf({ grants: await freshKey(), issuer: await freshKey(), facts: await freshKey(), retired: [] });
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

function textOf(keys: z.infer<typeof keyFile>): string {
  return `${JSON.stringify(keys, null, 2)}\n`;
}

async function freshKey(): Promise<z.infer<typeof privateJwk>> {
  const { privateKey } = await generateKeyPair(SIGNATURE_ALGORITHM, { extractable: true });
  return privateJwk.parse(await exportJWK(privateKey));
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
