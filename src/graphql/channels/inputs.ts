import { builder } from "../base/builder.ts";

/** What each kind of channel is configured with. Which members belong together is for the domain to say. */

const SlackMode = builder.enumType("SlackMode", {
  description: "How Slack reaches this server.",
  values: {
    HTTP: { description: "Slack sends requests to the path of the channel: needs `signingSecret`." },
    SOCKET: { description: "This server connects to Slack (Socket Mode): needs `appToken`." },
  } as const,
});

export const SlackChannelInput = builder.inputType("SlackChannelInput", {
  description: "A channel of Slack, with the app that posts there.",
  fields: (t) => ({
    mode: t.field({ type: SlackMode, required: true, description: "How Slack reaches this server." }),
    teamId: t.string({ required: true, description: "The workspace, such as T0123ABCD." }),
    appId: t.string({ required: true, description: "The app, such as A0123ABCD." }),
    channelId: t.string({ required: true, description: "The channel, such as C0123ABCD." }),
    botToken: t.string({ description: "The bot token of the app, xoxb-…; a secret." }),
    signingSecret: t.string({ description: "The signing secret of the app; a secret." }),
    appToken: t.string({ description: "The app-level token with connections:write, xapp-…; a secret." }),
  }),
});

const TeamsMode = builder.enumType("TeamsMode", {
  description: "How people in Teams are told.",
  values: {
    BOT: { description: "A bot posts cards, and people decide there." },
    WORKFLOW: { description: "A workflow posts cards, which lead here: nobody decides there." },
  } as const,
});

export const TeamsChannelInput = builder.inputType("TeamsChannelInput", {
  description: "A channel of Microsoft Teams.",
  fields: (t) => ({
    mode: t.field({ type: TeamsMode, required: true, description: "How people are told." }),
    tenantId: t.string({ description: "BOT: the tenant, a UUID." }),
    appId: t.string({ description: "BOT: the id of the bot's app registration, a UUID." }),
    conversationId: t.string({ description: "BOT: the channel, such as 19:…@thread.tacv2." }),
    serviceUrl: t.string({
      description: "BOT: the address of the service for the tenant's region. Default: the global one.",
    }),
    appPassword: t.string({ description: "BOT: the client secret of the app registration; a secret." }),
    workflowUrl: t.string({ description: "WORKFLOW: the address of the workflow; a secret." }),
  }),
});

const MailSecurity = builder.enumType("MailSecurity", {
  description: "How a connection to a mail server is protected.",
  values: {
    TLS: { description: "TLS from the beginning (usually port 465)." },
    STARTTLS: { description: "TLS before anything is sent (usually port 587); refused without." },
    NONE: { description: "Not at all: only for a server on this machine." },
  } as const,
});

export const EmailChannelInput = builder.inputType("EmailChannelInput", {
  description: "Addresses of people, and the mail server that takes mail for them.",
  fields: (t) => ({
    from: t.string({ required: true, description: "The address that mail is from." }),
    to: t.stringList({ required: true, description: "The addresses that it goes to, at most 20." }),
    host: t.string({ required: true, description: "The mail server: a host name or an IP address." }),
    port: t.int({ required: true, description: "Its port." }),
    security: t.field({ type: MailSecurity, required: true, description: "How the connection is protected." }),
    user: t.string({ description: "The user to sign in as; a secret." }),
    password: t.string({ description: "The password; a secret." }),
  }),
});

export const WebhookChannelInput = builder.inputType("WebhookChannelInput", {
  description: "An address of a program, which gets CloudEvents signed as Standard Webhooks says.",
  fields: (t) => ({
    url: t.string({ required: true, description: "An https address." }),
    signingSecrets: t.stringList({
      description: "One to four secrets, `whsec_` and 24 to 64 random bytes in base64; each signs. Secrets.",
    }),
  }),
});
