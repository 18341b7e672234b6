import { createPublicKey, type JsonWebKey } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { z } from "zod";
import type { JsonValue } from "../../facts/canonical.ts";
import { isText, nameProblem } from "../../facts/text.ts";
import { unknownPlatform } from "../policy/unknown-platform.ts";
import { refuse } from "./errors.ts";
import type { PublicJwk } from "./record.ts";

/** UTF-16 code units. */
const MAX_ID = 200;
const MAX_NAME = 200;
/** With a blank and a `jti` of the longest, what the ledger takes for an id. */
const MAX_ISSUER = 199;
const MAX_REASON = 2_000;
const MAX_PLATFORMS = 100;
const MAX_ROLES = 100;
const MAX_CODE = 200;
/** Bits. */
const RSA_SIZES = { least: 2048, most: 8192 };

/** What an id, a name or a role may be: one line that can be seen, as tokens have them. */
export function checkName(text: string, path: string, most = MAX_NAME): void {
  const problem = nameProblem(text, most);
  if (problem !== undefined) throw refuse("INVALID_INPUT", problem, path);
}

/** The id of a principal. Which ones there are is not looked at. */
export function checkId(id: string, path: string): void {
  checkName(id, path, MAX_ID);
}

/** Free text, of more than one line if need be. */
export function checkReason(reason: string): void {
  if (isText(reason, MAX_REASON)) return;
  const message = `must say why, in at most ${MAX_REASON} characters of well-formed Unicode without U+0000`;
  throw refuse("INVALID_INPUT", message, "reason");
}

/** Free text that may be left out. */
export function checkNote(note: string | undefined, path: string): void {
  if (note === undefined || isText(note, MAX_REASON)) return;
  throw refuse("INVALID_INPUT", `must not be blank or longer than ${MAX_REASON} characters, and without U+0000`, path);
}

/** Platforms by name, each once, in order. Each has to be one of `known`. */
export function checkPlatforms(platforms: readonly string[], known: readonly string[]): readonly string[] {
  if (platforms.length === 0 || platforms.length > MAX_PLATFORMS) {
    const message = `must name 1 to ${MAX_PLATFORMS} platforms; omit it to allow all of the catalog`;
    throw refuse("INVALID_INPUT", message, "platforms");
  }
  for (const platform of platforms) {
    checkName(platform, "platforms");
    if (!known.includes(platform)) throw refuse("INVALID_INPUT", unknownPlatform(platform, known), "platforms");
  }
  return [...new Set(platforms)].sort();
}

const ROLE = /^(?:member|approver|auditor|admin|break-glass|lead:\S(?:.*\S)?|region:[a-z0-9][a-z0-9-]{0,62})$/u;

/** Roles that can be given, each once, in order. */
export function checkRoles(roles: readonly string[]): readonly string[] {
  if (roles.length > MAX_ROLES) throw refuse("INVALID_INPUT", `must not be more than ${MAX_ROLES}`, "roles");
  for (const role of roles) {
    checkName(role, "roles");
    if (!ROLE.test(role)) {
      const message = "must be member, approver, auditor, admin, break-glass, lead:<team> or region:<region>";
      throw refuse("INVALID_INPUT", message, "roles");
    }
  }
  return [...new Set(roles)].sort();
}

/** The id of a revoked token's record: what its issuer and its `jti` make together, in at most 400 characters. */
export function tokenRecordId(issuer: string | undefined, tokenId: string): string {
  checkName(tokenId, "tokenId");
  if (issuer === undefined) return `* ${tokenId}`;
  checkName(issuer, "issuer", MAX_ISSUER);
  if (/\s/u.test(issuer) || issuer === "*") throw refuse("INVALID_INPUT", "must be an issuer's identifier", "issuer");
  return `${issuer} ${tokenId}`;
}

export function checkCode(code: string): void {
  if (code.length > MAX_CODE) throw refuse("INVALID_INPUT", `must not be longer than ${MAX_CODE} characters`, "code");
}

/** Members that only private or symmetric keys have (RFC 7518, section 6). */
const SECRETS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const part = z
  .string()
  .max(1_400)
  .regex(/^[A-Za-z0-9_-]+$/);
const publicKeySchema = z.discriminatedUnion("kty", [
  z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: part }),
  z.object({
    kty: z.literal("EC"),
    crv: z.enum(["P-256", "P-384", "P-521"]),
    x: part,
    y: part,
  }),
  z.object({ kty: z.literal("RSA"), n: part, e: part }),
]);

/** The public key in `jwk`, without other members. Private and symmetric keys are refused, and not stored. */
export async function checkPublicKey(jwk: JsonValue): Promise<PublicJwk> {
  const path = "publicKey";
  if (typeof jwk !== "object" || jwk === null || SECRETS.some((member) => Object.hasOwn(jwk, member))) {
    throw refuse("INVALID_INPUT", "must be a public key as a JSON Web Key (RFC 7517), without private members", path);
  }
  const parsed = publicKeySchema.safeParse(jwk);
  if (!parsed.success || !isUsable(parsed.data)) {
    const { least, most } = RSA_SIZES;
    const message = `must be a key for signatures: Ed25519, EC on P-256, P-384 or P-521, or RSA of ${least} to ${most} bits`;
    throw refuse("INVALID_INPUT", message, path);
  }
  return { ...parsed.data, kid: await calculateJwkThumbprint(parsed.data) };
}

/** Whether OpenSSL takes it for a key (its point is on its curve), and it is no weak one. */
function isUsable(key: JsonWebKey): boolean {
  try {
    const { modulusLength } = createPublicKey({ key, format: "jwk" }).asymmetricKeyDetails ?? {};
    return modulusLength === undefined || (modulusLength >= RSA_SIZES.least && modulusLength <= RSA_SIZES.most);
  } catch {
    return false;
  }
}
