import { z } from "zod";
import type { JsonValue } from "../../../facts/canonical.ts";
import type { Logger } from "../../../log.ts";
import {
  type ChannelRequest,
  type ChannelResponse,
  DeliveryError,
  type Driver,
  type NoticeMessage,
} from "../driver.ts";
import type { Outbound } from "../outbound-request.ts";
import { createInteractions, type Place } from "./interactions.ts";
import { jsonOf } from "./json.ts";
import { createMemberCheck } from "./members.ts";
import { slackText } from "./message.ts";
import {
  type SlackChannel,
  type SlackSecrets,
  type SlackSettings,
  slackProblem,
  slackSecrets,
  slackSettings,
} from "./settings.ts";
import { signatureProblem } from "./signature.ts";
import { stayConnected } from "./socket-mode.ts";
import { createSlackApi, isOfThePlace, SlackError } from "./web-api.ts";

export interface SlackDriverOptions {
  readonly outbound: Outbound;
  /** Of the Web API, without a slash at its end. */
  readonly apiUrl: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

const posted = z.object({ channel: z.string().regex(/^[A-Z0-9]{1,40}$/), ts: z.string().regex(/^\d{1,12}\.\d{1,9}$/) });
const history = z.object({
  messages: z.array(
    z.object({
      ts: posted.shape.ts,
      metadata: z.object({ event_payload: z.object({ notice: z.string().optional() }).optional() }).optional(),
    }),
  ),
  response_metadata: z.object({ next_cursor: z.string().max(1_000).optional() }).optional(),
});
/** Messages of a page, pages that are looked through, and seconds by which clocks may differ. */
const PAGE = 100;
const PAGES = 10;
const CLOCKS = 60;
const NOT_GRANTED: readonly string[] = ["missing_scope", "not_allowed_token_type", "no_permission", "access_denied"];
const opened = z.object({ url: z.string().max(4_000) });

const NOT_FOUND: ChannelResponse = { status: 404, contentType: "text/plain", body: "not found" };

/** Slack, with its Web API, and interactions that come signed over HTTP or by Socket Mode. */
export function createSlackDriver({
  outbound,
  apiUrl,
  now = Date.now,
  log,
}: SlackDriverOptions): Driver<SlackSettings, SlackSecrets> {
  const api = createSlackApi({ outbound, apiUrl });
  const interactions = createInteractions({
    api,
    checkMember: createMemberCheck({ api, now }),
    show: update,
    log,
    now,
  });

  function body(message: NoticeMessage) {
    return {
      ...slackText(message),
      // What was sent can be told apart by it when a message was sent twice.
      metadata: {
        event_type: "countersign_notice",
        event_payload: { notice: message.noticeId, version: message.version },
      },
      parse: "none",
      link_names: false,
    };
  }

  async function update(
    { secrets }: SlackChannel,
    place: Place,
    message: NoticeMessage,
    signal?: AbortSignal,
  ): Promise<void> {
    await api("chat.update", secrets.botToken, { ...place, ...body(message) }, signal === undefined ? {} : { signal });
  }

  /** The interaction that a request carries; undefined: it carries something else. */
  function payloadOf({ headers, body: raw }: ChannelRequest): JsonValue | undefined {
    if (!headers["content-type"]?.toLowerCase().startsWith("application/x-www-form-urlencoded")) return undefined;
    const fields = [...new URLSearchParams(raw.toString("utf8"))];
    const [first] = fields;
    return fields.length === 1 && first?.[0] === "payload" ? jsonOf(first[1]) : undefined;
  }

  return {
    kind: "SLACK",
    settings: slackSettings,
    secrets: slackSecrets,
    problem: slackProblem,
    to: ({ settings }) => `Slack channel ${settings.channelId} of workspace ${settings.teamId}`,

    async send({ settings, secrets }, message, signal) {
      const more = { channel: settings.channelId, mrkdwn: false, unfurl_links: false, unfurl_media: false };
      const answer = await api("chat.postMessage", secrets.botToken, { ...more, ...body(message) }, { signal });
      const { success, data } = posted.safeParse(answer);
      if (!success) throw new DeliveryError("Slack did not say which message it posted", { retry: true });
      return { message: `${data.channel}/${data.ts}` };
    },

    async find({ settings, secrets }, { noticeId }, since, signal) {
      const asked = { channel: settings.channelId, oldest: String(since.getTime() / 1_000 - CLOCKS), limit: PAGE };
      for (let cursor = "", page = 0; page < PAGES; page += 1) {
        const body = { ...asked, include_all_metadata: true, ...(cursor === "" ? {} : { cursor }) };
        const answer = await api("conversations.history", secrets.botToken, body, { signal }).catch(
          (error: unknown) => {
            // A workspace may not have granted it; the message is sent once more then.
            if (error instanceof SlackError && NOT_GRANTED.includes(error.code)) return undefined;
            throw error;
          },
        );
        const { data } = history.safeParse(answer);
        const found = data?.messages.find(({ metadata }) => metadata?.event_payload?.notice === noticeId);
        if (found !== undefined) return `${settings.channelId}/${found.ts}`;
        cursor = data?.response_metadata?.next_cursor ?? "";
        if (cursor === "") return undefined;
      }
      return undefined;
    },

    async update(channel, message, sent, signal) {
      const [place = "", ts = ""] = sent.split("/");
      try {
        await update(channel, { channel: place, ts }, message, signal);
      } catch (error) {
        // Where notices went before the channel was configured otherwise: nothing that is sent from now on waits for it.
        const isLeft = place !== channel.settings.channelId && isOfThePlace(error);
        throw isLeft ? new DeliveryError(error.message, { retry: false, cause: error }) : error;
      }
    },

    async receive(channel, request, door) {
      const { settings, secrets, organization, name } = channel;
      if (settings.mode !== "HTTP" || secrets.signingSecret === undefined || request.path !== "") return NOT_FOUND;
      if (request.method !== "POST") return { status: 405, contentType: "text/plain", body: "only POST" };
      const problem = signatureProblem(request, secrets.signingSecret, now());
      if (problem !== undefined) {
        log.warn({ organization, channel: name, problem }, "a request that claims to be from Slack is refused");
        return { status: 401, contentType: "text/plain", body: `refused: ${problem}` };
      }
      const payload = payloadOf(request);
      const reply =
        payload === undefined ? ({ outcome: "MALFORMED" } as const) : await interactions(channel, payload, door);
      if (reply.outcome === "MALFORMED") {
        return { status: 400, contentType: "text/plain", body: "this is no interaction as Slack describes them" };
      }
      if (reply.outcome === "FOREIGN") {
        log.warn({ organization, channel: name }, "an interaction of another workspace or app is refused");
        return { status: 403, contentType: "text/plain", body: "this is of another workspace or app" };
      }
      if (reply.body === undefined) return { status: 200 };
      return { status: 200, contentType: "application/json", body: JSON.stringify(reply.body) };
    },

    async connect(channel, door, signal) {
      const { settings, secrets, organization, name } = channel;
      const { appToken } = secrets;
      if (settings.mode !== "SOCKET" || appToken === undefined) return;
      const about = { organization, channel: name };
      await stayConnected({
        async open(aborting) {
          const { success, data } = opened.safeParse(
            await api("apps.connections.open", appToken, {}, { signal: aborting }),
          );
          if (success && isOfSlack(data.url, apiUrl)) return data.url;
          throw new DeliveryError("Slack named no address of its own to connect to", { retry: true });
        },
        async handle(payload) {
          const reply = await interactions(channel, payload, door);
          if (reply.outcome === "DONE") return reply.body;
          log.warn({ ...about, outcome: reply.outcome }, "an interaction by Socket Mode is ignored");
          return undefined;
        },
        signal,
        log,
        about,
      });
    },
  };
}

/** Whether an address is of the host of the Web API, or of one below it, and encrypted where the Web API is. */
function isOfSlack(url: string, apiUrl: string): boolean {
  if (!URL.canParse(url)) return false;
  const [link, web] = [new URL(url), new URL(apiUrl)];
  const isHost = link.hostname === web.hostname || link.hostname.endsWith(`.${web.hostname}`);
  return isHost && link.protocol === (web.protocol === "http:" ? "ws:" : "wss:");
}
