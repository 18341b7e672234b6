import type { ConfigureInput } from "../../domain/channels/configuration.ts";
import type { ChannelKind } from "../../domain/channels/driver.ts";
import { ChannelRefusal } from "../../domain/channels/errors.ts";
import type { Channel } from "../../domain/channels/store.ts";
import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { present } from "../base/inputs.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";
import { ConfiguredChannelRef } from "./channel.ts";
import { EmailChannelInput, SlackChannelInput, TeamsChannelInput, WebhookChannelInput } from "./inputs.ts";

interface ChannelPayload extends Receipt {
  readonly channel?: Channel | undefined;
}

function channelPayloadType(name: string, description: string) {
  const ref = receiptType<ChannelPayload>(name, description);
  builder.objectField(ref, "channel", (t) =>
    t.field({
      type: ConfiguredChannelRef,
      nullable: true,
      description: "The channel from now on; null when the change was refused.",
      resolve: ({ channel }) => channel,
    }),
  );
  return ref;
}

const ConfigureChannelInput = builder.inputType("ConfigureChannelInput", {
  description: "A channel with all of its settings: exactly one of `slack`, `teams`, `email` and `webhook`.",
  fields: (t) => ({
    name: t.string({
      required: true,
      description: "Its name: small letters, digits and hyphens, at most 64. One of this name is changed.",
    }),
    groups: t.stringList({ description: "The groups whose requests go there. Default: those of every group." }),
    slack: t.field({ type: SlackChannelInput, description: "A channel of Slack." }),
    teams: t.field({ type: TeamsChannelInput, description: "A channel of Microsoft Teams." }),
    email: t.field({ type: EmailChannelInput, description: "Addresses of people." }),
    webhook: t.field({ type: WebhookChannelInput, description: "An address of a program." }),
    note: t.string({ description: "Why, for the record." }),
  }),
});

/** Members of the inputs that are secrets; all others are settings. */
const SECRETS: readonly string[] = [
  "botToken",
  "signingSecret",
  "appToken",
  "appPassword",
  "workflowUrl",
  "user",
  "password",
  "signingSecrets",
];
const KINDS = { slack: "SLACK", teams: "TEAMS", email: "EMAIL", webhook: "WEBHOOK" } as const satisfies Record<
  string,
  ChannelKind
>;

function configured(input: typeof ConfigureChannelInput.$inferInput): ConfigureInput {
  const { name, groups, note, ...kinds } = present(input);
  const given = Object.entries(kinds).filter(([, value]) => value !== undefined);
  const [one, ...others] = given;
  if (one === undefined || others.length > 0) {
    throw new ChannelRefusal("INVALID_INPUT", "needs exactly one of slack, teams, email and webhook", {
      path: others.length > 0 ? [others[0]?.[0] ?? ""] : [],
    });
  }
  const [key, value] = one;
  const members = Object.entries(present(value as object)).filter(([, member]) => member !== undefined);
  const secrets = members.filter(([member]) => SECRETS.includes(member));
  return {
    name,
    kind: KINDS[key as keyof typeof KINDS],
    groups: groups ?? [],
    note,
    settings: Object.fromEntries(members.filter(([member]) => !SECRETS.includes(member))),
    ...(secrets.length === 0 ? {} : { secrets: Object.fromEntries(secrets) }),
  };
}

builder.mutationField("configureChannel", (t) =>
  t.field({
    type: channelPayloadType("ConfigureChannelPayload", "The result of `configureChannel`."),
    description:
      "Has people told of actions by a channel from now on, or changes one. Secrets are encrypted with a key that no database has; left out altogether, those of the channel stay where its settings do. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ConfigureChannelInput, required: true, description: "The channel." }) },
    resolve: (_root, { input }, context): Promise<ChannelPayload> =>
      receiptPayload(
        context,
        Promise.resolve().then(() => context.services.channels.configure(callerOf(context), configured(input))),
      ),
  }),
);

const RemoveChannelInput = builder.inputType("RemoveChannelInput", {
  description: "A channel to be used no more.",
  fields: (t) => ({
    name: t.string({ required: true, description: "Its name." }),
    note: t.string({ description: "Why, for the record." }),
  }),
});

builder.mutationField("removeChannel", (t) =>
  t.field({
    type: channelPayloadType("RemoveChannelPayload", "The result of `removeChannel`."),
    description: "Has nothing sent to a channel any more, and nothing decided by it. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RemoveChannelInput, required: true, description: "The channel to remove." }) },
    resolve: (_root, { input: { name, note } }, context): Promise<ChannelPayload> =>
      receiptPayload(context, context.services.channels.remove(callerOf(context), name, note ?? undefined)),
  }),
);
