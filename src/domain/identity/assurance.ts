import { type Assurance, stronger } from "../../facts/assurance.ts";

/** What a sign-in can reach; a channel can make less of it. */
export type SignInAssurance = Exclude<Assurance, "CHAT">;

type Factor = "KNOWS" | "HAS" | "IS";

/**
 * The kind of factor behind each `amr` value (RFC 8176, section 2, and values in use beside it). Values that are no factor (`geo`,
 * `rba`, `user`, `wia`, and `mca`, which says that there were several channels) are not here.
 */
const FACTORS: Readonly<Record<string, Factor>> = {
  pwd: "KNOWS",
  pin: "KNOWS",
  kba: "KNOWS",
  otp: "HAS",
  sms: "HAS",
  tel: "HAS",
  pop: "HAS",
  swk: "HAS",
  hwk: "HAS",
  sc: "HAS",
  fido: "HAS",
  webauthn: "HAS",
  face: "IS",
  fpt: "IS",
  iris: "IS",
  retina: "IS",
  vbm: "IS",
};
/** `amr` values that alone say that there were several factors (RFC 8176, section 2). */
const SEVERAL: readonly string[] = ["mfa"];
/**
 * `amr` values of a key that cannot be copied: a hardware-secured key and a smart card (RFC 8176, section 2). Each says what signed, and not
 * that a person was there: programs use such keys of a computer too. So alone they are something held, as any key is.
 */
const HARDWARE: readonly string[] = ["hwk", "sc"];
/** `amr` value that says that a person was at the key (RFC 8176, section 2). No factor: anybody can be. */
const PRESENT = "user";

/**
 * `acr` values that have one meaning wherever they are issued. Of others the identity file says what they mean, `acr`.
 * `phr`, `phrh`: OpenID Connect EAP ACR Values 1.0, section 2, where `phrh` alone says that hardware holds the key; PAPE 1.0, section 4; REFEDS MFA profile; Okta's predefined values.
 */
const KNOWN_ACR: Readonly<Record<string, SignInAssurance>> = {
  phr: "MFA",
  phrh: "KEY",
  "http://schemas.openid.net/pape/policies/2007/06/multi-factor": "MFA",
  "http://schemas.openid.net/pape/policies/2007/06/multi-factor-physical": "MFA",
  "https://refeds.org/profile/mfa": "MFA",
  "urn:okta:loa:2fa:any": "MFA",
};

/** What an issuer says of how a person signed in. */
export interface SignInClaims {
  readonly acr?: unknown;
  readonly amr?: unknown;
}

/**
 * How sure the issuer of a person's verified token was of them. `acr`: what values of its own mean. What is said by neither claim counts
 * for nothing, and neither does a key that the token is bound to (RFC 9449): the program holds that one, not the person.
 */
export function assuranceOf(
  { acr, amr }: SignInClaims,
  own: Readonly<Record<string, SignInAssurance>> = {},
): SignInAssurance {
  const byClass = typeof acr === "string" ? (lookUp(own, acr) ?? lookUp(KNOWN_ACR, acr)) : undefined;
  return stronger(byClass ?? "SESSION", ofMethods(Array.isArray(amr) ? amr : [])) as SignInAssurance;
}

function ofMethods(amr: readonly unknown[]): SignInAssurance {
  const kinds = new Set(Object.keys(FACTORS).flatMap((value) => (amr.includes(value) ? [FACTORS[value]] : [])));
  const isMultiFactor = kinds.size > 1 || SEVERAL.some((value) => amr.includes(value));
  const isInHardware = HARDWARE.some((value) => amr.includes(value));
  if (isInHardware && (isMultiFactor || amr.includes(PRESENT))) return "KEY";
  return isMultiFactor ? "MFA" : "SESSION";
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
