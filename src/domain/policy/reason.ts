import type { MatchedRule, PolicyOutcome } from "./evaluate.ts";
import { FLOOR_ID } from "./floor.ts";

/** The ids of the rules of the starter, and of those that are built in. */
export const RULE_IDS = {
  reads: "reads-permitted",
  writes: "writes-one-approver",
  unknownTool: "unknown-tool-forbidden",
  foreignPlatform: "agent-platforms",
  notCovered: "not-covered",
  missingArguments: "missing-arguments",
} as const;

/** Of rules that no document has. */
export const BUILT_IN_IDS: ReadonlySet<string> = new Set([
  RULE_IDS.unknownTool,
  RULE_IDS.foreignPlatform,
  RULE_IDS.notCovered,
  RULE_IDS.missingArguments,
  FLOOR_ID,
]);

/** Why `rule` applies, for people; for a FORBID also what to do about it. */
export function reasonOf({ ruleId, outcome, reason, failed }: Partial<MatchedRule>): string {
  const why = reason ?? `Rule ${ruleId} of the policy has the outcome ${outcome}.`;
  return failed === true
    ? `${why} (The condition of rule ${ruleId} could not be evaluated, so the rule applies in its strictest reading.)`
    : why;
}

/** Why the policy has this `outcome`: the reasons of the rules that led to it. */
export function reasonFor(outcome: PolicyOutcome, rules: readonly Partial<MatchedRule>[]): string {
  return rules
    .filter((rule) => rule.outcome === outcome)
    .map(reasonOf)
    .join(" ");
}
