import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { orRefusal, payloadType, type UserErrorShape, userError } from "../base/payload.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";

interface LinkPayload {
  readonly code?: string;
  readonly expiresAt?: Date;
  readonly userErrors: readonly UserErrorShape[];
}

const StartAccountLinkPayload = payloadType<LinkPayload>(
  "StartAccountLinkPayload",
  "The result of `startAccountLink`.",
);
builder.objectFields(StartAccountLinkPayload, (t) => ({
  code: t.string({
    nullable: true,
    description:
      "What to enter in the chat with the account to link. Whoever enters it decides as you there: give it to nobody. Null when the call was refused.",
    resolve: ({ code }) => code,
  }),
  expiresAt: t.field({
    type: "DateTime",
    nullable: true,
    description: "Until when it can be entered, once.",
    resolve: ({ expiresAt }) => expiresAt?.toISOString(),
  }),
}));

const StartAccountLinkInput = builder.inputType("StartAccountLinkInput", {
  description: "Where an account is to be linked.",
  fields: (t) => ({
    channel: t.string({ required: true, description: "The name of the channel, of Slack or Microsoft Teams." }),
  }),
});

builder.mutationField("startAccountLink", (t) =>
  t.field({
    type: StartAccountLinkPayload,
    description:
      "Makes a code with which you link an account of Slack or Microsoft Teams to yourself, so that what you decide there counts. For people.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: StartAccountLinkInput, required: true, description: "Where." }) },
    resolve: (_root, { input: { channel } }, context): Promise<LinkPayload> =>
      orRefusal<LinkPayload, LinkPayload>(
        context,
        context.services.channels.startLink(callerOf(context), channel).then((made) => ({ ...made, userErrors: [] })),
        (refusal) => ({ userErrors: [userError(refusal)] }),
      ),
  }),
);

const UnlinkAccountInput = builder.inputType("UnlinkAccountInput", {
  description: "An account that is linked to a person no more.",
  fields: (t) => ({
    accountId: t.string({
      required: true,
      description: "Kind of channel, team or tenant, and account, such as `SLACK/T0123ABCD/U0123ABCD`.",
    }),
  }),
});

builder.mutationField("unlinkAccount", (t) =>
  t.field({
    type: receiptType<Receipt>("UnlinkAccountPayload", "The result of `unlinkAccount`."),
    description: "Has nothing count that is decided with an account: one of yours, or for administrators any.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: UnlinkAccountInput, required: true, description: "The account to unlink." }) },
    resolve: (_root, { input }, context): Promise<Receipt> =>
      receiptPayload(
        context,
        context.services.channels.unlink(callerOf(context), input.accountId).then(({ entry }) => ({ entry })),
      ),
  }),
);
