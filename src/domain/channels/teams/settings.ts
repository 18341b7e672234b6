import { z } from "zod";
import { isSecureUrl } from "../../identity/secure-url.ts";
import type { OpenChannel } from "../driver.ts";

const guid = z.guid("must be an id such as 72f988bf-86f1-41af-91ab-2d7cd011db47").transform((id) => id.toLowerCase());

function secureUrl(longest: number, what: string) {
  const problem = `must be the https address of ${what}, of at most ${longest} characters`;
  return z.string().max(longest, problem).refine(isSecureUrl, problem);
}

const GLOBAL_SERVICE = "https://smba.trafficmanager.net/teams";
const CONVERSATION = /^[\w:@.=-]{1,200}$/;

/** What an administrator says of a channel of Teams. All but the mode is for BOT. */
export const teamsSettings = z.strictObject({
  /** BOT: a bot posts, and people decide in its messages. WORKFLOW: a workflow posts, and nobody decides there. */
  mode: z.enum(["BOT", "WORKFLOW"], "must be BOT or WORKFLOW"),
  /** The directory whose people may decide. */
  tenantId: guid.optional(),
  /** Of the app that the bot was registered with. */
  appId: guid.optional(),
  /** Where messages are posted: a channel, a group chat or the chat with one person, as Teams names it. */
  conversationId: z
    .string()
    .regex(CONVERSATION, "must be the id of a conversation, such as 19:0123abcd@thread.tacv2, without ;messageid")
    .optional(),
  /** The connector service of the tenant; left out: the global one. */
  serviceUrl: secureUrl(300, "a connector service")
    .refine((url) => !/[?#]/.test(url), "must be an address without a query")
    .optional(),
});

export const teamsSecrets = z.strictObject({
  /** Of a bot: the secret of its app. */
  appPassword: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, "must be the secret of the app, without blanks")
    .optional(),
  /** Of a workflow: where it is called. Whoever knows the address can post. */
  workflowUrl: secureUrl(2_000, "a workflow").optional(),
});

export type TeamsSettings = z.infer<typeof teamsSettings>;
export type TeamsSecrets = z.infer<typeof teamsSecrets>;
export type TeamsChannel = OpenChannel<TeamsSettings, TeamsSecrets>;
type Configured = Pick<TeamsChannel, "settings" | "secrets">;

/** What is missing for the mode of a channel, or not permitted; undefined: nothing. */
export function teamsProblem({ settings, secrets }: Configured, endpoints: TeamsEndpoints): string | undefined {
  const { mode, serviceUrl = GLOBAL_SERVICE } = settings;
  if (mode === "WORKFLOW") return secrets.workflowUrl === undefined ? "mode WORKFLOW needs workflowUrl" : undefined;
  const given = { ...settings, ...secrets };
  const missing = BOT_NEEDS.filter((name) => given[name] === undefined);
  if (missing.length > 0) return `mode BOT needs ${missing.join(", ")}`;
  if (!isPermittedService(serviceUrl, endpoints)) {
    return `serviceUrl is at ${new URL(serviceUrl).host}, which TEAMS_SERVICE_HOSTS does not permit to send tokens to`;
  }
  return undefined;
}

const BOT_NEEDS = ["tenantId", "appId", "conversationId", "appPassword"] as const;

/** A channel whose messages a bot posts. */
export interface BotChannel extends TeamsChannel {
  readonly bot: Readonly<Record<(typeof BOT_NEEDS)[number] | "serviceUrl", string>>;
}

/** The channel as one of a bot; undefined: it is none, or lacks what one needs. */
export function botChannel(channel: TeamsChannel): BotChannel | undefined {
  const { settings, secrets } = channel;
  const { tenantId, appId, conversationId, serviceUrl = GLOBAL_SERVICE } = settings;
  const { appPassword } = secrets;
  if (settings.mode !== "BOT" || tenantId === undefined || appId === undefined || conversationId === undefined)
    return undefined;
  if (appPassword === undefined) return undefined;
  const bot = { tenantId, appId, conversationId, serviceUrl, appPassword };
  return { ...channel, bot };
}

/** Microsoft's services, which the operator of the server names and no organization can choose. */
export interface TeamsEndpoints {
  /** The Microsoft identity platform, without a slash at the end. */
  readonly loginUrl: string;
  /** The document that names the keys of the Bot Framework. */
  readonly openIdUrl: string;
  /** The issuer of requests to bots, whose name is also that of the service which tokens of bots are for. */
  readonly tokenIssuer: string;
  /** Names or addresses, in lower case, that tokens of bots may be sent to. */
  readonly serviceHosts: readonly string[];
}

/** An address of a connector service as it is compared: case and the slash at its end do not count. */
export function comparableUrl(url: string): string {
  return url.replace(/\/$/, "").toLowerCase();
}

/** Whether `url` is a connector service that the operator permits. */
export function isPermittedService(url: string, { serviceHosts }: TeamsEndpoints): boolean {
  return isSecureUrl(url) && serviceHosts.includes(new URL(url).hostname.toLowerCase());
}
