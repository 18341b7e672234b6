import type { JWTPayload } from "jose";
import { z } from "zod";
import { isAddress } from "../addresses.ts";
import type { SignInAssurance } from "../assurance.ts";
import { displayNameSchema, emailSchema, nameListSchema, nameSchema, regionSchema } from "../names.ts";
import type { Principal, PrincipalKind } from "../principal.ts";
import {
  actClaimOf,
  badClaim,
  type ClaimsReader,
  clientIdOf,
  identityOf,
  isExchanged,
  isMachine,
  kindSchema,
  read,
  valueAt,
} from "./claim-values.ts";

/** The paths of claims in an issuer's tokens. A path is the name of a claim, or names joined by dots for a nested claim. */
export interface ClaimPaths {
  readonly roles: string;
  readonly groups: string;
  readonly email: string;
  readonly name: string;
  readonly kind: string;
  readonly region: string;
}

/** How an issuer's tokens are read. */
export interface ClaimRules {
  readonly organization: string;
  /** Comes before every subject, so that the ids of two issuers never meet. */
  readonly subjectPrefix: string;
  /** Prefixes of the organization's other issuers: a subject of this one must not look like one of theirs. */
  readonly reservedPrefixes: readonly string[];
  readonly claims: ClaimPaths;
  /** From the issuer's roles to ours; a role that is not in it counts for nothing. Undefined: roles are taken as they are. */
  readonly roleMap?: Readonly<Record<string, string>> | undefined;
  /** Whose addresses are verified: "claim", where the token says so; "always", those of all accounts of the issuer. */
  readonly emailVerified: "claim" | "always";
  /** What a client is that signs in as itself; AGENT when it is not listed. */
  readonly clients: Readonly<Record<string, "SERVICE" | "AGENT">>;
  /** What values of `acr` mean, beyond those that mean the same everywhere. */
  readonly acr?: Readonly<Record<string, SignInAssurance>>;
}

/** A region as platforms have them. Providers may mean something else by such a claim: that says nothing. */
function regionIn(given: unknown): Pick<Principal, "region"> {
  const { data: region } = regionSchema.safeParse(given);
  return region === undefined ? {} : { region };
}

/** An issuer's own roles before mapping, which need not be valid names of ours. */
const unmappedSchema = z.array(z.string()).max(1_000);

/** Reads the tokens of an identity provider. */
export function readerFor(rules: ClaimRules): ClaimsReader {
  const { organization, subjectPrefix, reservedPrefixes, claims: paths, clients, acr } = rules;
  const roleMap = rules.roleMap && new Map(Object.entries(rules.roleMap));
  const registered = new Map(Object.entries(clients));

  function idOf(subject: unknown, claim: string): string {
    const id = read(nameSchema, `${subjectPrefix}${read(nameSchema, subject, claim)}`, claim);
    if (reservedPrefixes.some((prefix) => id.startsWith(prefix))) throw badClaim(claim);
    return id;
  }

  function rolesOf(source: JWTPayload): readonly string[] {
    const given = valueAt(source, paths.roles) ?? [];
    if (roleMap === undefined) return read(nameListSchema, given, paths.roles);
    const mapped = read(unmappedSchema, given, paths.roles).flatMap((role) => roleMap.get(role) ?? []);
    return [...new Set(mapped)];
  }

  /**
   * The e-mail address, unless the issuer marks it as unverified or it is none: it is used to tell people apart. `email_verified` is
   * about the claim `email` beside it (OpenID Connect Core 1.0, section 5.1), and about no other.
   */
  function addressIn(source: JWTPayload): Pick<Principal, "email" | "emailVerified"> {
    const given = valueAt(source, paths.email);
    if (given === undefined) return {};
    const email = read(emailSchema, given, paths.email);
    const path = paths.email.replace(/(?<![^.])email$/, "email_verified");
    const stated = [source.email_verified, path === paths.email ? undefined : valueAt(source, path)];
    if (stated.some((one) => one === false || one === "false") || !isAddress(email)) return {};
    const isStated = path !== paths.email && (stated[1] === true || stated[1] === "true");
    return isStated || rules.emailVerified === "always" ? { email, emailVerified: true } : { email };
  }

  /** The account `source` describes: the token's subject, or the actor in its `act`. */
  function accountOf(source: JWTPayload, id: string, kind: PrincipalKind): Principal {
    const name = valueAt(source, paths.name);
    return {
      id,
      kind,
      organization,
      ...addressIn(source),
      ...(name === undefined ? {} : { displayName: read(displayNameSchema, name, paths.name) }),
      ...regionIn(valueAt(source, paths.region)),
      roles: rolesOf(source),
      groups: read(nameListSchema, valueAt(source, paths.groups) ?? [], paths.groups),
    };
  }

  return (claims) => {
    const id = idOf(claims.sub, "sub");
    const client = clientIdOf(claims);
    const actor = actClaimOf(claims);
    if (actor === undefined && isExchanged(claims)) throw badClaim("act");
    // What is listed signs in as itself: without an act, its token for somebody's subject is no sign of that person.
    const listed = registered.has(claims.sub ?? "") || (actor === undefined && registered.has(client ?? ""));
    const machine = isMachine(claims) || listed;
    const stated = read(kindSchema, valueAt(claims, paths.kind) ?? "HUMAN", paths.kind);
    // A client that signed in as itself is never a person, whatever its token claims.
    const kind = machine ? (registered.get(client ?? "") ?? registered.get(claims.sub ?? "") ?? "AGENT") : stated;
    return identityOf(claims, {
      client,
      machine,
      subject: accountOf(claims, id, kind),
      agent: actor && accountOf(actor, idOf(actor.sub, "act"), "AGENT"),
      ...(acr === undefined ? {} : { acr }),
    });
  };
}
