import type { JWK } from "jose";
import { z } from "zod";
import { badData, type JsonSource, readJsonFile } from "../../json-file.ts";
import { type SignInSettings, signInSchema } from "./browser/sign-in-settings.ts";
import { type ClientRules, parseClientRules } from "./clients/rules.ts";
import { nameSchema, organizationSchema } from "./names.ts";
import { isSecureUrl } from "./secure-url.ts";
import type { ClaimRules } from "./tokens/claims.ts";

/** One identity provider, and how its tokens are read. Durations are seconds. */
export interface IssuerSettings extends ClaimRules {
  /** `iss` of its tokens, exactly: the URL of an OpenID provider, or a URN with `jwksUri`. */
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly tokenTypes: readonly string[];
  readonly clockTolerance: number;
  /** Undefined: found by discovery. */
  readonly jwksUri: string | undefined;
  /** How long keys are used after they were last fetched, while they cannot be fetched again. */
  readonly jwksMaxStale: number;
  readonly dpop: "optional" | "required";
}

/** The content of the identity file. */
export interface IdentitySettings {
  readonly issuers: readonly IssuerSettings[];
  /** Networks of trusted proxies, in CIDR notation. */
  readonly trustedProxies: readonly string[];
  /** Public keys of those who sign their requests (Web Bot Auth), by the origin that names them. */
  readonly signatureAgents: Readonly<Record<string, { readonly keys: readonly JWK[] }>>;
  /** The rule table that identifies clients; undefined: the one that comes with the product. */
  readonly clientRules: ClientRules | undefined;
  /** Issuers at which people sign in with a browser; empty: none. */
  readonly signIn: readonly SignInSettings[];
}

/** Asymmetric algorithms only: with a symmetric one, everybody who can verify a token could sign one. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;
const DEFAULT_ALGORITHMS: (typeof ALGORITHMS)[number][] = ["RS256", "PS256", "ES256", "EdDSA"];
/** Access tokens as RFC 9068 has them, and as most providers still do. */
const TOKEN_TYPES = ["at+jwt", "JWT"] as const;
const DAY = 86_400;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const SECURE = "must be an https URL (http on a loopback address alone)";
const secureUrl = z.string().refine(isSecureUrl, SECURE);
const path = nameSchema;

const issuerSchema = z
  .strictObject({
    issuer: z
      .string()
      .max(2_000)
      .refine(isIssuerName, `${SECURE} without query or fragment, or a urn of somebody else's`),
    organization: organizationSchema,
    audience: z
      .union([nameSchema.transform((one) => [one]), z.array(nameSchema).min(1).max(20)])
      .default(() => ["countersign"]),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .default(() => DEFAULT_ALGORITHMS),
    tokenTypes: z
      .array(z.enum(TOKEN_TYPES))
      .min(1)
      .default(() => [...TOKEN_TYPES]),
    clockTolerance: z.number().int().min(0).max(60).default(5),
    jwksUri: secureUrl.optional(),
    jwksMaxStale: z
      .number()
      .int()
      .min(60)
      .max(30 * DAY)
      .default(DAY),
    subjectPrefix: z.union([z.literal(""), nameSchema.max(64)]).default(""),
    claims: z
      .strictObject({
        roles: path.default("roles"),
        groups: path.default("groups"),
        email: path.default("email"),
        name: path.default("name"),
        kind: path.default("kind"),
        region: path.default("region"),
      })
      .prefault({}),
    emailVerified: z.enum(["claim", "always"]).default("claim"),
    roleMap: z.record(nameSchema, nameSchema).optional(),
    clients: z.record(nameSchema, z.enum(["SERVICE", "AGENT"])).default({}),
    acr: z.record(nameSchema, z.enum(["SESSION", "MFA", "KEY"])).default({}),
    dpop: z.enum(["optional", "required"]).default("optional"),
  })
  .refine(({ issuer, jwksUri }) => jwksUri !== undefined || !issuer.startsWith("urn:"), {
    path: ["jwksUri"],
    message: "is needed, because a urn has no discovery document",
  });

const publicJwk = z
  .looseObject({ kty: z.enum(["OKP", "EC", "RSA"]) })
  .refine((jwk) => !PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member)), "must be a public key");

const fileSchema = z
  .strictObject({
    issuers: z.array(issuerSchema).max(100).superRefine(checkTogether).default([]),
    trustedProxies: z
      .array(z.union([z.cidrv4(), z.cidrv6()], "must be a network as CIDR"))
      .max(1_000)
      .default([]),
    signatureAgents: z
      .record(
        z
          .string()
          .refine((origin) => isSecureUrl(origin) && new URL(origin).origin === origin, "must be an https origin"),
        z.strictObject({ keys: z.array(publicJwk).min(1).max(100) }),
      )
      .default({}),
    signIn: signInSchema.default(() => []),
    clientRules: z.unknown().optional(),
  })
  .superRefine(({ issuers, signIn }, context) => {
    signIn.forEach(({ issuer }, at) => {
      if (issuers.some((one) => one.issuer === issuer)) return;
      context.addIssue({ code: "custom", path: ["signIn", at, "issuer"], message: "must be one of the issuers" });
    });
    signIn.forEach(({ issuer, clientId }, at) => {
      const provider = issuers.find((one) => one.issuer === issuer);
      if (!provider?.audience.includes(clientId) || !provider.tokenTypes.includes("JWT")) return;
      const message =
        "must not be an audience of its access tokens: an ID token, which is for it, could be taken for one";
      context.addIssue({ code: "custom", path: ["signIn", at, "clientId"], message });
    });
  });

/** Our own issuers are not for a file to describe. */
function isIssuerName(name: string): boolean {
  if (name.startsWith("urn:")) return /^urn:(?!countersign:)[a-z0-9][a-z0-9-]{0,31}:[!-~]+$/.test(name);
  return isSecureUrl(name) && !/[?#]/.test(name);
}

/** What must hold among issuers: one entry for each, and ids that cannot meet within an organization. */
function checkTogether(issuers: z.infer<typeof issuerSchema>[], context: z.RefinementCtx): void {
  issuers.forEach((one, at) => {
    for (const other of issuers.slice(0, at)) {
      if (other.issuer === one.issuer) {
        context.addIssue({
          code: "custom",
          path: [at, "issuer"],
          message: `${one.issuer} is there twice`,
        });
      } else if (other.organization === one.organization && other.subjectPrefix === one.subjectPrefix) {
        const message = `must differ from that of ${other.issuer}: both are issuers of ${one.organization}, and two people could have one id`;
        context.addIssue({
          code: "custom",
          path: [at, "subjectPrefix"],
          message,
        });
      }
    }
  });
}

/** Reads the identity file. Throws ConfigurationError naming each member that is wrong. */
export async function loadIdentityFile(file: string): Promise<IdentitySettings> {
  const { value, source } = await readJsonFile({ file, what: "identity file", setting: "IDENTITY_FILE" });
  return parseIdentityFile(value, source);
}

/** `source` is for messages. Throws ConfigurationError. */
export function parseIdentityFile(data: unknown, source: JsonSource = { name: "identity file" }): IdentitySettings {
  const parsed = fileSchema.safeParse(data);
  if (!parsed.success) {
    throw badData(
      source,
      parsed.error.issues.map((issue) => ({ path: issue.path, message: messageOf(issue) })),
    );
  }
  const { issuers, clientRules, ...rest } = parsed.data;
  return {
    ...rest,
    clientRules: clientRules === undefined ? undefined : parseClientRules(clientRules, within(source, "clientRules")),
    issuers: issuers.map((one) => ({
      ...one,
      jwksUri: one.jwksUri,
      reservedPrefixes: issuers
        .filter(({ organization, subjectPrefix }) => organization === one.organization && subjectPrefix !== "")
        .map(({ subjectPrefix }) => subjectPrefix)
        // A longer prefix that begins with this issuer's own could also be the beginning of one of its subjects.
        .filter((prefix) => prefix !== one.subjectPrefix && prefix.startsWith(one.subjectPrefix)),
    })),
  };
}

/** `source` of the value of the member `name`. */
function within({ name, placeOf }: JsonSource, member: string): JsonSource {
  const inner = { name: `${name}: ${member}` };
  return placeOf === undefined ? inner : { ...inner, placeOf: (path) => placeOf([member, ...path]) };
}

/** What is wrong; for the name of a member, or a value of several types, what is wrong with the name. */
function messageOf(issue: z.core.$ZodIssue): string {
  const inner = issue.code === "invalid_key" ? issue.issues : issue.code === "invalid_union" ? issue.errors.flat() : [];
  return inner.find(({ code }) => code === "custom")?.message ?? issue.message;
}
