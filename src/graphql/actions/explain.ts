import type { SupposedPrincipal } from "../../domain/actions/explain.ts";
import { MAX_DOCUMENT } from "../../domain/policy/document/read.ts";
import type { Evaluation } from "../../domain/policy/evaluate.ts";
import { Refusal } from "../../errors.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf } from "../base/context.ts";
import { badUserInput, graphqlError } from "../base/errors.ts";
import { present } from "../base/inputs.ts";
import { readingAt } from "../base/position.ts";
import { loadPrincipal } from "../directory/directory.ts";
import { documentError, PolicyEvaluation, type PolicyShape } from "./policy.ts";

const ExplainPolicyInput = builder.inputType("ExplainPolicyInput", {
  description: "A step that is not proposed, and the policy to evaluate for it.",
  fields: (t) => ({
    document: t.string({
      description: `A policy document in YAML or JSON, at most ${MAX_DOCUMENT} characters. What its windows come to is not known, because nothing was recorded for them, so its rules with windows count in their strictest reading. Default: the active policy.`,
    }),
    platform: t.string({ required: true, description: "The platform of the tool." }),
    tool: t.string({ required: true, description: "The tool on its platform." }),
    arguments: t.field({ type: "JSON", required: true, description: "The arguments it would be called with." }),
    asPrincipalId: t.id({
      description:
        "The principal that would propose it: one that you may see in `principals`, with its roles and groups as last seen and nothing known of its client. Default: you, with your client.",
    }),
    targetRegion: t.string({ description: "The region where the data would go. Default: not stated." }),
  }),
});

/** The principal `id`, as it would propose now; undefined: the caller. */
async function supposed(context: Context, id: string | undefined): Promise<SupposedPrincipal> {
  if (id === undefined) {
    const { principal, client } = callerOf(context);
    return { principal, client, platforms: principal.platforms };
  }
  const found = await loadPrincipal(context, id);
  if (found === undefined) throw graphqlError("NOT_FOUND", "There is no such principal that you may see.");
  const { principal, roles, platforms } = found;
  return { principal: { ...principal, roles: [...new Set([...principal.roles, ...roles])] }, platforms };
}

function shapeOf({ outcome, policyHash, version, rules, requirements, explanation }: Evaluation): PolicyShape {
  return { outcome, hash: policyHash, version, rules, requirements, explanation: () => explanation };
}

/** `error` as the client gets it. */
function refused(error: unknown): unknown {
  if (error instanceof Refusal) return badUserInput(`input.${error.path.join(".")} ${error.message}`);
  return documentError(error);
}

builder.queryField("explainPolicy", (t) =>
  t.field({
    type: PolicyEvaluation,
    description:
      "What the document (of the active version, when left out) says of a step that is not proposed. Nothing is recorded. Documents of one organization are evaluated one at a time, each for at most ten seconds.",
    authScopes: { readsLedger: true },
    // Each can keep a processor busy for long.
    complexity: { field: 2_000, multiplier: 1 },
    args: { input: t.arg({ type: ExplainPolicyInput, required: true, description: "The step." }) },
    resolve: async (_root, { input }, context) => {
      const { asPrincipalId, arguments: given = null, ...step } = present(input);
      const as = await supposed(context, asPrincipalId);
      const { principal } = callerOf(context);
      // In turn with other slow queries, also where nothing is read. Documents have turns of their own, in which no connection is held.
      if (step.document === undefined) await readingAt(context);
      try {
        const { db, services } = context;
        return shapeOf(await services.actions.explain(db, principal, as, { ...step, arguments: given }));
      } catch (error) {
        throw refused(error);
      }
    },
  }),
);
