import { z } from "zod";
import { isSecureUrl } from "../secure-url.ts";

/** How people sign in with a browser at one of the issuers: this server is an OAuth client of it. */
export interface SignInSettings {
  /** As in `issuers`; it has to be an OpenID provider with a discovery document. */
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client. PKCE is used in either case. */
  readonly clientSecret?: string | undefined;
  readonly scopes: readonly string[];
}

/** RFC 6749, appendix A.1 and A.2: what a client id and secret may consist of. */
const printable = z.string().regex(/^[\x20-\x7e]{1,1000}$/, "must be printable ASCII");
/** RFC 6749, section 3.3. */
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, "must be a scope of RFC 6749");

const providerSchema = z.strictObject({
  issuer: z.string().max(2_000).refine(isSecureUrl, "must be an https URL (http on a loopback address alone)"),
  clientId: printable,
  clientSecret: printable.optional(),
  scopes: z
    .array(scope)
    .max(50)
    .refine((scopes) => scopes.includes("openid"), "must hold openid")
    .default(() => ["openid", "profile", "email"]),
});

/** The section `signIn` of the identity file. */
export const signInSchema = z
  .array(providerSchema)
  .max(20)
  .refine(
    (providers) => new Set(providers.map(({ issuer }) => issuer)).size === providers.length,
    "must name each issuer once",
  );
