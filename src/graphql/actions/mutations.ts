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
    "A signed token (JWS) that lets one agent carry out one digest once, before a deadline. Given out once, never stored.",
  fields: (t) => ({
    token: t.exposeString("token", { description: "What redeemGrant takes." }),
    expiresAt: t.field({
      type: "DateTime",
      description: "Until when it can be redeemed.",
      resolve: ({ expiresAt }) => instant(expiresAt),
    }),
  }),
});

/** Null and left out mean the same in an input. */
function present<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null)) as {
    [K in keyof T]: Exclude<T[K], null>;
  };
}

/** The UUID of an action the caller may see; of any other the one that names nothing, so that it is told like nothing. */
async function visibleId(context: Context, id: string): Promise<string> {
  const uuid = uuidOfNodeId("Action", context.ledger, id);
  const action = await readAction(context, uuid);
  return action !== null && seesAction(context, action) ? uuid : NIL_UUID;
}

const ProposeActionInput = builder.inputType("ProposeActionInput", {
  description:
    "A step an agent wants to take. Who asks, whether the tool writes and where its data came from, the server knows.",
  fields: (t) => ({
    idempotencyKey: t.field({
      type: "UUID",
      required: true,
      description: "The same key with the same input answers the same action.",
    }),
    platform: t.string({ required: true, description: "The system the tool works on." }),
    tool: t.string({ required: true, description: "The tool to be used." }),
    arguments: t.field({ type: "JSON", required: true, description: "What it is to be called with." }),
    userRequest: t.string({ description: "The request of the person, as the agent passed it on." }),
    rationale: t.string({ description: "The reasons the agent gave for this step." }),
    conversationId: t.string({
      description: "Steps of one conversation share a routing chain as long as they stay on one platform.",
    }),
    targetRegion: t.string({ description: "The region data would go to." }),
    supersedes: t.id({
      description:
        "An earlier action of yours that this one replaces. This one is recorded first and the earlier one is cancelled afterwards; one that policy blocks cancels nothing; a decision that came in between stands.",
    }),
  }),
});

const ProposeActionPayload = actionPayloadType<GrantingPayload>("ProposeActionPayload", "What became of a proposal.");
builder.objectField(ProposeActionPayload, "grant", (t) =>
  t.field({
    type: Grant,
    nullable: true,
    description: "There at once when the policy permits the action; otherwise it comes with the approval.",
    resolve: ({ grant }) => grant,
  }),
);

builder.mutationField("proposeAction", (t) =>
  t.field({
    type: ProposeActionPayload,
    description: "Proposes an action. Policy lets it through, stops it, or asks people.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ProposeActionInput, required: true, description: "What is proposed." }) },
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
  description: "A person's yes to exactly what they were shown.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    digest: t.field({
      type: "Hash",
      required: true,
      description: "The digest of what was shown; any other is refused.",
    }),
    note: t.string({ description: "A remark, recorded with the decision." }),
  }),
});

const DenyActionInput = builder.inputType("DenyActionInput", {
  description: "A person's no.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    digest: t.field({
      type: "Hash",
      required: true,
      description: "The digest of what was shown; any other is refused.",
    }),
    note: t.string({ required: true, description: "Why not; never blank." }),
  }),
});

const DecideActionPayload = actionPayloadType("DecideActionPayload", "What became of a decision.");

builder.mutationField("approveAction", (t) =>
  t.field({
    type: DecideActionPayload,
    description: "Approves an action that waits for people. An agent never can, nor whoever requested it.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ApproveActionInput, required: true, description: "What is approved." }) },
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
    description: "Denies an action that waits for people. One denial is enough.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: DenyActionInput, required: true, description: "What is denied." }) },
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
  description: "An action its proposer no longer wants.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    note: t.string({ description: "Why." }),
  }),
});

const CancelActionPayload = actionPayloadType("CancelActionPayload", "What became of a withdrawal.");

builder.mutationField("cancelAction", (t) =>
  t.field({
    type: CancelActionPayload,
    description: "Withdraws an action that waits for people.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: CancelActionInput, required: true, description: "What is withdrawn." }) },
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
  description: "An approved action whose grant its agent collects.",
  fields: (t) => ({ actionId: t.id({ required: true, description: "The action." }) }),
});

const ClaimGrantPayload = actionPayloadType<GrantingPayload>("ClaimGrantPayload", "What became of a claim.");
builder.objectField(ClaimGrantPayload, "grant", (t) =>
  t.field({
    type: Grant,
    nullable: true,
    description: "The grant; an earlier one is void.",
    resolve: ({ grant }) => grant,
  }),
);

builder.mutationField("claimGrant", (t) =>
  t.field({
    type: ClaimGrantPayload,
    description:
      "Gives the agent the grant of an action of its own that has been approved. Claiming again voids the earlier one.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ClaimGrantInput, required: true, description: "What is claimed." }) },
    resolve: (_root, { input }, context): Promise<GrantingPayload> => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      return actionPayload(context, context.services.actions.claimGrant(callerOf(context), { actionId }));
    },
  }),
);

const RedeemGrantInput = builder.inputType("RedeemGrantInput", {
  description: "A grant about to be used.",
  fields: (t) => ({
    token: t.string({ required: true, description: "The grant's token." }),
    digest: t.field({ type: "Hash", required: true, description: "The digest of the action about to run." }),
  }),
});

const RedeemGrantPayload = actionPayloadType("RedeemGrantPayload", "What became of a redemption.");

builder.mutationField("redeemGrant", (t) =>
  t.field({
    type: RedeemGrantPayload,
    description: "Spends a grant, once, just before the action is carried out.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RedeemGrantInput, required: true, description: "What is redeemed." }) },
    resolve: (_root, { input }, context) =>
      actionPayload(context, context.services.actions.redeemGrant(callerOf(context), input), "token"),
  }),
);

const CompleteActionInput = builder.inputType("CompleteActionInput", {
  description: "How carrying an action out ended.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    outcome: t.field({ type: Outcome, required: true, description: "How it ended." }),
    result: t.field({ type: "JSON", description: "What the tool answered." }),
    error: t.string({ description: "What went wrong." }),
  }),
});

const CompleteActionPayload = actionPayloadType("CompleteActionPayload", "What became of a report.");

builder.mutationField("completeAction", (t) =>
  t.field({
    type: CompleteActionPayload,
    description: "Tells how carrying an action out ended. Never told in time, it is AMBIGUOUS.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: CompleteActionInput, required: true, description: "What is reported." }) },
    resolve: (_root, { input }, context) => {
      const { result, ...rest } = input;
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      const report = { ...present(rest), actionId, ...(result === undefined ? {} : { result }) };
      return actionPayload(context, context.services.actions.complete(callerOf(context), report));
    },
  }),
);
