import { checkDecisions } from "../../domain/actions/decide-together.ts";
import { MAX_ACTIONS } from "../../domain/actions/input.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf } from "../base/context.ts";
import { Verdict } from "../base/enums.ts";
import { present } from "../base/inputs.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { orRefusal, payloadType, type UserErrorShape, userError } from "../base/payload.ts";
import { contextOfId } from "../base/regions.ts";
import { DecideActionPayload } from "./mutations.ts";
import { type ActionPayload, decidedPayload } from "./payload.ts";
import { shownAction } from "./shown.ts";

const DecideActionInput = builder.inputType("DecideActionInput", {
  description: "A decision on exactly the content that the person was shown.",
  fields: (t) => ({
    ...shownAction(t),
    verdict: t.field({ type: Verdict, required: true, description: "Whether to approve or deny it." }),
    note: t.string({
      description: "A free-text remark to record with the decision. Of a denial the reason, which must not be blank.",
    }),
  }),
});

const DecideActionsInput = builder.inputType("DecideActionsInput", {
  description: "Decisions to make together.",
  fields: (t) => ({
    decisions: t.field({
      type: [DecideActionInput],
      required: true,
      description: `The decisions, at most ${MAX_ACTIONS}. Of several on one action, each is made after those before it.`,
    }),
  }),
});

interface DecisionsPayload {
  readonly results: readonly ActionPayload[];
  readonly userErrors: readonly UserErrorShape[];
}

const DecideActionsPayload = payloadType<DecisionsPayload>("DecideActionsPayload", "The result of `decideActions`.");
builder.objectField(DecideActionsPayload, "results", (t) =>
  t.field({
    type: [DecideActionPayload],
    complexity: { field: 1, multiplier: 1 },
    description:
      "The result of each decision, in the order of the input; empty when all of them were refused together. A decision that was refused has `userErrors`, and does not prevent the others.",
    resolve: ({ results }) => [...results],
  }),
);

/** As much as the decisions would cost each by itself. A batch that is refused for its length costs nothing. */
function complexity({ input }: { readonly input: { readonly decisions: readonly unknown[] } }) {
  const { length } = input.decisions;
  return { field: 1, multiplier: length > MAX_ACTIONS ? 1 : Math.max(1, length) };
}

builder.mutationField("decideActions", (t) =>
  t.field({
    type: DecideActionsPayload,
    description:
      "Approves or denies several actions, each as `approveAction` and `denyAction` would, and records the decisions on different actions in one transaction. When the call fails, look at the actions before you decide again.",
    authScopes: { signedIn: true },
    complexity,
    args: { input: t.arg({ type: DecideActionsInput, required: true, description: "What to decide." }) },
    resolve: (_root, { input }, context): Promise<DecisionsPayload> =>
      orRefusal(context, decideAll(context, input.decisions), (refusal) => ({
        results: [],
        userErrors: [userError(refusal)],
      })),
  }),
);

async function decideAll(
  context: Context,
  inputs: readonly (typeof DecideActionInput.$inferInput)[],
): Promise<DecisionsPayload> {
  checkDecisions(inputs.length);
  // Before anything is decided: what is elsewhere is told for all of them.
  const parts = Map.groupBy(inputs.entries(), ([, input]) => contextOfId(context, input.actionId));
  const results = new Array<ActionPayload>(inputs.length);
  const failures: unknown[] = [];
  for (const [local, part] of parts) {
    const decisions = part.map(([, input]) => {
      const actionId = uuidOfNodeId("Action", local.ledger, input.actionId);
      return { ...present(input), actionId, channel: "API" } as const;
    });
    try {
      const outcomes = await local.services.actions.decideTogether(callerOf(local), decisions);
      for (const [n, outcome] of outcomes.entries()) {
        const place = part[n]?.[0] ?? n;
        results[place] = decidedPayload(local, outcome, ["decisions", `${place}`]);
      }
    } catch (error) {
      failures.push(error);
    }
  }
  const [failure] = failures;
  if (failure instanceof LedgerUnavailableError && failures.length < parts.size) {
    const message = `some of the decisions are made, and others are not: ${failure.message}; look at the actions before you decide again`;
    throw new LedgerUnavailableError(message, failure.retryAfterSeconds, failure, "UNKNOWN");
  }
  if (failure !== undefined) throw failure;
  return { results, userErrors: [] };
}
