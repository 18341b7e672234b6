import { EncryptJWT, errors, jwtDecrypt } from "jose";
import { z } from "zod";
import type { ClaimedIdentity } from "../tokens/claim-values.ts";

/** Tokens that a person's identity provider is asked with again. */
export interface ProviderTokens {
  /** With it, the provider is asked until it ends its own session. */
  readonly refreshToken?: string | undefined;
  /** Without a refresh token: for UserInfo, until it expires. */
  readonly accessToken?: string | undefined;
}

/** What an identity provider said of a person who signed in with a browser. */
export interface ProviderSession {
  readonly identity: ClaimedIdentity;
  /** `sub` as the provider has it. */
  readonly subject: string;
  readonly tokens: ProviderTokens;
}

/** The same, as it is stored between two checks. */
export interface StoredProviderSession extends ProviderSession {
  readonly issuer: string;
  /** Milliseconds since the epoch: when the provider was asked. */
  readonly checkedAt: number;
}

export interface SealedSessions {
  seal(sessionId: string, session: StoredProviderSession): Promise<string>;
  /** Undefined when the text was not encrypted by us for this session. */
  open(sessionId: string, sealed: string): Promise<StoredProviderSession | undefined>;
}

const KEYS = { alg: "dir", enc: "A256GCM" } as const;
const TYPE = "countersign-provider-session+jwt";

const sessionSchema = z.strictObject({
  identity: z.strictObject({
    principal: z.strictObject({
      id: z.string(),
      kind: z.literal("HUMAN"),
      organization: z.string(),
      email: z.string().exactOptional(),
      emailVerified: z.boolean().exactOptional(),
      displayName: z.string().exactOptional(),
      region: z.string().exactOptional(),
      roles: z.array(z.string()),
      groups: z.array(z.string()),
    }),
    method: z.string(),
    assurance: z.enum(["SESSION", "MFA", "KEY"]).exactOptional(),
    clientId: z.string().exactOptional(),
  }),
  subject: z.string(),
  tokens: z.strictObject({ refreshToken: z.string().optional(), accessToken: z.string().optional() }),
  issuer: z.string(),
  checkedAt: z.number(),
});

/** Encrypts what the database keeps of sessions: whoever reads or writes it can neither use a token nor add a group. */
export function createSealedSessions(secret: Uint8Array): SealedSessions {
  return {
    // What could not be opened again is found out here, not when the person comes back.
    seal: async (sessionId, session) =>
      new EncryptJWT({ session: sessionSchema.parse(session) })
        .setProtectedHeader({ ...KEYS, typ: TYPE })
        .setSubject(sessionId)
        .encrypt(secret),
    async open(sessionId, sealed) {
      try {
        const { payload } = await jwtDecrypt(sealed, secret, {
          keyManagementAlgorithms: [KEYS.alg],
          contentEncryptionAlgorithms: [KEYS.enc],
          typ: TYPE,
          subject: sessionId,
        });
        return sessionSchema.parse(payload.session);
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof z.ZodError) return undefined;
        throw error;
      }
    },
  };
}
