import { approvalsOf, type RequirementCount } from "../../domain/actions/decide/quorum.ts";
import { termsOf } from "../../domain/actions/terms.ts";
import { PolicyTooSlowError } from "../../domain/policy/apart.ts";
import { PolicyDocumentError } from "../../domain/policy/document/problems.ts";
import type { Requirement } from "../../domain/policy/evaluate.ts";
import { reasonFor, reasonOf } from "../../domain/policy/reason.ts";
import type { RuleExplanation } from "../../domain/policy/rules.ts";
import type { JsonObject } from "../../facts/canonical.ts";
import type { ApproverFilter } from "../../facts/quorum.ts";
import type { Fact } from "../../facts/registry.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { Assurance, PolicyOutcome } from "../base/enums.ts";
import { graphqlError } from "../base/errors.ts";
import { LARGE_VALUE } from "../base/response-budget.ts";
import { explanationOf, votersOf } from "./reads.ts";
import { type ActionNode, viewOf } from "./rows.ts";

/** `error` of evaluating a document that a query brings, as the client gets it. */
export function documentError(error: unknown): unknown {
  if (error instanceof PolicyDocumentError) {
    return graphqlError("POLICY_INVALID", error.message, { facts: { problems: error.problems } });
  }
  return error instanceof PolicyTooSlowError ? graphqlError("QUERY_TOO_COMPLEX", error.message) : error;
}

type OutcomeName = "PERMIT" | "REQUIRE" | "FORBID";

interface RuleShape {
  readonly ruleId: string;
  readonly outcome: OutcomeName;
  readonly because: JsonObject;
}

interface RequirementShape extends Requirement {
  /** The action that it is about; undefined for a step that is not proposed. */
  readonly action?: ActionNode | undefined;
}

/** `body.policy` of an ACTION_PROPOSED entry, or what a policy says of a step that is not proposed. */
export interface PolicyShape {
  readonly outcome: OutcomeName;
  readonly hash: string;
  readonly version: number;
  readonly rules: readonly RuleShape[];
  readonly requirements: readonly RequirementShape[];
  /** What it may have drawn from; undefined where the policy does not depend on that. */
  readonly reads?: Fact<"ACTION_PROPOSED">["reads"];
  /** The rules, as they were evaluated, that the caller may see. */
  explanation(context: Context): readonly RuleExplanation[] | Promise<readonly RuleExplanation[]>;
}

/** The policy evaluation in the proposal of `action`. */
export function recordedPolicy(action: ActionNode): PolicyShape {
  const { body } = viewOf(action).proposal;
  const policy = body.policy as unknown as Omit<PolicyShape, "requirements" | "explanation"> & {
    readonly requirements?: readonly Omit<RequirementShape, "action">[];
  };
  return {
    outcome: policy.outcome,
    hash: policy.hash,
    version: policy.version,
    rules: policy.rules ?? [],
    requirements: (policy.requirements ?? []).map((requirement) => ({ ...requirement, action })),
    reads: body.reads as PolicyShape["reads"],
    explanation: (context) => explanationOf(context, action),
  };
}

type ReadShape = NonNullable<PolicyShape["reads"]>["known"][number];

const PossibleRead = builder.objectRef<ReadShape>("PossibleRead").implement({
  description: "A read that an action may have drawn from: where it is recorded, and nothing of what was read.",
  fields: (t) => ({
    platform: t.exposeString("platform", { description: "Where it was read." }),
    region: t.exposeString("region", { description: "Where that platform keeps its data." }),
    ledger: t.exposeID("ledger", { description: "Where the read is recorded." }),
    seq: t.field({
      type: "Sequence",
      nullable: true,
      description: "The position of its proposal; null when it was proposed together with the action.",
      resolve: ({ seq }) => (seq === undefined ? null : BigInt(seq)),
    }),
    hash: t.field({
      type: "Hash",
      nullable: true,
      description: "The hash of that entry.",
      resolve: ({ hash }) => hash,
    }),
  }),
});

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

const ApproverFilterRef = builder.objectRef<ApproverFilter>("ApproverFilter").implement({
  description: "What the policy requires of approvers beside their group.",
  fields: (t) => ({
    roles: t.stringList({
      nullable: true,
      description: "They have one of these roles; null: any.",
      resolve: ({ roles }) => roles && [...roles],
    }),
    regions: t.stringList({
      nullable: true,
      description: "They are in one of these regions, as their identity provider says; null: anywhere.",
      resolve: ({ regions }) => regions && [...regions],
    }),
  }),
});

const RequirementRef = builder.objectRef<RequirementShape>("Requirement").implement({
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
    assurance: t.field({
      type: Assurance,
      nullable: true,
      description:
        "How sure an approval has to be; a weaker one is refused with ASSURANCE_TOO_LOW. Null: any will do. Denying needs none.",
      resolve: ({ assurance }) => assurance,
    }),
    noteRequired: t.boolean({
      description: "Whether an approval has to have a note; without one it is refused with NOTE_REQUIRED.",
      resolve: ({ note }) => note === true,
    }),
    approver: t.field({
      type: [ApproverFilterRef],
      description: "What holds for approvers beside their group: all of these.",
      resolve: ({ approver = [] }) => [...approver],
    }),
    ownerConfirms: t.boolean({
      description:
        "Whether the person for whom an agent proposed may approve as well, whatever groups they are in. Never the agent, and nobody what they proposed themselves.",
      resolve: ({ ownerConfirms }) => ownerConfirms === true,
    }),
    ttl: t.int({
      nullable: true,
      description:
        "For how many seconds people can decide; null where only the server's APPROVAL_TTL limits it. The shortest of all is in `Action.expiresAt`.",
      resolve: ({ ttl }) => ttl,
    }),
    escalatesAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When members of `escalatesTo` can decide as well; null: never.",
      resolve: ({ escalation }) => escalation?.at,
    }),
    unreached: t.boolean({
      description:
        "Whether nobody is known who could approve, of those who called the API so far: then it escalated at once, where it escalates at all; otherwise tell the people of the group. Regions are not looked at.",
      resolve: async ({ unreached, action, ...asked }, _args, context) => {
        if (unreached === true) return true;
        if (action === undefined || viewOf(action).state.status !== "PENDING") return false;
        const { requestedBy } = termsOf(viewOf(action).proposal);
        return !(await context.services.directory.isReached(requestedBy, asked));
      },
    }),
    escalatesTo: t.string({
      nullable: true,
      description: "The group whose members can decide as well from `escalatesAt` on; null: none.",
      resolve: ({ escalation }) => escalation?.group,
    }),
  }),
});

async function countOf({ id, needed, action }: RequirementShape, context: Context): Promise<RequirementCount> {
  if (action === undefined) return { have: 0, needed };
  return approvalsOf(viewOf(action).proposal, await votersOf(context, action)).get(id) ?? { have: 0, needed };
}

export const RuleExplanationRef = builder.objectRef<RuleExplanation>("RuleExplanation").implement({
  description: "One rule of a policy as it was evaluated: the values it read, whether it matched, and why.",
  fields: (t) => ({
    ruleId: t.exposeID("ruleId", { description: "The id of the rule in the policy." }),
    matched: t.exposeBoolean("matched", {
      description:
        "Whether it applies. A rule whose condition could not be evaluated does, unless it would permit: its strictest reading counts.",
    }),
    outcome: t.expose("outcome", {
      type: PolicyOutcome,
      nullable: true,
      description: "What it would have done, or did, by itself.",
    }),
    reason: t.exposeString("reason", { description: "Why there is such a rule, for people." }),
    values: t.field({
      type: "JSON",
      complexity: LARGE_VALUE,
      description: "The values that its condition read, by their path, such as `args.amount`; long ones are shortened.",
      resolve: ({ values }) => values,
    }),
    error: t.exposeString("error", {
      nullable: true,
      description: "Why its condition could not be evaluated; null when it could.",
    }),
  }),
});

/** Rules that are counted for what an explanation may cost. */
const USUAL_RULES = 20;

export const PolicyEvaluation = builder.objectRef<PolicyShape>("PolicyEvaluation").implement({
  description:
    "The policy evaluation of an action at the time it was proposed, or of a step that is not proposed (`explainPolicy`).",
  fields: (t) => ({
    outcome: t.expose("outcome", { type: PolicyOutcome, description: "The strictest outcome of the matched rules." }),
    reason: t.string({
      description: "Why the outcome is what it is, for people; for a BLOCKED action also what to do about it.",
      resolve: ({ outcome, rules, reads }) => reasonFor(outcome, rules, reads),
    }),
    policyHash: t.field({ type: "Hash", description: "The hash of the policy document.", resolve: ({ hash }) => hash }),
    version: t.exposeInt("version", {
      description: "The version of the policy document; 0 for a document that is no version.",
    }),
    matchedRules: t.field({
      type: [MatchedRule],
      description: "The rules that matched.",
      resolve: ({ rules }) => [...rules],
    }),
    explanation: t.field({
      type: [RuleExplanationRef],
      complexity: { field: 20, multiplier: USUAL_RULES },
      description:
        "How each rule was evaluated, those that did not match included. Of an action: only the rules that matched, with the values that were recorded, when its policy or its arguments are not known any more, and for callers who may not read the whole ledger.",
      resolve: async (evaluation, _args, context) => [...(await evaluation.explanation(context))],
    }),
    requirements: t.field({
      type: [RequirementRef],
      description: "The approvals needed; all requirements must be met. Empty unless `outcome` is REQUIRE.",
      resolve: ({ requirements }) => [...requirements],
    }),
    possibleReads: t.field({
      type: [PossibleRead],
      description:
        "The latest reads of the same caller, on other platforms and in every region, that the action may have drawn from. Empty where the policy has no rule about that.",
      resolve: ({ reads }) => [...(reads?.known ?? [])],
    }),
    unreadRegions: t.stringList({
      description:
        "Regions that could not be asked for such reads. Each counts as if all of its platforms had been read.",
      resolve: ({ reads }) => [...(reads?.unread ?? [])],
    }),
  }),
});
