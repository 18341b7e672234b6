import { canonicalize, type JsonObject, type JsonValue } from "../../facts/canonical.ts";
import type { PolicyCase, PolicyDocument, PolicyRule } from "./document/schema.ts";
import { cut, fromTo, listOf, named, shown } from "./wording.ts";

/**
 * What a change does, taken by itself: it permits more, or asks fewer people or others (`loosens`), it could, because conditions decide
 * (`may loosen`), or it cannot.
 */
type Effect = "loosens" | "may loosen" | undefined;

interface Change {
  readonly effect: Effect;
  readonly text: string;
}

/** Lines, the one that says how many are missing not counted. */
const MOST = 100;
const ORDER: readonly Effect[] = ["loosens", "may loosen", undefined];
const STRICTNESS = ["PERMIT", "REQUIRE", "FORBID"];

type Tool = PolicyDocument["catalog"]["tools"][number];
type Requirement = NonNullable<PolicyRule["require"]>[number];

const isSame = (one: JsonValue | undefined, other: JsonValue | undefined) =>
  one === undefined || other === undefined ? one === other : canonicalize(one) === canonicalize(other);

/** Those of both documents that have one key, `undefined` where there is none. Keys that are there several times are numbered. */
function paired<Value>(
  before: readonly Value[],
  after: readonly Value[],
  keyOf: (value: Value) => string,
): readonly (readonly [before: Value | undefined, after: Value | undefined])[] {
  const byKey = (values: readonly Value[]) => {
    const counts = new Map<string, number>();
    return new Map(
      values.map((value) => {
        const key = keyOf(value);
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return [JSON.stringify([key, count]), value] as const;
      }),
    );
  };
  const [old, now] = [byKey(before), byKey(after)];
  return [...new Set([...old.keys(), ...now.keys()])].toSorted().map((key) => [old.get(key), now.get(key)] as const);
}

/** The member `name`, and nothing that all objects have. */
const own = <Value>(record: { readonly [name: string]: Value }, name: string): Value | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

/** The members of `before` and `after` that differ, but for those in `known`: whatever a document may have, a difference of it is shown. */
function otherMembers(
  what: string,
  known: readonly string[],
  before: JsonObject,
  after: JsonObject,
): readonly Change[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].toSorted().flatMap((name): readonly Change[] => {
    const [old, now] = [own(before, name), own(after, name)];
    if (known.includes(name) || isSame(old, now)) return [];
    return [{ effect: "may loosen", text: `${what}: ${named(name)} ${fromTo(old, now)}` }];
  });
}

/** Such as `, untrusted true`: members that have no words of their own. */
function restOf(value: JsonObject, known: readonly string[]): string {
  return Object.entries(value)
    .filter(([name, member]) => !known.includes(name) && member !== undefined)
    .map(([name, member]) => `, ${named(name)} ${shown(member)}`)
    .toSorted()
    .join("");
}

function platformChanges(before: PolicyDocument["catalog"], after: PolicyDocument["catalog"]): readonly Change[] {
  const names = new Set([...Object.keys(before.platforms), ...Object.keys(after.platforms)]);
  return [...names].toSorted().flatMap((name): readonly Change[] => {
    const what = `platform ${named(name)}`;
    const [old, now] = [own(before.platforms, name), own(after.platforms, name)];
    if (now === undefined) return [{ effect: undefined, text: `${what} removed` }];
    if (old === undefined) {
      return [{ effect: undefined, text: `${what} added: region ${named(now.region)}${restOf(now, ["region"])}` }];
    }
    const moved: readonly Change[] =
      old.region === now.region
        ? []
        : [{ effect: "may loosen", text: `${what}: region ${named(old.region)} → ${named(now.region)}` }];
    return [...moved, ...otherMembers(what, ["region"], old, now)];
  });
}

const TOOL_MEMBERS = ["platform", "name", "effect", "data", "required"];
const onlyIn = (some: readonly string[], others: readonly string[]) => some.filter((name) => !others.includes(name));

/** `before` and `after` as sets of names. */
function namesChanged(before: readonly string[], after: readonly string[]): string | undefined {
  const [gone, added] = [onlyIn(before, after), onlyIn(after, before)];
  if (gone.length + added.length === 0) return undefined;
  const words = [added.length > 0 && `${listOf(added)} added`, gone.length > 0 && `${listOf(gone)} removed`];
  return words.filter((word) => word !== false).join(", ");
}

function toolChanges(before: Tool | undefined, after: Tool | undefined): readonly Change[] {
  const what = ({ platform, name }: Tool) => `tool ${named(name)} of platform ${named(platform)}`;
  if (after === undefined) {
    return before === undefined ? [] : [{ effect: undefined, text: `${what(before)} removed, so it is forbidden` }];
  }
  if (before === undefined) {
    const { effect, data, required } = after;
    const described = `${effect}, data ${listOf(data)}, required arguments ${listOf(required)}`;
    const text = `${what(after)} added, which was forbidden: ${described}${restOf(after, TOOL_MEMBERS)}`;
    return [{ effect: "loosens", text }];
  }
  const changes: Change[] = [];
  if (before.effect !== after.effect) {
    const effect = after.effect === "READ" ? "loosens" : "may loosen";
    changes.push({ effect, text: `${what(after)}: ${before.effect} → ${after.effect}` });
  }
  const data = namesChanged(before.data, after.data);
  if (data !== undefined) changes.push({ effect: "may loosen", text: `${what(after)}: categories of data: ${data}` });
  const required = namesChanged(before.required, after.required);
  if (required !== undefined) {
    const effect = onlyIn(before.required, after.required).length > 0 ? "loosens" : undefined;
    changes.push({ effect, text: `${what(after)}: required arguments: ${required}` });
  }
  return [...changes, ...otherMembers(what(after), TOOL_MEMBERS, before, after)];
}

const RULE_MEMBERS = ["id", "when", "permit", "forbid", "require", "reason"];

/** Who a requirement is about: everything of it but how many, and what else it demands of them. */
function whoOf(requirement: Requirement): string {
  const { group, role } = requirement as JsonObject;
  const kinds = [typeof group === "string" && named(group), typeof role === "string" && `role ${named(role)}`];
  return kinds.filter((kind) => kind !== false).join(" with ");
}

const REQUIREMENT_MEMBERS = ["group", "role", "needed"];

function requirementText(requirement: Requirement): string {
  return `${requirement.needed} of ${whoOf(requirement)}${restOf(requirement, REQUIREMENT_MEMBERS)}`;
}

function outcomeOf({ permit, forbid }: PolicyRule): string {
  return forbid === true ? "FORBID" : permit === true ? "PERMIT" : "REQUIRE";
}

function outcomeText(rule: PolicyRule): string {
  const outcome = outcomeOf(rule);
  if (outcome !== "REQUIRE") return outcome;
  return `REQUIRE ${(rule.require ?? []).map(requirementText).toSorted().join(" and ")}`;
}

/** Whether fewer people, or others, are asked. */
function requirementsEffect(before: PolicyRule, after: PolicyRule): Effect {
  const pairs = paired(before.require ?? [], after.require ?? [], whoOf);
  if (pairs.some(([old, now]) => old !== undefined && (now === undefined || now.needed < old.needed))) return "loosens";
  const otherwise = ([old, now]: (typeof pairs)[number]) =>
    old !== undefined && now !== undefined && restOf(old, REQUIREMENT_MEMBERS) !== restOf(now, REQUIREMENT_MEMBERS);
  return pairs.some(otherwise) ? "may loosen" : undefined;
}

function outcomeChange(what: string, before: PolicyRule, after: PolicyRule): readonly Change[] {
  const requirements = (rule: PolicyRule) => (rule.require ?? []).map((each) => canonicalize(each)).toSorted();
  if (outcomeOf(before) === outcomeOf(after) && isSame(requirements(before), requirements(after))) return [];
  const easier = STRICTNESS.indexOf(outcomeOf(after)) - STRICTNESS.indexOf(outcomeOf(before));
  const effect = easier < 0 ? "loosens" : easier > 0 ? undefined : requirementsEffect(before, after);
  return [{ effect, text: `${what}: ${outcomeText(before)} → ${outcomeText(after)}` }];
}

/** What a rule's applying more often, or less often, does: see the README on how outcomes are combined. */
function conditionEffect(before: PolicyRule, after: PolicyRule): Effect {
  const permits = outcomeOf(after) === "PERMIT";
  if (before.when === undefined) return permits ? undefined : "loosens";
  if (after.when !== undefined) return "may loosen";
  if (permits) return "loosens";
  // What no rule covered was asked of the approvers; now it is of those whom the rule names.
  return outcomeOf(after) === "FORBID" ? undefined : "may loosen";
}

function ruleChanges(before: PolicyRule | undefined, after: PolicyRule | undefined): readonly Change[] {
  const whole = (rule: PolicyRule) =>
    `${outcomeText(rule)}, ${rule.when === undefined ? "always" : `when ${shown(rule.when)}`}, because ${shown(rule.reason)}` +
    restOf(rule, RULE_MEMBERS);
  if (after === undefined) {
    if (before === undefined) return [];
    const effect = outcomeOf(before) === "PERMIT" ? undefined : "loosens";
    return [{ effect, text: `rule ${named(before.id)} removed: ${whole(before)}` }];
  }
  const what = `rule ${named(after.id)}`;
  if (before === undefined) {
    const effects = { PERMIT: "loosens", REQUIRE: "may loosen", FORBID: undefined } as const;
    const effect = effects[outcomeOf(after) as keyof typeof effects];
    return [{ effect, text: `${what} added: ${whole(after)}` }];
  }
  const changes: Change[] = [...outcomeChange(what, before, after)];
  if (before.when !== after.when) {
    const condition = ({ when }: PolicyRule) => (when === undefined ? "always" : `when ${shown(when)}`);
    const both = before.when !== undefined && after.when !== undefined;
    const text = both ? `when ${fromTo(before.when, after.when)}` : `${condition(before)} → ${condition(after)}`;
    changes.push({ effect: conditionEffect(before, after), text: `${what}: ${text}` });
  }
  if (before.reason !== after.reason) {
    changes.push({ effect: undefined, text: `${what}: because ${fromTo(before.reason, after.reason)}` });
  }
  return [...changes, ...otherMembers(what, RULE_MEMBERS, before, after)];
}

/** Of lists without an order, those that are in one only: as often as they are there more often. */
function withoutEqual<Value extends JsonValue>(some: readonly Value[], others: readonly Value[]): readonly Value[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(canonicalize(other), (left.get(canonicalize(other)) ?? 0) + 1);
  return some.filter((value) => {
    const key = canonicalize(value);
    const count = left.get(key) ?? 0;
    left.set(key, count - 1);
    return count <= 0;
  });
}

function caseChanges(before: PolicyCase | undefined, after: PolicyCase | undefined): readonly Change[] {
  const change = (text: string): Change => ({ effect: undefined, text });
  const whole = ({ name, given, expect }: PolicyCase, what: string) =>
    change(`case ${shown(name)} ${what}: given ${shown(given)}, expected ${shown(expect)}`);
  if (before === undefined) return after === undefined ? [] : [whole(after, "added")];
  if (after === undefined) return [whole(before, "removed")];
  return (["given", "expect"] as const)
    .filter((member) => !isSame(before[member], after[member]))
    .map((member) => change(`case ${shown(after.name)}: ${member} ${fromTo(before[member], after[member])}`));
}

/** Cases whose lists say the same in another order are the same. */
function ordered({ name, given, expect }: PolicyCase): PolicyCase {
  const { rules, requirements } = expect;
  const byText = (one: JsonValue, other: JsonValue) => (canonicalize(one) < canonicalize(other) ? -1 : 1);
  const sorted = {
    ...expect,
    ...(rules && { rules: rules.toSorted() }),
    ...(requirements && { requirements: requirements.toSorted(byText) }),
  };
  return { name, given, expect: sorted };
}

/**
 * What is different in `after`, in words, one line each: what loosens the policy comes first and begins with `loosens:`, what may loosen it follows
 * with `may loosen:`. Empty: both say the same, but for order, which does not matter. At most 100 lines, and one that says how many are missing. Texts of
 * the documents stand in quotes, in which each character can be seen.
 */
export function describeChanges(before: PolicyDocument, after: PolicyDocument): readonly string[] {
  const toolKey = ({ platform, name }: Tool) => JSON.stringify([platform, name]);
  const [oldCases, newCases] = [before.cases.map(ordered), after.cases.map(ordered)];
  const changes: readonly Change[] = [
    ...otherMembers("document", ["catalog", "rules", "cases"], before, after),
    ...paired(before.rules, after.rules, ({ id }) => id).flatMap((pair) => ruleChanges(...pair)),
    ...otherMembers("catalog", ["platforms", "tools"], before.catalog, after.catalog),
    ...platformChanges(before.catalog, after.catalog),
    ...paired(before.catalog.tools, after.catalog.tools, toolKey).flatMap((pair) => toolChanges(...pair)),
    ...paired(withoutEqual(oldCases, newCases), withoutEqual(newCases, oldCases), ({ name }) => name).flatMap((pair) =>
      caseChanges(...pair),
    ),
  ];
  const sorted = ORDER.flatMap((effect) => changes.filter((change) => change.effect === effect));
  const lines = sorted.map(({ effect, text }) => cut(effect === undefined ? text : `${effect}: ${text}`));
  const missing = sorted.slice(MOST);
  if (missing.length === 0) return lines;
  const looser = missing.filter(({ effect }) => effect !== undefined).length;
  return [
    ...lines.slice(0, MOST),
    `${missing.length} more changes are not shown; ${looser} of them loosen or may loosen`,
  ];
}
