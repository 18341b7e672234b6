import { ASSURANCES } from "../../../facts/assurance.ts";
import type { JsonObject, JsonValue } from "../../../facts/canonical.ts";
import { isSame, objectOf } from "../../../facts/members.ts";
import type { PolicyRule } from "../document/schema.ts";
import { type Change, type Effect, otherMembers, paired, restOf } from "./change.ts";
import { listOf, named, namesChanged, shown } from "./wording.ts";

type Requirement = NonNullable<PolicyRule["require"]>[number];

/** A member of requirements: how it is said, and what leaving it out, adding it or changing it does. */
interface Condition {
  /** Undefined for a value that it does not have, which is then said as it is. */
  text(value: JsonValue): string | undefined;
  /** How both differ, if it can be said in fewer words than both take; without a text, they say the same. */
  differing?(before: JsonValue, after: JsonValue): { readonly text: string | undefined } | undefined;
  readonly removed: Effect;
  readonly added: Effect;
  changed(before: JsonValue, after: JsonValue): Effect;
}

const textOr = (value: JsonValue | undefined, say: (text: string) => string) =>
  typeof value === "string" ? say(value) : undefined;
const namesOf = (value: JsonValue | undefined) =>
  Array.isArray(value) && value.every((one) => typeof one === "string") ? (value as readonly string[]) : undefined;
const mayLoosen = (): Effect => "may loosen";

/** A list of names, which is said by what is in one of both only. */
const listed = (say: (names: string) => string, what: string): Condition => ({
  text(value) {
    const names = namesOf(value);
    return names && say(listOf(names));
  },
  differing(before, after) {
    const [old, now] = [namesOf(before), namesOf(after)];
    if (old === undefined || now === undefined) return undefined;
    const changed = namesChanged(old, now);
    return { text: changed && `${what}: ${changed}` };
  },
  removed: "loosens",
  added: undefined,
  changed: mayLoosen,
});

const RANKS: ReadonlyMap<JsonValue, number> = new Map(ASSURANCES.map((one, at) => [one, at]));
const rank = (value: JsonValue) => RANKS.get(value) ?? -1;

const CONDITIONS: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  [
    "assurance",
    {
      text: (value) => textOr(value, (text) => `with assurance ${named(text)}`),
      removed: "loosens",
      added: undefined,
      changed: (before, after) => (rank(after) < rank(before) ? "loosens" : undefined),
    },
  ],
  [
    "note",
    {
      text: (value) => (value === true ? "with a note" : undefined),
      removed: "loosens",
      added: undefined,
      changed: mayLoosen,
    },
  ],
  ["approver.roles", listed((names) => `who has a role of ${names}`, "roles of which an approver has one")],
  ["approver.regions", listed((names) => `who is in a region of ${names}`, "regions of which an approver is in one")],
  [
    "ownerConfirms",
    {
      text: (value) => (value === true ? "or the person the agent acts for" : undefined),
      removed: undefined,
      added: "loosens",
      changed: mayLoosen,
    },
  ],
  [
    "ttl",
    {
      text: (value) => textOr(value, (text) => `within ${named(text)}`),
      removed: "may loosen",
      added: "may loosen",
      changed: mayLoosen,
    },
  ],
  [
    "escalate",
    {
      text(value) {
        const { after, to, ...others } = value as JsonObject;
        if (typeof after !== "string" || typeof to !== "string" || Object.keys(others).length > 0) return undefined;
        return `after ${named(after)} also of ${named(to)}`;
      },
      removed: undefined,
      added: "loosens",
      changed: mayLoosen,
    },
  ],
]);

/** Members that say who and how many. */
const ASKED = ["group", "needed"];

/** Who a requirement is about: others than these are asked by another one. */
function whoOf({ group }: Requirement): string {
  return named(group);
}

/** Its members by their paths: those of `approver` each by itself. */
function membersOf(requirement: Requirement): JsonObject {
  const { approver, ...members } = requirement as JsonObject;
  const inside = Object.entries(objectOf(approver)).map(([name, value]) => [`approver.${name}`, value] as const);
  return { ...members, ...Object.fromEntries(inside) } as JsonObject;
}

function said(name: string, { text }: Condition, value: JsonValue): string {
  return text(value) ?? `${named(name)} ${shown(value)}`;
}

/** Such as `2 of approvers, with assurance MFA, with a note`. */
export function requirementText(requirement: Requirement): string {
  const members = membersOf(requirement);
  const words = [...CONDITIONS].flatMap(([name, condition]) => {
    const value = members[name];
    return value === undefined ? [] : [said(name, condition, value)];
  });
  const all = [`${requirement.needed} of ${whoOf(requirement)}`, ...words].join(", ");
  return `${all}${restOf(members, [...ASKED, ...CONDITIONS.keys()])}`;
}

function memberChanges(what: string, name: string, before: JsonObject, after: JsonObject): readonly Change[] {
  const [condition, old, now] = [CONDITIONS.get(name), before[name], after[name]];
  if (condition === undefined || isSame(old, now)) return [];
  if (old === undefined || now === undefined) {
    const word = old === undefined ? "added" : "removed";
    const text = `${what}: ${word}: ${said(name, condition, (old ?? now) as JsonValue)}`;
    return [{ effect: condition[word], text }];
  }
  const both = { text: `${said(name, condition, old)} → ${said(name, condition, now)}` };
  const { text } = condition.differing?.(old, now) ?? both;
  return text === undefined ? [] : [{ effect: condition.changed(old, now), text: `${what}: ${text}` }];
}

/** What differs, one change each: whether fewer people are asked, or others, or less of them. */
function differences(rule: string, before: Requirement | undefined, after: Requirement | undefined): readonly Change[] {
  if (before === undefined) {
    return after === undefined ? [] : [{ effect: undefined, text: `${rule}: also requires ${requirementText(after)}` }];
  }
  if (after === undefined) {
    return [{ effect: "loosens", text: `${rule}: no longer requires ${requirementText(before)}` }];
  }
  const who = whoOf(after);
  const what = `${rule}, of ${who}`;
  const numbers: readonly Change[] =
    before.needed === after.needed
      ? []
      : [
          {
            effect: after.needed < before.needed ? "loosens" : undefined,
            text: `${rule}: ${before.needed} → ${after.needed} of ${who}`,
          },
        ];
  const [old, now] = [membersOf(before), membersOf(after)];
  return [
    ...numbers,
    ...[...CONDITIONS.keys()].flatMap((name) => memberChanges(what, name, old, now)),
    ...otherMembers(what, [...ASKED, ...CONDITIONS.keys()], old, now),
  ];
}

/** The changes of what `rule` requires, in whatever order: only of requirements that differ, and of these what differs. */
export function requirementChanges(
  rule: string,
  before: readonly Requirement[],
  after: readonly Requirement[],
): readonly Change[] {
  return paired(before, after, whoOf).flatMap((pair) => differences(rule, ...pair));
}
