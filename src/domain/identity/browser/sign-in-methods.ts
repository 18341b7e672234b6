/**
 * Sign-in methods by the claims of identity providers. A provider is added with one line.
 *
 * `amr`: RFC 8176, "Authentication Method Reference Values", section 2, and values in use beside it (`fido`, `webauthn`,
 * `phr`, `phrh`). `idp` and its like: names of upstream providers as brokers spell them.
 */
export const AMR_METHODS: Readonly<Record<string, string>> = {
  // Strongest first: the method is the first of these that the token contains.
  webauthn: "passkey",
  fido: "passkey",
  phrh: "passkey",
  phr: "passkey",
  hwk: "passkey",
  swk: "passkey",
  pop: "proof-of-possession",
  sc: "smart-card",
  wia: "windows",
  face: "biometric",
  fpt: "biometric",
  iris: "biometric",
  retina: "biometric",
  vbm: "biometric",
  pwd: "password",
  pin: "pin",
  kba: "knowledge",
  otp: "one-time-code",
  sms: "one-time-code",
  tel: "phone",
};

/** `amr` values for several factors, and values that are a second factor beside another one. */
export const SEVERAL_FACTORS: readonly string[] = ["mfa", "mca"];
export const SECOND_FACTORS: readonly string[] = ["otp", "sms", "tel"];
/** With the first factor it reads `password+multi-factor`. */
export const MULTI_FACTOR = "multi-factor";

/** Claims in which brokers name the provider a person came from: Keycloak, Entra ID, Duende, oidc-provider, Auth0, ours. */
export const UPSTREAM_CLAIMS: readonly string[] = ["identity_provider", "idp", "upstream", "connection", "provider"];

/** Upstream providers under every name that is known of them. A name that is not here is no method. */
export const UPSTREAM_METHODS: Readonly<Record<string, string>> = {
  google: "google",
  "google-oauth2": "google",
  "google.com": "google",
  "accounts.google.com": "google",
  "https://accounts.google.com": "google",
  github: "github",
  "github.com": "github",
  discord: "discord",
  "discord.com": "discord",
  microsoft: "microsoft",
  windowslive: "microsoft",
  "live.com": "microsoft",
  apple: "apple",
  "apple.com": "apple",
  "https://appleid.apple.com": "apple",
  gitlab: "gitlab",
  "gitlab.com": "gitlab",
  slack: "slack",
  linkedin: "linkedin",
  facebook: "facebook",
  twitter: "twitter",
  okta: "okta",
};

export const CLIENT_CREDENTIALS = "client-credentials";
export const TOKEN_EXCHANGE = "token-exchange";
/** The method of a browser sign-in at an OpenID provider that reports neither `amr` nor an upstream provider. */
export const OPENID_CONNECT = "openid-connect";
/** The method of a token without such claims. */
export const BEARER_TOKEN = "bearer-token";

/** Every method there is, without what a second factor adds. */
export const METHODS: readonly string[] = [
  ...new Set([...Object.values(AMR_METHODS), ...Object.values(UPSTREAM_METHODS)]),
  MULTI_FACTOR,
  CLIENT_CREDENTIALS,
  TOKEN_EXCHANGE,
  BEARER_TOKEN,
];

/** The method by the claims of a person's token: the upstream provider, else the factors. Ignores unknown values. */
export function methodOf(claims: Readonly<Record<string, unknown>>): string {
  for (const claim of UPSTREAM_CLAIMS) {
    const value = claims[claim];
    const method = typeof value === "string" ? lookUp(UPSTREAM_METHODS, value.toLowerCase()) : undefined;
    if (method !== undefined) return method;
  }
  const { amr } = claims;
  return (Array.isArray(amr) ? methodOfFactors(amr) : undefined) ?? BEARER_TOKEN;
}

function methodOfFactors(amr: readonly unknown[]): string | undefined {
  const first = Object.keys(AMR_METHODS).find((value) => amr.includes(value));
  const several =
    SEVERAL_FACTORS.some((value) => amr.includes(value)) ||
    (first !== undefined && !SECOND_FACTORS.includes(first) && SECOND_FACTORS.some((value) => amr.includes(value)));
  const method = first === undefined ? undefined : lookUp(AMR_METHODS, first);
  if (!several) return method;
  return method === undefined ? MULTI_FACTOR : `${method}+${MULTI_FACTOR}`;
}

function lookUp(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
