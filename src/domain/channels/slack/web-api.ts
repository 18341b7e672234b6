import { z } from "zod";
import { DeliveryError } from "../driver.ts";
import type { Outbound, OutboundResponse } from "../outbound-request.ts";
import { jsonOf } from "./json.ts";

/** Slack's Web API (https://docs.slack.dev/apis/web-api/), called with JSON and a bearer token. */

/** Slack refused a call. */
export class SlackError extends DeliveryError {
  /** Slack's own name of the error. */
  readonly code: string;
  constructor(method: string, code: string, retryAfter?: number) {
    const retry = !FINAL.has(code);
    const down = OF_THE_CHANNEL.has(code);
    super(`Slack refused ${method}: ${code}`, { retry, down, ...(retryAfter === undefined ? {} : { retryAfter }) });
    this.code = code;
  }
}

/**
 * Errors of one message, which it will always meet. Any other error passes, or ends when an administrator invites the app, or gives the channel a
 * token that is good.
 */
const FINAL: ReadonlySet<string> = new Set([
  "block_mismatch",
  "cant_update_message",
  "edit_window_closed",
  "invalid_arguments",
  "invalid_blocks",
  "invalid_blocks_format",
  "invalid_metadata_format",
  "invalid_metadata_schema",
  "message_not_found",
  "metadata_too_large",
  "msg_blocks_too_long",
  "msg_too_long",
  "no_text",
]);

/** Errors that every message to the channel meets, until Slack is well again, or an administrator does something about it. */
const OF_THE_CHANNEL: ReadonlySet<string> = new Set([
  "access_denied",
  "account_inactive",
  "channel_not_found",
  "ekm_access_denied",
  "invalid_auth",
  "is_archived",
  "missing_scope",
  "no_permission",
  "not_allowed_token_type",
  "not_authed",
  "not_in_channel",
  "org_login_required",
  "ratelimited",
  "restricted_action",
  "service_unavailable",
  "team_access_not_granted",
  "team_added_to_org",
  "token_expired",
  "token_revoked",
]);

const answer = z.looseObject({ ok: z.boolean(), error: z.string().optional() });
export type SlackAnswer = z.infer<typeof answer>;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly timeout?: number;
}

export type SlackApi = (method: string, token: string, body: object, options?: CallOptions) => Promise<SlackAnswer>;

/** Seconds. */
const LONGEST_WAIT = 3_600;

/** Milliseconds that the other side asked to be left alone. */
function retryAfterOf({ headers }: OutboundResponse): number | undefined {
  const seconds = /^\d{1,6}$/.exec(headers["retry-after"] ?? "")?.[0];
  return seconds === undefined ? undefined : Math.min(Number(seconds), LONGEST_WAIT) * 1_000;
}

/** `apiUrl`: without a slash at its end. What it returns throws DeliveryError; SlackError where Slack itself refused. */
export function createSlackApi({
  outbound,
  apiUrl,
}: {
  readonly outbound: Outbound;
  readonly apiUrl: string;
}): SlackApi {
  return async (method, token, body, { signal, timeout } = {}) => {
    const response = await outbound({
      method: "POST",
      url: `${apiUrl}/${method}`,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
      ...(timeout === undefined ? {} : { timeout }),
    });
    const { status } = response;
    if (status === 429) throw new SlackError(method, "ratelimited", retryAfterOf(response));
    if (status !== 200) {
      throw new DeliveryError(`Slack responded to ${method} with status ${status}`, { retry: true, down: true });
    }
    const parsed = answer.safeParse(jsonOf(response.body));
    if (!parsed.success) throw new DeliveryError(`Slack responded to ${method} with something else`, { retry: true });
    if (parsed.data.ok) return parsed.data;
    const { error = "" } = parsed.data;
    throw new SlackError(method, /^[\w.:-]{1,100}$/.test(error) ? error : "unknown_error", retryAfterOf(response));
  };
}
