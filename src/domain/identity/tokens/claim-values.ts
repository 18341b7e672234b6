import type { JWTPayload } from "jose";
import { z } from "zod";
import { assuranceOf, type SignInAssurance } from "../assurance.ts";
import { CLIENT_CREDENTIALS, methodOf, TOKEN_EXCHANGE } from "../browser/sign-in-methods.ts";
import { AuthenticationError } from "../errors.ts";
import { nameSchema } from "../names.ts";
import type { Principal } from "../principal.ts";

/** The principal and the other claims of a token. */
export interface ClaimedIdentity {
  readonly principal: Principal;
  /** See `Authentication.method`. */
  readonly method: string;
  /** See `Authentication.assurance`. */
  readonly assurance?: SignInAssurance;
  readonly clientId?: string;
  readonly sessionId?: string;
}

/** Reads the claims of one issuer's tokens. Throws AuthenticationError BAD_CLAIMS, naming the claim. */
export type ClaimsReader = (claims: JWTPayload) => ClaimedIdentity;

/** Claims that name the client a token was issued to: RFC 9068, OpenID Connect, Okta, Entra ID. */
const CLIENT_CLAIMS = ["client_id", "azp", "cid", "appid"] as const;
/** Claims in which issuers name the grant: Auth0 and others. */
const GRANT_CLAIMS = ["gty", "grant_type"] as const;
const MACHINE_GRANTS: readonly unknown[] = ["client_credentials", "client-credentials"];
const EXCHANGE_GRANTS: readonly unknown[] = ["urn:ietf:params:oauth:grant-type:token-exchange", "token-exchange"];
/** Actors that may have passed a token on (RFC 8693, section 4.1). */
const MAX_ACTORS = 5;
/** The last Unix second whose date has four digits in its year. */
const LAST_SECOND = 253_402_300_799;

export const kindSchema = z.enum(["HUMAN", "AGENT", "SERVICE"]);
const actorSchema = z.looseObject({ sub: nameSchema, iss: z.string().exactOptional() });
const boundToSchema = z.strictObject({ jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/) });

/** `why`: what is wrong with it, as the end of a sentence about it. */
export function badClaim(claim: string, why?: string): AuthenticationError {
  const problem = why === undefined ? "is missing or invalid" : `is not accepted, it ${why}`;
  return new AuthenticationError("BAD_CLAIMS", `the token's claim ${claim} ${problem}`);
}

/** Why a name in a claim is refused; undefined: the claim is wrong in another way. */
export function nameProblemIn(error: z.ZodError): string | undefined {
  return error.issues.find(({ code }) => code === "custom")?.message;
}

/** `value` as `schema` has it. Throws AuthenticationError. */
export function read<Value>(schema: z.ZodType<Value>, value: unknown, claim: string): Value {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw badClaim(claim, nameProblemIn(parsed.error));
  return parsed.data;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at `path`. A name may itself hold dots, as `https://idp.example/roles` does. */
export function valueAt(value: unknown, path: string): unknown {
  if (!isObject(value)) return undefined;
  if (Object.hasOwn(value, path)) return value[path];
  for (let dot = path.indexOf("."); dot !== -1; dot = path.indexOf(".", dot + 1)) {
    const name = path.slice(0, dot);
    const found = Object.hasOwn(value, name) ? valueAt(value[name], path.slice(dot + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The claims common to tokens of all issuers. `key` is the thumbprint of the key it is bound to (RFC 9449, section 6.1). */
export function readToken({ exp, jti, cnf }: JWTPayload): {
  readonly expires: number;
  readonly tokenId?: string;
  readonly key?: string;
} {
  return {
    expires: read(z.number().max(LAST_SECOND), exp, "exp"),
    ...(jti === undefined ? {} : { tokenId: read(nameSchema, jti, "jti") }),
    // A token bound in another way is refused: we could not verify that its bearer may use it.
    ...(cnf === undefined ? {} : { key: read(boundToSchema, cnf, "cnf").jkt }),
  };
}

/** Whom a token is about: the client it was issued to, its subject, and who acts for the subject. */
interface Parties {
  readonly client: string | undefined;
  readonly machine: boolean;
  readonly subject: Principal;
  readonly agent: Principal | undefined;
  /** What values of `acr` mean at this issuer, beyond those that mean the same everywhere. */
  readonly acr?: Readonly<Record<string, SignInAssurance>>;
}

export function identityOf(claims: JWTPayload, { machine, client, subject, agent, acr }: Parties): ClaimedIdentity {
  // Nobody acts for himself.
  if (agent?.id === subject.id) throw badClaim("act");
  const signIn = { acr: claims.acr, amr: claims.amr };
  const direct = machine ? CLIENT_CREDENTIALS : methodOf(claims);
  return {
    principal: agent === undefined ? subject : { ...agent, onBehalfOf: subject },
    method: agent === undefined ? direct : TOKEN_EXCHANGE,
    // Whoever calls for a person was not signed in as they were.
    ...(agent === undefined && !machine && subject.kind === "HUMAN" ? { assurance: assuranceOf(signIn, acr) } : {}),
    ...(client === undefined ? {} : { clientId: client }),
  };
}

/** The client that a token was issued to. Throws AuthenticationError BAD_CLAIMS when two claims name different ones. */
export function clientIdOf(claims: JWTPayload): string | undefined {
  const named = CLIENT_CLAIMS.filter((name) => claims[name] !== undefined);
  const [first, ...others] = named.map((name) => ({ name, client: read(nameSchema, claims[name], name) }));
  const other = others.find(({ client }) => client !== first?.client);
  if (other !== undefined) throw badClaim(other.name, `names another client than ${first?.name}`);
  return first?.client;
}

function grantsOf(claims: JWTPayload): readonly unknown[] {
  return GRANT_CLAIMS.flatMap((claim) => claims[claim]);
}

/** Whether the token was issued in exchange for another one (RFC 8693), so that it needs an `act` to name the agent. */
export function isExchanged(claims: JWTPayload): boolean {
  return grantsOf(claims).some((grant) => EXCHANGE_GRANTS.includes(grant));
}

/**
 * Whether a client signed in as itself. A subject that is the client: RFC 9068, section 2.2; with `@clients`: Auth0;
 * `service-account-` and the client: Keycloak; `idtyp`: Entra ID.
 */
export function isMachine(claims: JWTPayload): boolean {
  const { sub, idtyp, preferred_username: user } = claims;
  if (idtyp === "app") return true;
  if (grantsOf(claims).some((grant) => MACHINE_GRANTS.includes(grant))) return true;
  return CLIENT_CLAIMS.map((claim) => claims[claim]).some(
    (client) =>
      typeof client === "string" &&
      (sub === client ||
        sub === `${client}@clients` ||
        (typeof user === "string" && user.toLowerCase() === `service-account-${client.toLowerCase()}`)),
  );
}

/**
 * The agent that calls: the outermost `act`. Those inside it passed the token on before; they are looked at, and confer
 * nothing (RFC 8693, section 4.1).
 */
export function actClaimOf(claims: JWTPayload): z.infer<typeof actorSchema> | undefined {
  if (claims.act === undefined) return undefined;
  const outermost = read(actorSchema, claims.act, "act");
  let depth = 0;
  for (let at: unknown = outermost; at !== undefined; at = isObject(at) ? at.act : undefined) {
    const { iss } = read(actorSchema, at, "act");
    // Another issuer's subjects are other subjects.
    if (++depth > MAX_ACTORS || (iss !== undefined && iss !== claims.iss)) throw badClaim("act");
  }
  return outermost;
}
