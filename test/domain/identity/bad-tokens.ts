import { base64url, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import type { AuthenticationReason } from "../../../src/domain/identity/errors.ts";
import { createKey, type Provider, type ProviderKey, type Signing } from "./provider.ts";

/** A token that must be refused, by whatever way it comes. */
export interface BadToken {
  readonly name: string;
  readonly reason: AuthenticationReason;
  /** Whether its signature is right and its claims name somebody: whoever it is, is worth knowing. */
  readonly names?: true;
  readonly make: (provider: Provider) => Promise<string>;
}

const seconds = () => Math.floor(Date.now() / 1000);
const first = ({ published }: Provider) => published[0] as ProviderKey;

function claiming(name: string, claims: JWTPayload): BadToken {
  return { name, reason: "BAD_CLAIMS", make: (provider) => provider.sign(claims) };
}

function signed(name: string, reason: AuthenticationReason, signing: Signing): BadToken {
  return { name, reason, make: (provider) => provider.sign({}, signing) };
}

/** A token signed with the public key as if that were a secret both sides know. */
function hmac(name: string, secret: (key: ProviderKey) => string): BadToken {
  return {
    name,
    reason: "BAD_TOKEN",
    make: (provider) =>
      new SignJWT({ sub: "p-1", roles: ["admin"] })
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: first(provider).kid })
        .setIssuer(provider.issuer)
        .setAudience("countersign")
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(new TextEncoder().encode(secret(first(provider)))),
  };
}

/** Part `at` of an honest token, replaced. */
function altered(name: string, reason: AuthenticationReason, at: number, part: (original: string) => string): BadToken {
  return {
    name,
    reason,
    async make(provider) {
      const parts = (await provider.sign()).split(".");
      return parts.map((original, index) => (index === at ? part(original) : original)).join(".");
    },
  };
}

const reencoded = (change: object) => (original: string) => {
  const values = JSON.parse(new TextDecoder().decode(base64url.decode(original))) as object;
  return base64url.encode(JSON.stringify({ ...values, ...change }));
};

/** Characters that nobody sees, or that turn what follows around, and that could make two names look the same. */
export const INVISIBLE: readonly (readonly [string, string])[] = [
  ["NUL", "\0"],
  ["a line feed", "\n"],
  ["a zero-width space", "\u200b"],
  ["a zero-width joiner", "\u200d"],
  ["a right-to-left override", "\u202e"],
  ["an isolate", "\u2066"],
  ["a byte order mark", "\ufeff"],
  ["a soft hyphen", "\u00ad"],
  ["a tag character", "\u{e0041}"],
  ["a variation selector", "\ufe0f"],
  ["a Hangul filler", "\u3164"],
  ["a combining grapheme joiner", "\u034f"],
  ["a private-use character", "\ue000"],
  ["a lone surrogate", "\ud800"],
  ["a noncharacter", "\uffff"],
  ["a line separator", "\u2028"],
  ["a blank Braille pattern", "\u2800"],
];

export const BAD_TOKENS: readonly BadToken[] = [
  { name: "expired", reason: "TOKEN_EXPIRED", names: true, make: (provider) => provider.sign({}, { ttl: -60 }) },
  {
    name: "not yet valid",
    reason: "TOKEN_NOT_YET_VALID",
    names: true,
    make: (provider) => provider.sign({ nbf: seconds() + 300 }),
  },
  {
    name: "for another audience",
    reason: "WRONG_AUDIENCE",
    names: true,
    make: (provider) => provider.sign({ aud: ["payroll", "countersign.example"] }),
  },
  {
    name: "for nobody in particular",
    reason: "WRONG_AUDIENCE",
    names: true,
    make: (provider) => provider.sign({ aud: undefined as never }),
  },
  {
    name: "of an unknown issuer",
    reason: "UNKNOWN_ISSUER",
    make: (provider) => provider.sign({ iss: "https://elsewhere.example" }),
  },
  {
    name: "of an issuer with a slash more",
    reason: "UNKNOWN_ISSUER",
    make: (provider) => provider.sign({ iss: `${provider.issuer}/` }),
  },
  {
    name: "of no issuer",
    reason: "UNKNOWN_ISSUER",
    make: (provider) => provider.sign({ iss: undefined as never }),
  },
  {
    name: "of an issuer that is a list",
    reason: "UNKNOWN_ISSUER",
    make: (provider) => provider.sign({ iss: [provider.issuer] as never }),
  },
  {
    name: "of a key that does not exist",
    reason: "UNKNOWN_KEY",
    make: async (provider) => provider.sign({}, { key: await createKey("nowhere") }),
  },
  {
    name: "of another key under a published id",
    reason: "BAD_SIGNATURE",
    make: async (provider) => provider.sign({}, { key: await createKey(first(provider).kid) }),
  },
  {
    name: "of a key that its own header brings",
    reason: "BAD_SIGNATURE",
    async make(provider) {
      const key = await createKey(first(provider).kid);
      const header = { jwk: key.jwk, jku: "https://elsewhere.example/keys", x5u: "https://elsewhere.example/x" };
      return provider.sign({}, { key, header });
    },
  },
  altered("with changed claims", "BAD_SIGNATURE", 1, reencoded({ sub: "p-2", roles: ["admin"] })),
  altered("with a changed header", "BAD_SIGNATURE", 0, reencoded({ x: 1 })),
  altered("without its signature", "BAD_SIGNATURE", 2, () => ""),
  altered("of alg none with a signature", "BAD_TOKEN", 0, reencoded({ alg: "none" })),
  altered("of an alg that is no text", "BAD_TOKEN", 0, reencoded({ alg: ["ES256"] })),
  altered("of another alg than its key's", "UNKNOWN_KEY", 0, reencoded({ alg: "EdDSA" })),
  altered("of an alg that is not accepted", "BAD_TOKEN", 0, reencoded({ alg: "ES512" })),
  altered("with a critical header nobody knows", "BAD_TOKEN", 0, reencoded({ crit: ["x"], x: 1 })),
  altered("with a payload that is not encoded", "BAD_SIGNATURE", 0, reencoded({ crit: ["b64"], b64: false })),
  altered("with claims that are a list", "BAD_TOKEN", 1, () => base64url.encode("[]")),
  altered("with claims that are no JSON", "BAD_TOKEN", 1, () => base64url.encode("{")),
  {
    name: "of alg none",
    reason: "BAD_TOKEN",
    make: async (provider) =>
      new UnsecuredJWT({ sub: "p-1", roles: ["admin"] })
        .setIssuer(provider.issuer)
        .setAudience("countersign")
        .setIssuedAt()
        .setExpirationTime("1h")
        .encode(),
  },
  hmac("of HS256 with the public key as PEM", ({ pem }) => pem),
  hmac("of HS256 with the public key as JWK", ({ jwk }) => JSON.stringify(jwk)),
  hmac("of HS256 with the public key's x", ({ jwk }) => String(jwk.x)),
  signed("of no type", "BAD_TOKEN", { header: { typ: undefined } }),
  signed("of a DPoP proof's type", "BAD_TOKEN", { header: { typ: "dpop+jwt" } }),
  signed("of our own session's type", "BAD_TOKEN", { header: { typ: "session+jwt" } }),
  {
    name: "that is an ID token",
    reason: "BAD_TOKEN",
    make: (provider) => provider.sign({ nonce: "n-1", at_hash: "x" }, { header: { typ: "JWT" } }),
  },
  {
    name: "that is a logout token",
    reason: "BAD_TOKEN",
    make: (provider) =>
      provider.sign(
        { events: { "http://schemas.openid.net/event/backchannel-logout": {} } },
        { header: { typ: "JWT" } },
      ),
  },
  { name: "of 17 kB", reason: "BAD_TOKEN", make: (provider) => provider.sign({ x: "x".repeat(13_000) }) },
  claiming("with a subject that is a number", { sub: 7 as never }),
  claiming("with no subject", { sub: undefined as never }),
  claiming("with an empty subject", { sub: "" }),
  claiming("with a subject of 201 characters", { sub: "x".repeat(201) }),
  claiming("that never expires", { exp: undefined as never }),
  claiming("that expires in a text", { exp: "tomorrow" as never }),
  claiming("that expires after the last day", { exp: 1e15 }),
  claiming("that was never issued", { iat: undefined as never }),
  claiming("that is valid from a text", { nbf: "now" as never }),
  claiming("with an id that is an object", { jti: {} as never }),
  claiming("with roles that are a text", { roles: "admin" }),
  claiming("with a role that is a number", { roles: [1] }),
  claiming("with 101 roles", { roles: Array.from({ length: 101 }, (_, at) => `r${at}`) }),
  claiming("with groups that are an object", { groups: { finance: true } }),
  claiming("with an e-mail address that is a list", { email: ["a@acme.example"] }),
  claiming("with a name that is a number", { name: 7 }),
  claiming("of a kind nobody knows", { kind: "ROBOT" }),
  claiming("with an actor that is a text", { act: "agent-7" }),
  claiming("with an actor that is a list", { act: [{ sub: "agent-7" }] }),
  claiming("with an actor without a subject", { act: {} }),
  claiming("with an actor of another issuer", { act: { sub: "agent-7", iss: "https://elsewhere.example" } }),
  claiming("with an actor who is the subject", { act: { sub: "p-1" } }),
  claiming("with an actor's actor that is a text", { act: { sub: "agent-7", act: "agent-8" } }),
  claiming("with six actors", {
    act: {
      sub: "a1",
      act: { sub: "a2", act: { sub: "a3", act: { sub: "a4", act: { sub: "a5", act: { sub: "a6" } } } } },
    },
  }),
  claiming("with a client that is an object", { client_id: {} }),
  claiming("for several clients", { client_id: ["console", "nightly-export"] }),
  claiming("for a person's client by one claim and a machine's by another", {
    azp: "console",
    appid: "nightly-export",
  }),
  claiming("for a machine's client by one claim and a person's by another", { cid: "nightly-export", azp: "console" }),
  claiming("bound to a key that is no thumbprint", { cnf: { jkt: "x" } }),
  claiming("bound to a certificate", { cnf: { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }),
];

/** Tokens whose claims hold a character of INVISIBLE, for each place where one could be. */
export const INVISIBLE_TOKENS: readonly BadToken[] = INVISIBLE.flatMap(([name, character]) => [
  claiming(`with ${name} in its subject`, { sub: `p${character}1` }),
  claiming(`with ${name} in a role`, { roles: [`admin${character}`] }),
  claiming(`with ${name} in a group`, { groups: [`${character}finance`] }),
  claiming(`with ${name} in a name`, { name: `An${character}na` }),
  claiming(`with ${name} in an e-mail address`, { email: `a${character}@acme.example` }),
  claiming(`with ${name} in its actor`, { act: { sub: `agent${character}` } }),
]);
