import type { IssuedGrant } from "../../domain/actions/actions.ts";
import { instant } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf } from "../base/context.ts";
import { Outcome } from "../base/enums.ts";
import { NIL_UUID, uuidOfNodeId } from "../base/node-id.ts";
import { type ActionPayload, actionPayload, actionPayloadType } from "./payload.ts";
import { readAction, seesAction } from "./reads.ts";

interface GrantingPayload extends ActionPayload {
  readonly grant?: IssuedGrant | undefined;
}

const Grant = builder.objectRef<IssuedGrant>("Grant").implement({
  description:
    "A signed, single-use token (JWS) that permits one agent to carry out one action before a deadline. The server returns it once and stores only its hash.",
  fields: (t) => ({
    token: t.exposeString("token", { description: "The token to pass to `redeemGrant`." }),
    expiresAt: t.field({
      type: "DateTime",
      description: "It must be redeemed before this instant.",
      resolve: ({ expiresAt }) => instant(expiresAt),
    }),
  }),
});

/** Null and undefined mean the same in an input. */
function present<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null)) as {
    [K in keyof T]: Exclude<T[K], null>;
  };
}

/** The UUID of an action that the caller may see; for others a UUID of no action, so that they are NOT_FOUND. */
async function visibleId(context: Context, id: string): Promise<string> {
  const uuid = uuidOfNodeId("Action", context.ledger, id);
  const action = await readAction(context, uuid);
  return action !== null && seesAction(context, action) ? uuid : NIL_UUID;
}

const ProposeActionInput = builder.inputType("ProposeActionInput", {
  description:
    "An action to propose. The server itself determines the caller, the tool's effect and where the data came from.",
  fields: (t) => ({
    idempotencyKey: t.field({
      type: "UUID",
      required: true,
      description: "Chosen by the caller. Repeating a call with the same key and input returns the same action.",
    }),
    platform: t.string({ required: true, description: "The platform the tool belongs to, as the catalog names it." }),
    tool: t.string({ required: true, description: "The name of the tool, as the catalog names it on its platform." }),
    arguments: t.field({ type: "JSON", required: true, description: "The arguments to call the tool with." }),
    userRequest: t.string({
      description:
        "What the person asked the agent for, as the agent passed it on; null when it passed nothing on or when it was erased.",
    }),
    rationale: t.string({
      description: "The agent's reason for this step, in its own words; null when it gave none or when it was erased.",
    }),
    conversationId: t.string({
      description:
        "The conversation that the step belongs to. Consecutive steps of a conversation on one platform share a routing chain.",
    }),
    targetRegion: t.string({ description: "The region that data would be sent to." }),
    supersedes: t.id({
      description:
        "A pending action of the caller that this one replaces. It is cancelled after this one is recorded, unless this one is BLOCKED or the earlier one was decided meanwhile.",
    }),
  }),
});

const ProposeActionPayload = actionPayloadType<GrantingPayload>(
  "ProposeActionPayload",
  "The result of `proposeAction`.",
);
builder.objectField(ProposeActionPayload, "grant", (t) =>
  t.field({
    type: Grant,
    nullable: true,
    description:
      "The grant when the policy permits the action; null otherwise (call `claimGrant` once it is approved).",
    resolve: ({ grant }) => grant,
  }),
);

builder.mutationField("proposeAction", (t) =>
  t.field({
    type: ProposeActionPayload,
    description: "Proposes an action. The policy permits it, forbids it, or requires approvals.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ProposeActionInput, required: true, description: "The action to propose." }) },
    resolve: async (_root, { input }, context): Promise<GrantingPayload> => {
      const { supersedes, arguments: values, ...rest } = input;
      const alone = supersedes === undefined || supersedes === null;
      const replaced = alone ? {} : { supersedes: await visibleId(context, supersedes) };
      // JSON null is a value here, unlike in the other members.
      const proposal = { ...present(rest), arguments: values ?? null, ...replaced };
      return actionPayload(context, context.services.actions.propose(callerOf(context), proposal));
    },
  }),
);

const ApproveActionInput = builder.inputType("ApproveActionInput", {
  description: "An approval of exactly the content that the person was shown.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    digest: t.field({
      type: "Hash",
      required: true,
      description: "`Action.digest` of the content that was shown. A different digest is refused with DIGEST_MISMATCH.",
    }),
    note: t.string({ description: "A free-text remark to record with the decision." }),
  }),
});

const DenyActionInput = builder.inputType("DenyActionInput", {
  description: "A denial.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    digest: t.field({
      type: "Hash",
      required: true,
      description: "`Action.digest` of the content that was shown. A different digest is refused with DIGEST_MISMATCH.",
    }),
    note: t.string({ required: true, description: "The reason; must not be blank." }),
  }),
});

const DecideActionPayload = actionPayloadType("DecideActionPayload", "The result of `approveAction` and `denyAction`.");

builder.mutationField("approveAction", (t) =>
  t.field({
    type: DecideActionPayload,
    description: "Approves a pending action. Agents never can; neither can its requester.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ApproveActionInput, required: true, description: "What to approve." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      const decision = { ...present(input), actionId, channel: "API" } as const;
      return actionPayload(context, context.services.actions.approve(callerOf(context), decision));
    },
  }),
);

builder.mutationField("denyAction", (t) =>
  t.field({
    type: DecideActionPayload,
    description: "Denies a pending action. One denial is enough.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: DenyActionInput, required: true, description: "What to deny." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      return actionPayload(
        context,
        context.services.actions.deny(callerOf(context), { ...input, actionId, channel: "API" }),
      );
    },
  }),
);

const CancelActionInput = builder.inputType("CancelActionInput", {
  description: "A pending action to cancel.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    note: t.string({ description: "The reason, recorded with the cancellation." }),
  }),
});

const CancelActionPayload = actionPayloadType("CancelActionPayload", "The result of `cancelAction`.");

builder.mutationField("cancelAction", (t) =>
  t.field({
    type: CancelActionPayload,
    description: "Cancels a pending action. For its proposer, the person it was proposed for, and administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: CancelActionInput, required: true, description: "What to cancel." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      return actionPayload(
        context,
        context.services.actions.cancel(callerOf(context), { ...present(input), actionId }),
      );
    },
  }),
);

const ClaimGrantInput = builder.inputType("ClaimGrantInput", {
  description: "An approved action to get the grant of.",
  fields: (t) => ({ actionId: t.id({ required: true, description: "The action." }) }),
});

const ClaimGrantPayload = actionPayloadType<GrantingPayload>("ClaimGrantPayload", "The result of `claimGrant`.");
builder.objectField(ClaimGrantPayload, "grant", (t) =>
  t.field({
    type: Grant,
    nullable: true,
    description: "The new grant, which voids an earlier one; null when the claim was refused.",
    resolve: ({ grant }) => grant,
  }),
);

builder.mutationField("claimGrant", (t) =>
  t.field({
    type: ClaimGrantPayload,
    description:
      "Returns a grant for an approved action that the caller proposed. Claiming again voids the earlier grant.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ClaimGrantInput, required: true, description: "The action to claim the grant of." }) },
    resolve: (_root, { input }, context): Promise<GrantingPayload> => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      return actionPayload(context, context.services.actions.claimGrant(callerOf(context), { actionId }));
    },
  }),
);

const RedeemGrantInput = builder.inputType("RedeemGrantInput", {
  description: "A grant to redeem.",
  fields: (t) => ({
    token: t.string({ required: true, description: "`Grant.token`." }),
    digest: t.field({
      type: "Hash",
      required: true,
      description:
        "`Action.digest` of the action about to be carried out. A different digest is refused with DIGEST_MISMATCH.",
    }),
  }),
});

const RedeemGrantPayload = actionPayloadType("RedeemGrantPayload", "The result of `redeemGrant`.");

builder.mutationField("redeemGrant", (t) =>
  t.field({
    type: RedeemGrantPayload,
    description: "Redeems a grant, which is possible once. Call it immediately before carrying out the action.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RedeemGrantInput, required: true, description: "The grant to redeem." }) },
    resolve: (_root, { input }, context) =>
      actionPayload(context, context.services.actions.redeemGrant(callerOf(context), input), "token"),
  }),
);

const CompleteActionInput = builder.inputType("CompleteActionInput", {
  description: "The outcome of an executed action.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    outcome: t.field({ type: Outcome, required: true, description: "Whether it was carried out." }),
    result: t.field({ type: "JSON", description: "The return value of the tool." }),
    error: t.string({ description: "What went wrong, as free text." }),
  }),
});

const CompleteActionPayload = actionPayloadType("CompleteActionPayload", "The result of `completeAction`.");

builder.mutationField("completeAction", (t) =>
  t.field({
    type: CompleteActionPayload,
    description:
      "Reports the outcome of an executing action. When it is not reported by `expiresAt`, the action becomes AMBIGUOUS.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: CompleteActionInput, required: true, description: "The outcome to report." }) },
    resolve: (_root, { input }, context) => {
      const { result, ...rest } = input;
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      const report = { ...present(rest), actionId, ...(result === undefined ? {} : { result }) };
      return actionPayload(context, context.services.actions.complete(callerOf(context), report));
    },
  }),
);
