import { LRUCache } from "lru-cache";
import { asError } from "../../../errors.ts";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { Logger } from "../../../log.ts";
import {
  type Account,
  type ChannelRequest,
  type ChannelResponse,
  type Decided,
  DeliveryError,
  type Door,
} from "../driver.ts";
import {
  type Activity,
  conversationOf,
  isOfTenant,
  type Pressed,
  pressedOf,
  readActivity,
  submittedOf,
  wordsOf,
} from "./activity.ts";
import { noticeCard, VERBS } from "./card.ts";
import type { Connector } from "./connector.ts";
import { cardResponse, emptyResponse, errorResponse, messageResponse } from "./responses.ts";
import {
  type BotChannel,
  botChannel,
  comparableUrl,
  isPermittedService,
  type TeamsChannel,
  type TeamsEndpoints,
} from "./settings.ts";
import { KeysUnavailableError } from "./signing-keys.ts";
import { TEAMS, UnverifiedError, type Verifier } from "./verify.ts";

/** Milliseconds for which it is known that an account is a member of its tenant, and for a question to Teams while somebody waits. */
const MEMBER_FOR = 10 * 60_000;
const QUESTION = 4_000;

const HOW_TO_LINK =
  "Your Teams account is linked to nobody. Sign in to Countersign, start an account link there, and send me: link CODE";
const NOTE_NEEDED =
  "Nothing was recorded: a denial needs a note. Write why in the field of the card and press Deny again";
const NOT_NOW = "This cannot be recorded now. Try again in a few seconds: nothing is recorded twice";
const NOT_OURS = "Only members of the organization itself can decide here: no guests, and nobody without an account";

export interface ReceiveOptions {
  readonly verify: Verifier;
  readonly connector: Connector;
  readonly endpoints: TeamsEndpoints;
  readonly now: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
}

export type Receive = (channel: TeamsChannel, request: ChannelRequest, door: Door) => Promise<ChannelResponse>;

/** Serves the requests of Teams to a bot. */
export function createReceive({ verify, connector, endpoints, now, log }: ReceiveOptions): Receive {
  const members = new LRUCache<string, true>({ max: 50_000, ttl: MEMBER_FOR, perf: { now } });

  /** The activity of a request of Teams for this channel. Throws UnverifiedError and KeysUnavailableError. */
  async function verified(channel: BotChannel, request: ChannelRequest): Promise<Activity | undefined> {
    const claimed = await verify(request.headers.authorization, channel.bot.appId);
    const activity = readActivity(request.body);
    if (activity === undefined) return undefined;
    const { serviceUrl, channelId } = activity;
    if (comparableUrl(claimed) !== comparableUrl(serviceUrl))
      throw new UnverifiedError("the token is another service's");
    if (!isPermittedService(serviceUrl, endpoints)) throw new UnverifiedError("the service is not one of Teams");
    if (channelId !== TEAMS) throw new UnverifiedError("the request is of another channel of the Bot Framework");
    return activity;
  }

  /** Who an activity is from; undefined: nobody who may do anything. Throws DeliveryError when Teams cannot say. */
  async function accountOf(channel: BotChannel, activity: Activity): Promise<Account | undefined> {
    const { from } = activity;
    const { tenantId } = channel.bot;
    const objectId = from.aadObjectId;
    if (objectId === undefined || (from.userRole ?? "user") !== "user" || (from.role ?? "user") !== "user")
      return undefined;
    const key = JSON.stringify([channel.organization, channel.name, String(channel.configuredAt), objectId]);
    if (!members.has(key)) {
      const limits = { timeout: QUESTION };
      if (!(await connector.isMember(channel, conversationOf(activity), from.id, objectId, limits))) return undefined;
      members.set(key, true);
    }
    return { kind: "TEAMS", tenant: tenantId, id: objectId };
  }

  function cardOf(decided: Decided): ChannelResponse {
    if (decided.outcome === "UNLINKED") return messageResponse(HOW_TO_LINK);
    const { message } = decided;
    const remark = decided.outcome === "REFUSED" ? `Not recorded: ${decided.reason}` : undefined;
    if (message === undefined) return messageResponse(remark ?? "Your decision is recorded");
    return cardResponse(noticeCard(message, { decides: true, ...(remark && { remark }) }));
  }

  async function decide(
    channel: BotChannel,
    account: Account,
    { verb, ...pressed }: Pressed,
    door: Door,
  ): Promise<Decided | undefined> {
    if (verb === "refresh") return undefined;
    return door.decide(channel, account, { ...pressed, verdict: VERBS[verb] });
  }

  async function pressed(channel: BotChannel, activity: Activity, door: Door): Promise<ChannelResponse> {
    const what = pressedOf(activity);
    if (what === undefined) return errorResponse(400, "BadRequest", "What was pressed is no button of Countersign's");
    if (conversationOf(activity) !== channel.bot.conversationId) {
      return errorResponse(400, "Forbidden", "This card belongs to another conversation: decide where it was posted");
    }
    const account = await accountOf(channel, activity);
    if (account === undefined) return errorResponse(400, "Forbidden", NOT_OURS);
    if (what.verb === "deny" && what.note === undefined) {
      const at = await door.message(channel, what.actionId);
      return messageResponse(
        `${NOTE_NEEDED}${at === undefined ? "" : `; if it is lost on the way, deny at ${at.link}`}`,
      );
    }
    const decided = await decide(channel, account, what, door);
    if (decided !== undefined) return cardOf(decided);
    await door.opened(channel, account, what.actionId);
    const message = await door.message(channel, what.actionId);
    if (message === undefined) return errorResponse(400, "NotFound", "This channel has no notice of the action");
    return cardResponse(noticeCard(message, { decides: true }));
  }

  /** What to reply to a message; undefined: nothing. */
  async function replyTo(channel: BotChannel, activity: Activity, door: Door): Promise<string | undefined> {
    const what = submittedOf(activity);
    const words = wordsOf(activity);
    if (what === undefined && words === "") return undefined;
    const account = await accountOf(channel, activity);
    if (account === undefined) return NOT_OURS;
    if (what !== undefined) {
      if (conversationOf(activity) !== channel.bot.conversationId) return "This card belongs to another conversation";
      if (what.verb === "deny" && what.note === undefined) return NOTE_NEEDED;
      const decided = await decide(channel, account, what, door);
      if (decided === undefined) return undefined;
      if (decided.outcome === "UNLINKED") return HOW_TO_LINK;
      return decided.outcome === "REFUSED" ? `Not recorded: ${decided.reason}` : "Your decision is recorded";
    }
    const [, code] = /^link\s+(\S+)$/i.exec(words) ?? [];
    if (code === undefined)
      return "I post actions that wait for an approval. To decide here, sign in to Countersign, start an account link, and send me: link CODE";
    const linked = await door.link(channel, account, code);
    return linked.outcome === "LINKED"
      ? `Your Teams account is linked to ${linked.principalId}`
      : `Not linked: ${linked.reason}`;
  }

  async function answered(channel: BotChannel, activity: Activity, door: Door): Promise<ChannelResponse> {
    const reply = await replyTo(channel, activity, door).catch((error: unknown) => {
      if (!isPassing(error)) throw error;
      log.warn({ channel: channel.name, err: asError(error) }, "a message of Teams cannot be served now");
      return NOT_NOW;
    });
    if (reply === undefined) return emptyResponse(200);
    const message = { type: "message", text: reply, textFormat: "plain" };
    // What was asked for is done, whether or not the person is told.
    await connector.post(channel, activity.conversation.id, message, { timeout: QUESTION }).catch((error: unknown) => {
      log.warn({ channel: channel.name, err: asError(error) }, "a reply cannot be sent to Teams");
    });
    return emptyResponse(200);
  }

  return async (configured, request, door) => {
    const channel = botChannel(configured);
    if (channel === undefined || !/^\/?$/.test(request.path)) return emptyResponse(404);
    if (request.method !== "POST") return emptyResponse(405);
    let activity: Activity | undefined;
    try {
      activity = await verified(channel, request);
    } catch (error) {
      if (error instanceof KeysUnavailableError) return emptyResponse(503);
      if (!(error instanceof UnverifiedError)) throw error;
      log.info({ channel: channel.name, reason: error.message }, "a request to a bot is not one of Teams");
      return emptyResponse(401);
    }
    if (activity === undefined) return emptyResponse(400);
    if (!isOfTenant(activity, channel.bot.tenantId)) {
      log.info({ channel: channel.name }, "a request to a bot is of another tenant");
      return emptyResponse(403);
    }
    if (activity.type === "message") return answered(channel, activity, door);
    // What tells the bot of members, reactions and the like is only acknowledged.
    if (activity.type !== "invoke") return emptyResponse(200);
    if (activity.name !== "adaptiveCard/action") return emptyResponse(501);
    try {
      return await pressed(channel, activity, door);
    } catch (error) {
      if (!isPassing(error)) throw error;
      log.warn({ channel: channel.name, err: asError(error) }, "what was pressed in Teams cannot be served now");
      return errorResponse(500, "Unavailable", NOT_NOW);
    }
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof DeliveryError || error instanceof LedgerUnavailableError;
}
