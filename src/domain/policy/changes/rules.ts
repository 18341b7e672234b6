import type { PolicyRule } from "../document/schema.ts";
import { type Change, type Effect, otherMembers, restOf } from "./change.ts";
import { requirementChanges, requirementText } from "./requirements.ts";
import { fromTo, named, shown } from "./wording.ts";

const STRICTNESS = ["PERMIT", "REQUIRE", "FORBID"];

const RULE_MEMBERS = ["id", "when", "permit", "forbid", "require", "reason"];

function outcomeOf({ permit, forbid }: PolicyRule): string {
  return forbid === true ? "FORBID" : permit === true ? "PERMIT" : "REQUIRE";
}

const requiredBy = ({ require = [] }: PolicyRule) => require.map(requirementText).toSorted().join(" and ");

function outcomeText(rule: PolicyRule): string {
  const outcome = outcomeOf(rule);
  return outcome === "REQUIRE" ? `REQUIRE ${requiredBy(rule)}` : outcome;
}

function outcomeChanges(what: string, before: PolicyRule, after: PolicyRule): readonly Change[] {
  const [old, now] = [outcomeOf(before), outcomeOf(after)];
  if (old === now) return requirementChanges(what, before.require ?? [], after.require ?? []);
  const effect = STRICTNESS.indexOf(now) < STRICTNESS.indexOf(old) ? "loosens" : undefined;
  // What it is now comes first: requirements may have long names.
  const formerly = old === "REQUIRE" ? `, no longer requires ${requiredBy(before)}` : "";
  return [{ effect, text: `${what}: ${old} → ${outcomeText(after)}${formerly}` }];
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

export function ruleChanges(before: PolicyRule | undefined, after: PolicyRule | undefined): readonly Change[] {
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
  const changes: Change[] = [...outcomeChanges(what, before, after)];
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
