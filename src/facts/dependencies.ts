import type { JsonObject, JsonValue } from "./canonical.ts";
import { objectOf } from "./members.ts";

/** The id of the only POLICY record. */
export const POLICY_ID = "policy";

/** A thing as an entry found it. Version 0: it does not exist. */
export interface Dependency {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
}

interface Body {
  readonly type?: unknown;
  readonly session?: unknown;
  readonly chain?: unknown;
  readonly policyRecord?: unknown;
  readonly publication?: unknown;
  readonly decision?: unknown;
  readonly states?: unknown;
}

/**
 * What an entry with this body depends on beside what it moves: the open session it is made in, the open chain it is a step of, the
 * policy that an approval would replace, the approved action of a publication, and the delegation by which somebody decides. The append refuses a draft that depends on what stands elsewhere; a verifier finds the same from the entry.
 */
export function dependenciesOf(body: Body): readonly Dependency[] {
  const { type, session, chain } = body;
  // Of a stored body, an item may be anything.
  const states = Array.isArray(body.states) ? (body.states as readonly (JsonObject | null)[]) : [];
  const moves = (kind: string, id: string) => states.some((state) => state?.kind === kind && state.id === id);
  const dependencies: Dependency[] = [];
  if (typeof session === "string" && !moves("SESSION", session)) {
    dependencies.push({ kind: "SESSION", id: session, version: 1 });
  }
  if (type === "ACTION_PROPOSED" && typeof chain === "string" && !moves("CHAIN", chain)) {
    dependencies.push({ kind: "CHAIN", id: chain, version: 1 });
  }
  if (type === "ACTION_APPROVED" && isPositive(body.policyRecord)) {
    dependencies.push({ kind: "POLICY", id: POLICY_ID, version: body.policyRecord });
  }
  if (type === "POLICY_PUBLISHED") {
    const { action: id, actionVersion } = objectOf(body.publication as JsonValue | undefined);
    if (typeof id === "string" && isPositive(actionVersion)) {
      dependencies.push({ kind: "ACTION", id, version: actionVersion });
    }
  }
  const delegation = typeof type === "string" && DECISIONS.has(type) ? delegationIn(body) : undefined;
  if (delegation !== undefined) dependencies.push({ kind: "DELEGATION", id: delegation, version: 1 });
  return dependencies;
}

function isPositive(version: unknown): version is number {
  return typeof version === "number" && Number.isSafeInteger(version) && version > 0;
}

const DECISIONS: ReadonlySet<string> = new Set(["ACTION_APPROVED", "ACTION_DENIED"]);

function delegationIn({ decision }: Body): string | undefined {
  const { delegatedBy } = objectOf(decision as JsonValue | undefined);
  const { delegation } = objectOf(delegatedBy);
  return typeof delegation === "string" ? delegation : undefined;
}

/** A dependency with members that the state of the thing must have, as far as the version does not say which state it is. */
export interface Condition extends Dependency {
  readonly state?: JsonObject | undefined;
}

/**
 * What the append checks of an entry with this body: its dependencies, with the platform of the chain, and the chain that it
 * closes. Two servers that start a chain at once mean the same id and version, on platforms of their own.
 */
export function conditionsOf(body: Body & { readonly platform?: unknown }): readonly Condition[] {
  const conditions = dependenciesOf(body).map((one): Condition => {
    const { platform } = body;
    return one.kind === "CHAIN" && typeof platform === "string" ? { ...one, state: { platform } } : one;
  });
  // Nothing that a verifier could look up.
  if (body.policyRecord === 0) conditions.push({ kind: "POLICY", id: POLICY_ID, version: 0 });
  for (const { kind, id, version, state } of Array.isArray(body.states) ? (body.states as readonly MovedChain[]) : []) {
    if (kind !== "CHAIN" || version === 1) continue;
    const { number, platform } = state;
    conditions.push({ kind, id, version: version - 1, state: { number, platform } });
  }
  return conditions;
}

interface MovedChain {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly state: JsonObject & { readonly number: number; readonly platform: string };
}
