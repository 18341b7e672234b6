import { LRUCache } from "lru-cache";
import { z } from "zod";
import { parseJson } from "../../../facts/parse-json.ts";
import { DeliveryError } from "../driver.ts";
import type { Outbound } from "../outbound-request.ts";
import { failure } from "./failures.ts";
import type { BotChannel, TeamsEndpoints } from "./settings.ts";

/** Milliseconds before it ends at which a token is not used any more. */
const MARGIN = 5 * 60_000;
/** Errors of RFC 6749, section 5.2, that last until somebody changes the registration or the channel: every message waits for that. */
const LASTING = ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"];

const tokenSchema = z.object({
  token_type: z.string().regex(/^bearer$/i),
  access_token: z
    .string()
    .regex(/^[\w.~+/-]+=*$/)
    .max(12_000),
  expires_in: z.number().positive(),
});
const errorSchema = z.object({ error: z.string().max(100) });

export interface BotTokensOptions {
  readonly outbound: Outbound;
  readonly endpoints: TeamsEndpoints;
  readonly now: () => number;
}

/** The tokens that bots call the connector service with. */
export interface BotTokens {
  /** Callers at once share a request. Throws DeliveryError. */
  get(channel: BotChannel): Promise<string>;
  /** Forgets `token`, which was refused. */
  forget(channel: BotChannel, token: string): void;
}

/** Gets tokens by client credentials (RFC 6749, section 4.4), and keeps each until shortly before it ends. */
export function createBotTokens({ outbound, endpoints, now }: BotTokensOptions): BotTokens {
  interface Given {
    readonly token: string;
    /** Milliseconds since the epoch. */
    readonly until: number;
  }
  const held = new LRUCache<string, Given>({ max: 10_000 });
  const asked = new Map<string, Promise<Given>>();

  async function request({ bot }: BotChannel): Promise<Given> {
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: bot.appId,
      client_secret: bot.appPassword,
      scope: `${endpoints.tokenIssuer}/.default`,
    });
    const response = await outbound({
      method: "POST",
      url: `${endpoints.loginUrl}/${bot.tenantId}/oauth2/v2.0/token`,
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body: form.toString(),
    });
    if (response.status !== 200) {
      const error = errorSchema.safeParse(json(response.body)).data?.error;
      if (error !== undefined && LASTING.includes(error)) {
        const message = `Microsoft gives the bot no token (${error}): check the app id, the tenant and the secret`;
        throw new DeliveryError(message, { retry: true, down: true });
      }
      throw unavailable(failure("the token of the bot", response, now()));
    }
    const token = tokenSchema.safeParse(json(response.body)).data;
    if (token === undefined) {
      throw unavailable(new DeliveryError("Microsoft's response has no token for the bot", { retry: true }));
    }
    const lifetime = token.expires_in * 1_000;
    return { token: token.access_token, until: now() + lifetime - Math.min(MARGIN, lifetime / 2) };
  }

  async function ask(key: string, channel: BotChannel): Promise<Given> {
    try {
      const given = await request(channel);
      held.set(key, given);
      return given;
    } finally {
      asked.delete(key);
    }
  }

  return {
    async get(channel) {
      const key = keyOf(channel);
      const known = held.get(key);
      if (known !== undefined && now() < known.until) return known.token;
      const asking = asked.get(key) ?? ask(key, channel);
      asked.set(key, asking);
      return (await asking).token;
    },
    forget(channel, token) {
      const key = keyOf(channel);
      if (held.get(key)?.token === token) held.delete(key);
    },
  };
}

/** Without a token nothing can be sent, whatever it is about. */
function unavailable({ message, retry, retryAfter }: DeliveryError): DeliveryError {
  return new DeliveryError(message, { retry, down: retry, ...(retryAfter !== undefined && { retryAfter }) });
}

/** A channel that was configured anew may have another secret. */
function keyOf({ organization, name, configuredAt }: BotChannel): string {
  return JSON.stringify([organization, name, String(configuredAt)]);
}

function json(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
