import type { Logger } from "../../../log.ts";
import { DeliveryError, type Driver, type NoticeMessage, type Sent } from "../driver.ts";
import type { Outbound } from "../outbound-request.ts";
import { createBotTokens } from "./bot-token.ts";
import { cardActivity, noticeCard } from "./card.ts";
import { createConnector } from "./connector.ts";
import { failure } from "./failures.ts";
import { createReceive } from "./receive.ts";
import {
  botChannel,
  type TeamsChannel,
  type TeamsEndpoints,
  type TeamsSecrets,
  type TeamsSettings,
  teamsProblem,
  teamsSecrets,
  teamsSettings,
} from "./settings.ts";
import { createSigningKeys } from "./signing-keys.ts";
import { createVerifier } from "./verify.ts";

/** How something failed of which it is not known how. */
const UNREACHED = { retry: true, down: true, retryAfter: undefined };
/** Characters of what names a message. */
const MAX_NAME = 400;

export interface TeamsDriverOptions {
  readonly outbound: Outbound;
  readonly endpoints: TeamsEndpoints;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Microsoft Teams: by a bot, whose messages people decide in, or by a workflow, which only posts. */
export function createTeamsDriver({
  outbound,
  endpoints,
  now = Date.now,
  log,
}: TeamsDriverOptions): Driver<TeamsSettings, TeamsSecrets> {
  const keys = createSigningKeys({ outbound, endpoints, now, log });
  const verify = createVerifier({ keys, issuer: endpoints.tokenIssuer, now });
  const tokens = createBotTokens({ outbound, endpoints, now });
  const connector = createConnector({ outbound, endpoints, tokens, now });

  /** Posts a card by a workflow. Its address is a secret, so no error may repeat it. */
  async function postByWorkflow(channel: TeamsChannel, message: NoticeMessage, signal: AbortSignal): Promise<Sent> {
    const { workflowUrl } = channel.secrets;
    if (workflowUrl === undefined) throw unconfigured();
    const response = await outbound({
      method: "POST",
      url: workflowUrl,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(activityOf(message, false)),
      signal,
    }).catch((error: unknown) => {
      const { retry, down, retryAfter } = error instanceof DeliveryError ? error : UNREACHED;
      const message = "the workflow cannot be reached";
      throw new DeliveryError(message, { retry, down, ...(retryAfter !== undefined && { retryAfter }) });
    });
    if (response.status < 200 || response.status >= 300) throw failure("the message to the workflow", response, now());
    return { message: undefined };
  }

  return {
    kind: "TEAMS",
    settings: teamsSettings,
    secrets: teamsSecrets,
    problem: (configured) => teamsProblem(configured, endpoints),
    to: ({ settings }) => (settings.mode === "WORKFLOW" ? "a workflow" : (settings.conversationId ?? "")),
    async send(channel, message, signal) {
      if (channel.settings.mode === "WORKFLOW") return postByWorkflow(channel, message, signal);
      const bot = botChannel(channel);
      if (bot === undefined) throw unconfigured();
      const { conversationId } = bot.bot;
      const id = await connector.post(bot, conversationId, activityOf(message), { signal });
      return { message: id === undefined ? undefined : nameOf(conversationId, id) };
    },
    async update(channel, message, sent, signal) {
      const bot = botChannel(channel);
      // A workflow replaces nothing: what a bot posted before stays as it is.
      if (channel.settings.mode === "WORKFLOW") {
        throw new DeliveryError("the channel has no bot any more that could change the message", { retry: false });
      }
      if (bot === undefined) throw unconfigured();
      // Where it was posted, whatever conversation the channel has now.
      const [conversation = "", id = ""] = sent.split("/").map(decodeURIComponent);
      await connector.replace(bot, conversation, id, activityOf(message), { signal });
    },
    receive: createReceive({ verify, connector, endpoints, now, log }),
  };
}

function activityOf(message: NoticeMessage, decides = true): object {
  return cardActivity(message, noticeCard(message, { decides }));
}

/** What names a message; undefined for one whose name would be too long to be kept, which is not replaced. */
function nameOf(conversation: string, id: string): string | undefined {
  const name = `${encodeURIComponent(conversation)}/${encodeURIComponent(id)}`;
  return name.length <= MAX_NAME ? name : undefined;
}

function unconfigured(): DeliveryError {
  const message = "the channel has not the secret that its mode needs: configure it again";
  return new DeliveryError(message, { retry: true, down: true });
}
