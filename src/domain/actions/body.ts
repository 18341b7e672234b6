import { Erasable, type UnsealedObject } from "../../ledger/commitment.ts";
import { SYSTEM_ACTOR } from "../../ledger/ledger.ts";
import type { Caller, ClientIdentity, Principal } from "../identity/principal.ts";
import type { Terms } from "./action.ts";
import type { NextState } from "./decide/ruling.ts";

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

/** What every later entry of an action repeats, so that each answers filters by itself. */
export function termFacts(terms: Terms): UnsealedObject {
  const { platform, tool, effect, region, chain, sourceChain, digest, policyHash } = terms;
  return { platform, tool, effect, region, chain, sourceChain, digest, policyHash };
}

/** The `action` member: with it, the append moves the state, if the version is still the one before. */
export function stateFacts(id: string, next: NextState): UnsealedObject {
  const { version, status, approvals, expiresAt, grant } = next;
  return {
    id,
    version,
    status,
    approvals,
    expiresAt: expiresAt && instant(expiresAt),
    grant: grant && { id: grant.id, hash: grant.hash, expiresAt: instant(grant.expiresAt) },
  };
}

/** RFC 3339 in UTC with microseconds, as everywhere in a ledger. */
export function instant(moment: Date): string {
  return moment.toISOString().replace("Z", "000Z");
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
