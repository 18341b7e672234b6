import type { JsonObject, JsonValue } from "../../ledger/canonical.ts";
import { unseal } from "../../ledger/commitment.ts";
import type { LedgerEntry } from "../../ledger/entry.ts";
import type { Hash } from "../../ledger/hash.ts";
import type { Principal, PrincipalKind } from "../identity/principal.ts";
import type { Effect } from "../policy/catalog.ts";
import type { Requirement } from "../policy/evaluate.ts";
import type { Terms } from "./action.ts";

const known = new WeakMap<LedgerEntry, Terms>();

/** What an ACTION_PROPOSED entry fixed. Our own hashed bytes: their shape is trusted. */
export function termsOf(proposal: LedgerEntry): Terms {
  let terms = known.get(proposal);
  if (terms === undefined) {
    terms = read(proposal);
    known.set(proposal, terms);
  }
  return terms;
}

function read(proposal: LedgerEntry): Terms {
  const { body } = proposal;
  return {
    actionId: text(object(body.action).id),
    platform: text(body.platform),
    tool: text(body.tool),
    effect: text(body.effect) as Effect,
    region: text(body.region),
    chain: text(body.chain),
    sourceChain: typeof body.sourceChain === "string" ? body.sourceChain : undefined,
    digest: text(body.digest) as Hash,
    policyHash: text(object(body.policy).hash) as Hash,
    requestedBy: actorOf(proposal),
    requirements: list(object(body.policy).requirements).map((item) => {
      const { id, group, needed } = object(item);
      return { id: text(id), group: text(group), needed: Number(needed) } satisfies Requirement;
    }),
  };
}

/** Who made `entry`, with the person behind. Names and addresses are there unless they were erased. */
export function actorOf(entry: LedgerEntry): Principal {
  const { actor, onBehalfOf } = unseal(entry.body, entry.payload);
  const organization = entry.ledger.slice(0, entry.ledger.indexOf("/"));
  const principal = principalOf(object(actor), organization);
  return onBehalfOf === undefined
    ? principal
    : { ...principal, onBehalfOf: principalOf(object(onBehalfOf), organization) };
}

function principalOf({ id, kind, roles, groups, profile }: JsonObject, organization: string): Principal {
  const { email, displayName } = object(profile ?? {});
  return {
    id: text(id),
    kind: text(kind) as PrincipalKind,
    organization,
    roles: list(roles).map(text),
    groups: list(groups).map(text),
    ...(typeof email === "string" ? { email } : {}),
    ...(typeof displayName === "string" ? { displayName } : {}),
  };
}

function object(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
