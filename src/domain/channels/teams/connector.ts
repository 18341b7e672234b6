import { z } from "zod";
import { parseJson } from "../../../facts/parse-json.ts";
import { DeliveryError } from "../driver.ts";
import type { Outbound, OutboundResponse } from "../outbound-request.ts";
import type { BotTokens } from "./bot-token.ts";
import { failure } from "./failures.ts";
import { type BotChannel, isPermittedService, type TeamsEndpoints } from "./settings.ts";

const postedSchema = z.looseObject({ id: z.string().min(1).max(150) });
const memberSchema = z.looseObject({
  aadObjectId: z.string().optional(),
  objectId: z.string().optional(),
  tenantId: z.string().optional(),
  userRole: z.string().optional(),
  userPrincipalName: z.string().optional(),
});
/** What accounts of other directories are named by in the directory that they are guests of. */
const GUEST_NAME = "#ext#";

export interface ConnectorOptions {
  readonly outbound: Outbound;
  readonly endpoints: TeamsEndpoints;
  readonly tokens: BotTokens;
  readonly now: () => number;
}

/** How long a request may take, in milliseconds, and what ends it earlier. */
interface Limits {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/**
 * The connector service (https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference), called as the bot of a
 * channel. All throw DeliveryError.
 */
export interface Connector {
  /** Posts an activity and returns its id, of at most 150 characters; undefined when the service names none. */
  post(channel: BotChannel, conversation: string, activity: object, limits?: Limits): Promise<string | undefined>;
  /** Replaces an activity. */
  replace(channel: BotChannel, conversation: string, id: string, activity: object, limits?: Limits): Promise<void>;
  /** Whether the account `objectId`, which a conversation knows as `member`, is a member of the tenant itself: no guest, and not anonymous. */
  isMember(
    channel: BotChannel,
    conversation: string,
    member: string,
    objectId: string,
    limits?: Limits,
  ): Promise<boolean>;
}

export function createConnector({ outbound, endpoints, tokens, now }: ConnectorOptions): Connector {
  async function call(
    channel: BotChannel,
    method: "GET" | "POST" | "PUT",
    path: readonly string[],
    activity: object | undefined,
    limits: Limits,
  ): Promise<OutboundResponse> {
    const { serviceUrl } = channel.bot;
    if (!isPermittedService(serviceUrl, endpoints)) {
      const message = `the service ${new URL(serviceUrl).host} is none that TEAMS_SERVICE_HOSTS permits to send tokens to`;
      throw new DeliveryError(message, { retry: true, down: true });
    }
    const token = await tokens.get(channel);
    const response = await outbound({
      method,
      url: `${serviceUrl.replace(/\/$/, "")}/v3/conversations/${path.map(encodeURIComponent).join("/")}`,
      headers: { authorization: `Bearer ${token}`, ...(activity && { "content-type": "application/json" }) },
      ...(activity && { body: JSON.stringify(activity) }),
      ...limits,
    });
    // A token can be taken back before it ends; the next attempt gets another one.
    if (response.status === 401) tokens.forget(channel, token);
    return response;
  }

  const isSuccess = ({ status }: OutboundResponse) => status >= 200 && status < 300;

  return {
    async post(channel, conversation, activity, limits = {}) {
      const response = await call(channel, "POST", [conversation, "activities"], activity, limits);
      if (!isSuccess(response)) throw failure("the message", response, now());
      // It is posted, and trying again would post it twice.
      return read(postedSchema, response)?.id;
    },
    async replace(channel, conversation, id, activity, limits = {}) {
      const response = await call(channel, "PUT", [conversation, "activities", id], activity, limits);
      // One that is not there any more was deleted, or is where the bot is not any more.
      const final = conversation === channel.bot.conversationId ? [404, 410] : [403, 404, 410];
      if (!isSuccess(response)) throw failure("the change of the message", response, now(), final);
    },
    async isMember(channel, conversation, member, objectId, limits = {}) {
      const response = await call(channel, "GET", [conversation, "members", member], undefined, limits);
      if (response.status === 404) return false;
      if (!isSuccess(response)) throw failure("the question whether somebody is a member", response, now());
      const found = read(memberSchema, response);
      return found !== undefined && isOwnPerson(found, channel.bot.tenantId, objectId);
    },
  };
}

/** Fails closed: an account of which the service says neither role nor name is nobody's. */
function isOwnPerson(found: z.infer<typeof memberSchema>, tenantId: string, objectId: string): boolean {
  const { userRole, userPrincipalName, tenantId: tenant = tenantId } = found;
  if ((found.aadObjectId ?? found.objectId)?.toLowerCase() !== objectId || tenant.toLowerCase() !== tenantId)
    return false;
  if (userRole === undefined && userPrincipalName === undefined) return false;
  return (userRole ?? "user") === "user" && userPrincipalName?.toLowerCase().includes(GUEST_NAME) !== true;
}

function read<Value>(schema: z.ZodType<Value>, { body }: OutboundResponse): Value | undefined {
  try {
    return schema.safeParse(parseJson(body)).data;
  } catch {
    return undefined;
  }
}
