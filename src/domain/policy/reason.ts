import { listOf, textOf } from "../../facts/members.ts";
import type { MatchedRule, PolicyOutcome } from "./evaluate.ts";

/** The ids of the rules every installation begins with. */
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
]);

/** Why `rule` applies, for people; for a FORBID also what to do about it. */
export function reasonOf({ ruleId, outcome, because }: MatchedRule): string {
  const { platform, tool } = because;
  switch (ruleId) {
    case RULE_IDS.reads:
      return `The catalog lists ${textOf(tool)} on ${textOf(platform)} as a READ, which the policy permits.`;
    case RULE_IDS.writes:
      return `The catalog lists ${textOf(tool)} on ${textOf(platform)} as a WRITE, which one of the approvers must approve.`;
    case RULE_IDS.unknownTool:
      return (
        `The catalog lists no tool ${textOf(tool)} on platform ${textOf(platform)}, and what it does not list is forbidden: ` +
        "correct platform and tool, or add the tool to the server's catalog (CATALOG)."
      );
    case RULE_IDS.foreignPlatform: {
      const allowed = listOf(because.allowed).map(textOf).join(", ");
      return (
        `The agent was not invited to platform ${textOf(platform)}` +
        `${allowed === "" ? "" : `, only to ${allowed}`}: an administrator can change that with updateAgent.`
      );
    }
    default:
      return `Rule ${ruleId} of the policy has the outcome ${outcome}.`;
  }
}

/** Why the policy has this `outcome`: the reasons of the rules that led to it. */
export function reasonFor(outcome: PolicyOutcome, rules: readonly MatchedRule[]): string {
  return rules
    .filter((rule) => rule.outcome === outcome)
    .map(reasonOf)
    .join(" ");
}
