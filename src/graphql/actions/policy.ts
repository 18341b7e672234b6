import { approvalsOf, type RequirementCount } from "../../domain/actions/decide/quorum.ts";
import { reasonFor, reasonOf } from "../../domain/policy/reason.ts";
import type { JsonObject } from "../../facts/canonical.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
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

/** The policy evaluation in the proposal of `action`. */
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
  description: "A policy rule that matched the action.",
  fields: (t) => ({
    ruleId: t.exposeID("ruleId", { description: "The id of the rule in the policy." }),
    outcome: t.expose("outcome", { type: PolicyOutcome, description: "The outcome of this rule alone." }),
    because: t.field({
      type: "JSON",
      description: "The values that the rule matched.",
      resolve: ({ because }) => because,
    }),
    reason: t.string({
      description: "Why the rule applies, for people; for FORBID also what to do about it.",
      resolve: reasonOf,
    }),
  }),
});

const Requirement = builder.objectRef<RequirementShape>("Requirement").implement({
  description: "A number of approvals that the policy requires from a group.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "The id of the requirement in the policy." }),
    group: t.exposeString("group", { description: "The group that approvers must belong to." }),
    needed: t.int({
      description:
        "How many different people must approve: as many as the policy requires, and one more while it is not known of one who did whether they are another person than those who asked for the action (`Decision.identity`).",
      resolve: async (requirement, _args, context) => (await countOf(requirement, context)).needed,
    }),
    have: t.int({
      description:
        "How many approvals it has. A person counts for one requirement only; approvals are assigned so that as many as possible are met.",
      resolve: async (requirement, _args, context) => (await countOf(requirement, context)).have,
    }),
  }),
});

async function countOf({ id, needed, action }: RequirementShape, context: Context): Promise<RequirementCount> {
  return approvalsOf(viewOf(action).proposal, await votersOf(context, action)).get(id) ?? { have: 0, needed };
}

export const PolicyEvaluation = builder.objectRef<PolicyShape>("PolicyEvaluation").implement({
  description: "The policy evaluation of an action at the time it was proposed.",
  fields: (t) => ({
    outcome: t.expose("outcome", { type: PolicyOutcome, description: "The strictest outcome of the matched rules." }),
    reason: t.string({
      description: "Why the outcome is what it is, for people; for a BLOCKED action also what to do about it.",
      resolve: ({ outcome, rules }) => reasonFor(outcome, rules),
    }),
    policyHash: t.field({ type: "Hash", description: "The hash of the policy document.", resolve: ({ hash }) => hash }),
    version: t.exposeInt("version", { description: "The version of the policy document." }),
    matchedRules: t.field({
      type: [MatchedRule],
      description: "The rules that matched.",
      resolve: ({ rules }) => [...rules],
    }),
    requirements: t.field({
      type: [Requirement],
      description: "The approvals needed; all requirements must be met. Empty unless `outcome` is REQUIRE.",
      resolve: ({ requirements }) => [...requirements],
    }),
  }),
});
