import { MAX_DOCUMENT } from "../../domain/policy/document/read.ts";
import { actionPayload, actionPayloadType } from "../actions/payload.ts";
import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { present } from "../base/inputs.ts";
import { PolicyVersionRef, versionIn } from "./version.ts";

const PublishPolicyInput = builder.inputType("PublishPolicyInput", {
  description: "A policy document.",
  fields: (t) => ({
    document: t.string({
      required: true,
      description: `In YAML or JSON, at most ${MAX_DOCUMENT} characters. Its cases must pass, and every rule must match in one.`,
    }),
    note: t.string({ required: true, description: "Why the policy is changed; must not be blank." }),
    shadow: t.boolean({
      description:
        "Whether it is evaluated beside the version in force, and decides nothing; differences are recorded. Default: false.",
    }),
  }),
});

const PublishPolicyPayload = actionPayloadType("PublishPolicyPayload", "The result of `publishPolicy`.");
builder.objectField(PublishPolicyPayload, "version", (t) =>
  t.field({
    type: PolicyVersionRef,
    nullable: true,
    description: "The version that was proposed; null when it was refused.",
    resolve: ({ action }, _args, context) => (action && versionIn(context, action)) ?? null,
  }),
);

builder.mutationField("publishPolicy", (t) =>
  t.field({
    type: PublishPolicyPayload,
    description:
      "Proposes a policy document, as an action of tool `publish_policy` on platform `countersign`: it is in force as soon as another administrator has approved the action. Who is the only administrator can approve it after 24 hours. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: PublishPolicyInput, required: true, description: "What to publish." }) },
    resolve: (_root, { input }, context) =>
      actionPayload(context, context.services.publishing.publish(callerOf(context), present(input))),
  }),
);
