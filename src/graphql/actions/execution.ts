import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { Outcome } from "../base/enums.ts";
import { present } from "../base/inputs.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { actionPayload, actionPayloadType } from "./payload.ts";

/** What follows once an action was started: its outcome, or more time. */

const CompleteActionInput = builder.inputType("CompleteActionInput", {
  description: "The outcome of an executed action.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    outcome: t.field({ type: Outcome, required: true, description: "Whether it was carried out." }),
    result: t.field({ type: "JSON", description: "The return value of the tool." }),
    error: t.string({ description: "What went wrong, as free text." }),
  }),
});

const CompleteActionPayload = actionPayloadType(
  "CompleteActionPayload",
  "The result of `completeAction` and `resolveAction`.",
);

builder.mutationField("completeAction", (t) =>
  t.field({
    type: CompleteActionPayload,
    description:
      "Reports the outcome of an executing action. When it is not reported by `expiresAt`, the action becomes AMBIGUOUS; a late report is recorded as well, and marked with `reportedLate`.",
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

const ResolveActionInput = builder.inputType("ResolveActionInput", {
  description: "The outcome of an action that nobody reported.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    outcome: t.field({ type: Outcome, required: true, description: "Whether it was carried out." }),
    note: t.string({ required: true, description: "How the outcome is known; must not be blank." }),
  }),
});

builder.mutationField("resolveAction", (t) =>
  t.field({
    type: CompleteActionPayload,
    description:
      "Records the outcome of an AMBIGUOUS action, which its agent did not report and a person found out. For human administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ResolveActionInput, required: true, description: "What was found out." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      return actionPayload(context, context.services.actions.resolve(callerOf(context), { ...input, actionId }));
    },
  }),
);

const ExtendExecutionInput = builder.inputType("ExtendExecutionInput", {
  description: "An action that takes longer.",
  fields: (t) => ({
    actionId: t.id({ required: true, description: "The action." }),
    seconds: t.int({ required: true, description: "How long from now it may still take." }),
  }),
});

const ExtendExecutionPayload = actionPayloadType("ExtendExecutionPayload", "The result of `extendExecution`.");

builder.mutationField("extendExecution", (t) =>
  t.field({
    type: ExtendExecutionPayload,
    description:
      "Moves the deadline of an executing action, for the caller that started it. All of it may take as long as the server's setting EXECUTION_LIMIT says: beyond that it is refused with EXECUTION_LIMIT.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ExtendExecutionInput, required: true, description: "How much longer." }) },
    resolve: (_root, { input }, context) => {
      const actionId = uuidOfNodeId("Action", context.ledger, input.actionId);
      const { seconds } = input;
      return actionPayload(context, context.services.actions.extend(callerOf(context), { actionId, seconds }));
    },
  }),
);
