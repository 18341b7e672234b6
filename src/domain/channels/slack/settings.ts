import { z } from "zod";
import type { OpenChannel } from "../driver.ts";

const id = (kind: string, letters: string) =>
  z
    .string()
    .regex(
      new RegExp(`^[${letters}][A-Z0-9]{1,39}$`),
      `must be the id of a ${kind} in Slack, such as ${letters[0]}0123ABCD`,
    );
const token = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[\\w-]{1,500}$`), `must be a token of Slack that begins with ${prefix}-`);

/** What an administrator says of a Slack channel. */
export const slackSettings = z.strictObject({
  /** The workspace whose people decide. */
  teamId: id("workspace", "T"),
  /** The app whose buttons count. An app belongs to one channel: Slack sends all of its interactions to one address. */
  appId: id("app", "A"),
  channelId: id("channel", "CG"),
  /** HTTP: Slack calls this server. SOCKET: this server connects to Slack, for those that cannot be reached from outside. */
  mode: z.enum(["HTTP", "SOCKET"], "must be HTTP or SOCKET"),
});
export type SlackSettings = z.infer<typeof slackSettings>;

export const slackSecrets = z.strictObject({
  botToken: token("xoxb"),
  /** Needed by HTTP. */
  signingSecret: z
    .string()
    .regex(/^[0-9a-f]{16,128}$/, "must be the signing secret of the app, in hex digits")
    .optional(),
  /** Needed by SOCKET; of the app, with the scope connections:write. */
  appToken: token("xapp").optional(),
});
export type SlackSecrets = z.infer<typeof slackSecrets>;

export type SlackChannel = OpenChannel<SlackSettings, SlackSecrets>;

/** What is missing for the mode of a channel; undefined: nothing. */
export function slackProblem({ settings, secrets }: Pick<SlackChannel, "settings" | "secrets">): string | undefined {
  if (settings.mode === "HTTP" && secrets.signingSecret === undefined) return "mode HTTP needs signingSecret";
  if (settings.mode === "SOCKET" && secrets.appToken === undefined) return "mode SOCKET needs appToken";
  return undefined;
}
