import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { present } from "../base/inputs.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { Grant, type GrantingPayload } from "./grant.ts";
import { actionPayload, actionPayloadType } from "./payload.ts";
import { shownAction } from "./shown.ts";

const ApproveActionInput = builder.inputType("ApproveActionInput", {
  description: "An approval of exactly the content that the person was shown.",
  fields: (t) => ({
    ...shownAction(t),
    note: t.string({ description: "A free-text remark to record with the decision." }),
  }),
});

const DenyActionInput = builder.inputType("DenyActionInput", {
  description: "A denial.",
  fields: (t) => ({
    ...shownAction(t),
    note: t.string({ required: true, description: "The reason; must not be blank." }),
  }),
});

export const DecideActionPayload = actionPayloadType(
  "DecideActionPayload",
  "The result of one decision about an action.",
);

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
    description:
      "Denies an action that is PENDING, or APPROVED and not yet started. One denial is enough. For those who may approve it.",
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

const RevokeApprovalInput = builder.inputType("RevokeApprovalInput", {
  description: "An approval to take back.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    note: t.string({ required: true, description: "The reason; must not be blank." }),
  }),
});

builder.mutationField("revokeApproval", (t) =>
  t.field({
    type: DecideActionPayload,
    description:
      "Takes back the approval of an action that is APPROVED and not yet started, which is DENIED then; a grant that was claimed is void. For who approved it, the person it was proposed for, and administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RevokeApprovalInput, required: true, description: "What to take back." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      const { note } = input;
      return actionPayload(context, context.services.actions.revokeApproval(callerOf(context), { actionId, note }));
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
