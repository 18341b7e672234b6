import type { JsonObject } from "../../facts/canonical.ts";
import { Erasable, type UnsealedObject, unseal } from "../../facts/commitment.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { listOf, objectOf, textOf } from "../../facts/members.ts";
import { SYSTEM_ACTOR } from "../../ledger/ledger.ts";
import type { Caller, ClientIdentity, Principal, PrincipalKind } from "./principal.ts";

/** Who made an entry. */
export type By = Caller | "system";

/** The members of a body that say who called, with what, for whom, and in which session of theirs (its id), if any. */
export function callerFacts(by: By, session?: string): UnsealedObject {
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
const principals = new WeakMap<Principal, UnsealedObject>();
const clients = new WeakMap<ClientIdentity, UnsealedObject>();

function recorded<Subject extends object>(
  subject: Subject,
  known: WeakMap<Subject, UnsealedObject>,
  make: (subject: Subject) => UnsealedObject,
): UnsealedObject {
  let facts = known.get(subject);
  if (facts === undefined) {
    facts = make(subject);
    known.set(subject, facts);
  }
  return facts;
}

function principalFacts({ id, kind, roles, groups, displayName, email }: Principal): UnsealedObject {
  return { id, kind, roles, groups, profile: new Erasable({ displayName, email }) };
}

function clientFacts({ evidence, ...client }: ClientIdentity): UnsealedObject {
  const { name, version, surface, confidence, model, modelConfidence, rules } = client;
  return { name, version, surface, confidence, model, modelConfidence, rules, evidence: new Erasable(evidence) };
}

/** Who made `entry`, with the person behind. Names and addresses are there unless they were erased. */
export function actorOf(entry: LedgerEntry): Principal {
  const { actor, onBehalfOf } = unseal(entry.body, entry.payload);
  const organization = entry.ledger.slice(0, entry.ledger.indexOf("/"));
  const principal = principalOf(objectOf(actor), organization);
  return onBehalfOf === undefined
    ? principal
    : { ...principal, onBehalfOf: principalOf(objectOf(onBehalfOf), organization) };
}

function principalOf({ id, kind, roles, groups, profile }: JsonObject, organization: string): Principal {
  const { email, displayName } = objectOf(profile ?? {});
  return {
    id: textOf(id),
    kind: textOf(kind) as PrincipalKind,
    organization,
    roles: listOf(roles).map(textOf),
    groups: listOf(groups).map(textOf),
    ...(typeof email === "string" ? { email } : {}),
    ...(typeof displayName === "string" ? { displayName } : {}),
  };
}
