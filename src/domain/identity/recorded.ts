import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { factOf } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { SYSTEM_ACTOR } from "../../facts/envelope.ts";
import { Erasable } from "../../facts/erasable.ts";
import { valueAt, Withheld, type WithheldBecause } from "../../facts/payload.ts";
import type { EnvelopeDraft, Fact } from "../../facts/registry.ts";
import type { Caller, ClientIdentity, Principal } from "./principal.ts";

/** Who made an entry. */
export type By = Caller | "system";

/** The members of a body for the caller, the client, the person acted for and the id of the session, if any. */
export function callerFacts(by: By, session?: string): EnvelopeDraft {
  if (by === "system") return { actor: SYSTEM_ACTOR };
  const { principal, client, traceId } = by;
  return {
    actor: recorded(principal, principals, principalFacts),
    onBehalfOf: principal.onBehalfOf && recorded(principal.onBehalfOf, principals, principalFacts),
    client: recorded(client, clients, clientFacts),
    traceId,
    session,
  };
}

// The same few principals and clients make most entries, and commitments are salted anew each time an entry is sealed.
const principals = new WeakMap<Principal, EnvelopeDraft["actor"]>();
const clients = new WeakMap<ClientIdentity, EnvelopeDraft["client"]>();

function recorded<Subject extends object, Member>(
  subject: Subject,
  known: WeakMap<Subject, Member>,
  make: (subject: Subject) => Member,
): Member {
  let member = known.get(subject);
  if (member === undefined) {
    member = make(subject);
    known.set(subject, member);
  }
  return member;
}

function principalFacts({
  id,
  kind,
  roles,
  groups,
  displayName,
  email,
  emailVerified,
}: Principal): EnvelopeDraft["actor"] {
  return { id, kind, roles, groups, profile: new Erasable({ displayName, email, emailVerified }) };
}

function clientFacts({ evidence, ...client }: ClientIdentity): EnvelopeDraft["client"] {
  const { name, version, surface, confidence, model, modelConfidence, rules } = client;
  return { name, version, surface, confidence, model, modelConfidence, rules, evidence: new Erasable(evidence) };
}

/** Who made `entry`, with the person behind. Names and addresses are there as far as they are those that were recorded. */
export function actorOf(entry: LedgerEntry): Principal {
  const { actor, onBehalfOf } = factOf(entry);
  const organization = entry.ledger.slice(0, entry.ledger.indexOf("/"));
  const principal = principalOf(actor, organization, profileIn(entry, "actor.profile"));
  if (onBehalfOf === undefined) return principal;
  return { ...principal, onBehalfOf: principalOf(onBehalfOf, organization, profileIn(entry, "onBehalfOf.profile")) };
}

/** Personal values of a principal, erasable. */
export interface Profile {
  readonly displayName?: string;
  readonly email?: string;
  readonly emailVerified?: boolean;
  /** Why neither can be known, though the entry recorded them. */
  readonly withheld?: WithheldBecause;
}

/** The profile that an entry recorded at a path. */
export function profileIn(entry: LedgerEntry, path: string): Profile {
  const found = valueAt(entry, path);
  if (found === undefined) return {};
  if (found instanceof Withheld) return { withheld: found.problem };
  // An entry that no server made may have committed to anything.
  const { displayName, email, emailVerified } = objectOf(found);
  return {
    ...(typeof displayName === "string" ? { displayName } : {}),
    ...(typeof email === "string" ? { email } : {}),
    ...(emailVerified === true ? { emailVerified } : {}),
  };
}

function objectOf(value: JsonValue): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : {};
}

function principalOf({ id, kind, roles, groups }: Fact["actor"], organization: string, profile: Profile): Principal {
  return { id, kind, organization, roles, groups, ...profile };
}
