import { approvalsOf } from "../../domain/actions/decide/quorum.ts";
import { reasonFor, reasonOf } from "../../domain/policy/reason.ts";
import type { JsonObject } from "../../facts/canonical.ts";
import { builder } from "../base/builder.ts";
import { PolicyOutcome } from "../base/enums.ts";
import { votersOf } from "./reads.ts";
import { type ActionNode, viewOf } from "./rows.ts";

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
  /** The action that it is about. */
  readonly action: ActionNode;
}

/** `body.policy` of an ACTION_PROPOSED entry. */
export interface PolicyShape {
  readonly outcome: OutcomeName;
  readonly hash: string;
  readonly version: number;
  readonly rules: readonly RuleShape[];
  readonly requirements: readonly RequirementShape[];
}

/** What the proposal of `action` says policy said. */
export function recordedPolicy(action: ActionNode): PolicyShape {
  const policy = viewOf(action).proposal.body.policy as unknown as Omit<PolicyShape, "requirements"> & {
    readonly requirements?: readonly Omit<RequirementShape, "action">[];
  };
  return {
    outcome: policy.outcome,
    hash: policy.hash,
    version: policy.version,
    rules: policy.rules ?? [],
    requirements: (policy.requirements ?? []).map((requirement) => ({ ...requirement, action })),
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
    have: t.int({
      description: "How many have so far. Each person counts for one requirement, so that as many as possible are met.",
      resolve: async ({ id, action }, _args, context) =>
        approvalsOf(viewOf(action).proposal, await votersOf(context, action)).get(id) ?? 0,
    }),
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
