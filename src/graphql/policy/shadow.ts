import { readsOrganization } from "../../domain/visibility/visibility.ts";
import { factOfType } from "../../facts/decode.ts";
import type { Fact } from "../../facts/registry.ts";
import { ActionRef } from "../actions/action.ts";
import { viewOf } from "../actions/rows.ts";
import { builder } from "../base/builder.ts";
import { viewerOf } from "../base/context.ts";
import { PolicyOutcome } from "../base/enums.ts";

type ShadowShape = NonNullable<Fact<"ACTION_PROPOSED">["shadow"]>;

const ShadowEvaluation = builder.objectRef<ShadowShape>("ShadowEvaluation").implement({
  description:
    "What a version of the policy that is evaluated without effect says of an action, where it would lead to something else.",
  fields: (t) => ({
    version: t.exposeInt("version", { description: "The version of the policy document." }),
    policyHash: t.field({ type: "Hash", description: "The hash of the policy document.", resolve: ({ hash }) => hash }),
    outcome: t.field({
      type: PolicyOutcome,
      description: "What would follow.",
      resolve: ({ outcome }) => outcome,
    }),
    ruleIds: t.idList({
      description: "The ids of the rules that match, the strictest first.",
      resolve: ({ rules }) => [...rules],
    }),
  }),
});

builder.prismaObjectField(ActionRef, "shadow", (t) =>
  t.field({
    type: ShadowEvaluation,
    nullable: true,
    description:
      "What the version in state SHADOW says, where that leads to something else: another outcome, or other requirements. For those who may read the whole ledger.",
    resolve(row, _args, context) {
      if (!readsOrganization(viewerOf(context))) return null;
      return factOfType(viewOf(row).proposal, "ACTION_PROPOSED").shadow ?? null;
    },
  }),
);
