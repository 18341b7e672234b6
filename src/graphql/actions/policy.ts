import { reasonFor, reasonOf } from "../../domain/policy/reason.ts";
import type { JsonObject } from "../../facts/canonical.ts";
import { builder } from "../base/builder.ts";
import { PolicyOutcome } from "../base/enums.ts";

type OutcomeName = "PERMIT" | "REQUIRE" | "FORBID";

interface RuleShape {
  readonly ruleId: string;
  readonly outcome: OutcomeName;
  readonly because: JsonObject;
}

interface RequirementShape {
  readonly id: string;
  readonly group: string;
  readonly needed: number;
  readonly have: number;
}

/** `body.policy` of an ACTION_PROPOSED entry, with the approvals the action has by now. */
export interface PolicyShape {
  readonly outcome: OutcomeName;
  readonly hash: string;
  readonly version: number;
  readonly rules: readonly RuleShape[];
  readonly requirements: readonly RequirementShape[];
}

/** What a proposal's facts say policy said. `approvals` counts people who approved since. */
export function recordedPolicy(facts: JsonObject, approvals: number): PolicyShape {
  const policy = facts.policy as unknown as Omit<PolicyShape, "requirements"> & {
    readonly requirements?: readonly Omit<RequirementShape, "have">[];
  };
  return {
    outcome: policy.outcome,
    hash: policy.hash,
    version: policy.version,
    rules: policy.rules ?? [],
    requirements: (policy.requirements ?? []).map((requirement) => ({
      ...requirement,
      have: Math.min(approvals, requirement.needed),
    })),
  };
}

const MatchedRule = builder.objectRef<RuleShape>("MatchedRule").implement({
  description: "A rule of the policy that applied.",
  fields: (t) => ({
    ruleId: t.exposeID("ruleId", { description: "The rule's name in the policy." }),
    outcome: t.expose("outcome", { type: PolicyOutcome, description: "What this rule alone says." }),
    because: t.field({
      type: "JSON",
      description: "The values the rule looked at.",
      resolve: ({ because }) => because,
    }),
    reason: t.string({
      description: "Why the rule says so, as a sentence for people. For a FORBID also what to do about it.",
      resolve: reasonOf,
    }),
  }),
});

const Requirement = builder.objectRef<RequirementShape>("Requirement").implement({
  description: "Approvals that policy asks for.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "The requirement's name in the policy." }),
    group: t.exposeString("group", { description: "The group whose members may give them." }),
    needed: t.exposeInt("needed", { description: "How many different people must approve." }),
    have: t.exposeInt("have", { description: "How many have so far." }),
  }),
});

export const PolicyEvaluation = builder.objectRef<PolicyShape>("PolicyEvaluation").implement({
  description: "What policy said of an action when it was proposed.",
  fields: (t) => ({
    outcome: t.expose("outcome", { type: PolicyOutcome, description: "The strictest of what the rules say." }),
    reason: t.string({
      description:
        "Why the outcome is what it is, as a sentence for people: for a BLOCKED action what blocked it, and what to do about it.",
      resolve: ({ outcome, rules }) => reasonFor(outcome, rules),
    }),
    policyHash: t.field({ type: "Hash", description: "Names the exact policy document.", resolve: ({ hash }) => hash }),
    version: t.exposeInt("version", { description: "The version of the policy document." }),
    matchedRules: t.field({
      type: [MatchedRule],
      description: "The rules that applied.",
      resolve: ({ rules }) => [...rules],
    }),
    requirements: t.field({
      type: [Requirement],
      description: "What must be met before the action is approved.",
      resolve: ({ requirements }) => [...requirements],
    }),
  }),
});
