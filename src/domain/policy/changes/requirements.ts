import { ASSURANCES } from "../../../facts/assurance.ts";
import type { JsonObject, JsonValue } from "../../../facts/canonical.ts";
import type { PolicyRule } from "../document/schema.ts";
import { type Effect, isSame, paired, restOf, worst } from "./change.ts";
import { listOf, named, shown } from "./wording.ts";

type Requirement = NonNullable<PolicyRule["require"]>[number];

/** A member of requirements: how it is said, and what leaving it out, adding it or changing it does. */
interface Condition {
  /** Undefined for a value that it does not have, which is then said as it is. */
  text(value: JsonValue): string | undefined;
  readonly removed: Effect;
  readonly added: Effect;
  changed(before: JsonValue, after: JsonValue): Effect;
}

const textOr = (value: JsonValue | undefined, say: (text: string) => string) =>
  typeof value === "string" ? say(value) : undefined;
const namesOf = (value: JsonValue | undefined) =>
  Array.isArray(value) && value.every((one) => typeof one === "string") ? (value as readonly string[]) : undefined;
const mayLoosen = (): Effect => "may loosen";

function approverText(value: JsonValue): string | undefined {
  const { roles, regions, ...others } = value as JsonObject;
  const [named, places] = [namesOf(roles), namesOf(regions)];
  if (Object.keys(others).length > 0) return undefined;
  const parts = [named && `who has a role of ${listOf(named)}`, places && `who is in a region of ${listOf(places)}`];
  return parts.filter((part) => part !== undefined).join(" and ");
}

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
  ["approver", { text: approverText, removed: "loosens", added: undefined, changed: mayLoosen }],
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
const ASKED = ["group", "role", "needed"];

/** Who a requirement is about: others than these are asked by another one. */
export function whoOf(requirement: Requirement): string {
  const { group, role } = requirement as JsonObject;
  const kinds = [typeof group === "string" && named(group), typeof role === "string" && `role ${named(role)}`];
  return kinds.filter((kind) => kind !== false).join(" with ");
}

/** Such as `2 of approvers, with assurance MFA, with a note`. */
export function requirementText(requirement: Requirement): string {
  const members = requirement as JsonObject;
  const said: string[] = [];
  const known = [...ASKED];
  for (const [name, { text }] of CONDITIONS) {
    const value = members[name];
    if (value === undefined) continue;
    known.push(name);
    said.push(text(value) ?? `${name} ${shown(value)}`);
  }
  return `${[`${requirement.needed} of ${whoOf(requirement)}`, ...said].join(", ")}${restOf(members, known)}`;
}

function memberEffect(name: string, before: JsonValue | undefined, after: JsonValue | undefined): Effect {
  if (isSame(before, after)) return undefined;
  const condition = CONDITIONS.get(name);
  if (condition === undefined) return "may loosen";
  if (before === undefined) return condition.added;
  return after === undefined ? condition.removed : condition.changed(before, after);
}

/** What asking `after` in place of `before` does: whether fewer people are asked, or others, or less of them. */
function requirementEffect(before: Requirement | undefined, after: Requirement | undefined): Effect {
  if (before === undefined) return undefined;
  if (after === undefined || after.needed < before.needed) return "loosens";
  const [old, now] = [before as JsonObject, after as JsonObject];
  const names = new Set([...Object.keys(old), ...Object.keys(now)].filter((name) => !ASKED.includes(name)));
  return worst([...names].map((name) => memberEffect(name, old[name], now[name])));
}

/** The same of all requirements of a rule. */
export function requirementsEffect(before: readonly Requirement[], after: readonly Requirement[]): Effect {
  return worst(paired(before, after, whoOf).map((pair) => requirementEffect(...pair)));
}
