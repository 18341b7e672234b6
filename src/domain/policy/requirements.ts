import { type Assurance, stronger } from "../../facts/assurance.ts";
import { canonicalize, type JsonObject, type JsonValue } from "../../facts/canonical.ts";
import { instant } from "../../facts/entry.ts";
import { isSame } from "../../facts/members.ts";
import type { ApproverFilter } from "../../facts/quorum.ts";
import { secondsOf } from "./document/duration.ts";
import type { PolicyRule } from "./document/schema.ts";
import type { Requirement } from "./evaluate.ts";

type Written = NonNullable<PolicyRule["require"]>[number];

/** A requirement as documents have it, before it is known when the action is proposed. */
export interface RequiredApprovals extends Omit<Requirement, "role" | "escalation" | "requesterAfter" | "unreached"> {
  /** Seconds, after which members of another group may approve as well. */
  readonly escalate?: { readonly after: number; readonly to: string } | undefined;
}

/** What a document requires, by its parts. */
export function requirementOf(id: string, { ttl, escalate, approver, ...written }: Written): RequiredApprovals {
  return {
    id,
    ...written,
    ...(approver === undefined ? {} : { approver: [approver] }),
    ...(ttl === undefined ? {} : { ttl: secondsOf(ttl) }),
    ...(escalate === undefined ? {} : { escalate: { after: secondsOf(escalate.after), to: escalate.to } }),
  };
}

/**
 * The strictest union: of each group, the largest number, the highest assurance, the shortest time, all filters, a note if one wants it,
 * confirmation by the owner only if all permit it, and the latest escalation, if all escalate to one group. In whatever order they are.
 */
export function unionOf(requirements: readonly RequiredApprovals[]): readonly RequiredApprovals[] {
  const strictest = new Map<string, RequiredApprovals>();
  for (const requirement of requirements) {
    const known = strictest.get(requirement.group);
    strictest.set(requirement.group, known === undefined ? requirement : stricter(known, requirement));
  }
  return [...strictest.values()].sort((one, other) => (one.group < other.group ? -1 : 1));
}

function stricter(one: RequiredApprovals, other: RequiredApprovals): RequiredApprovals {
  const first = one.needed > other.needed || (one.needed === other.needed && one.id <= other.id) ? one : other;
  const { id, group, needed } = first;
  const assurance = strongest(one.assurance, other.assurance);
  const filters = allOf([...(one.approver ?? []), ...(other.approver ?? [])]);
  const ttl = Math.min(one.ttl ?? Number.POSITIVE_INFINITY, other.ttl ?? Number.POSITIVE_INFINITY);
  const escalate = laterOf(one.escalate, other.escalate);
  return {
    id,
    group,
    needed,
    ...(assurance === undefined ? {} : { assurance }),
    ...(one.note === true || other.note === true ? { note: true } : {}),
    ...(filters.length === 0 ? {} : { approver: filters }),
    ...(one.ownerConfirms === true && other.ownerConfirms === true ? { ownerConfirms: true } : {}),
    ...(Number.isFinite(ttl) ? { ttl } : {}),
    ...(escalate === undefined ? {} : { escalate }),
  };
}

function strongest(one: Assurance | undefined, other: Assurance | undefined): Assurance | undefined {
  return one === undefined || other === undefined ? (one ?? other) : stronger(one, other);
}

/** Each filter once, in an order that does not depend on that of the rules. */
function allOf(filters: readonly ApproverFilter[]): readonly ApproverFilter[] {
  const byText = new Map(filters.map((filter) => [canonicalize({ ...filter }), filter]));
  return [...byText].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, filter]) => filter);
}

type Escalate = RequiredApprovals["escalate"];

/** Who may decide widens by an escalation: it is there only where both have it. */
function laterOf(one: Escalate, other: Escalate): Escalate {
  if (one === undefined || other === undefined || one.to !== other.to) return undefined;
  return one.after >= other.after ? one : other;
}

/** Requirements of an action that is proposed at `now`. */
export function requirementsAt(requirements: readonly RequiredApprovals[], now: Date): readonly Requirement[] {
  return requirements.map(({ escalate, ...requirement }) => {
    if (escalate === undefined) return requirement;
    const at = instant(new Date(now.getTime() + escalate.after * 1_000));
    return { ...requirement, escalation: { at, group: escalate.to } };
  });
}

/** A requirement as data, for a proposal. */
export function recordedRequirement({ approver, escalation, ...requirement }: Requirement) {
  return {
    ...requirement,
    approver: approver?.map((filter) => ({ ...filter })),
    escalation: escalation && { ...escalation },
  };
}

const MINUTE_MS = 60_000;

/**
 * Whether both ask the same of the same people, for an action that was proposed at `since`. Ids, which are those of rules, do not count; times of
 * escalation count by the minute, and not where one escalated at once because nobody was known.
 */
export function areAlike(one: readonly Requirement[], other: readonly Requirement[], since: Date): boolean {
  const isTimeless = [...one, ...other].some(({ unreached }) => unreached === true);
  const texts = (all: readonly Requirement[]) =>
    all.map(({ id: _, unreached: __, escalation, ...rest }) => {
      const after = escalation && Math.round((Date.parse(escalation.at) - since.getTime()) / MINUTE_MS);
      const escalate = escalation && { group: escalation.group, after: isTimeless ? 0 : (after ?? 0) };
      return canonicalize({ ...rest, ...(escalate && { escalate }) } as JsonObject);
    });
  return isSame(texts(one).toSorted(), texts(other).toSorted());
}

/**
 * How far requirements of an action that is proposed at `now` are other than a case expects. What the case does not say of one is not looked
 * at, but for whom it asks and how many. Undefined: they are as expected.
 */
export function unexpected(
  requirements: readonly Requirement[],
  expected: readonly Written[],
  now: Date,
): string | undefined {
  const wanted = expected.map((one) => requirementOf("", one));
  const isAs = (one: Requirement, other: RequiredApprovals) => {
    const { escalation, ...rest } = one;
    const escalate = escalation && {
      after: Math.round((Date.parse(escalation.at) - now.getTime()) / 1_000),
      to: escalation.group,
    };
    const members = new Map(Object.entries({ ...rest, escalate } as JsonObject));
    const { id: _, ...looked } = other;
    return (
      one.role !== true &&
      Object.entries(looked).every(([name, value]) => isSame(members.get(name), value as JsonValue))
    );
  };
  const areAll =
    wanted.length === requirements.length && wanted.every((other) => requirements.some((one) => isAs(one, other)));
  return areAll ? undefined : `required are ${listed(requirements)}, not ${listed(wanted)}`;
}

function listed(all: readonly (Requirement | RequiredApprovals)[]): string {
  const texts = all.map(({ id: _, group, needed, ...rest }) => {
    const more = canonicalize(rest as JsonObject);
    return `${needed} of ${group}${more === "{}" ? "" : ` with ${more}`}`;
  });
  return texts.length === 0 ? "none" : texts.toSorted().join(", ");
}
