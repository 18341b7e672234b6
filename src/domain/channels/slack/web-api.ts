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
    const down = OF_THE_PLACE.has(code) || OF_THE_APP.has(code);
    super(`Slack refused ${method}: ${code}`, { retry, down, ...(retryAfter === undefined ? {} : { retryAfter }) });
    this.code = code;
  }
}

/**
 * Errors of one message, which it will always meet. Any other error passes, or ends when an administrator invites the app, or gives the channel a
 * token that is good.
 */
const FINAL: ReadonlySet<string> = new Set([
  "attachment_payload_limit_exceeded",
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
  "too_many_attachments",
]);

/** Errors that every message to the same place meets, until somebody lets the app in there, or the channel is configured otherwise. */
const OF_THE_PLACE: ReadonlySet<string> = new Set([
  "access_denied",
  "channel_not_found",
  "is_archived",
  "messages_tab_disabled",
  "no_permission",
  "not_in_channel",
  "restricted_action",
  "restricted_action_non_threadable_channel",
  "restricted_action_read_only_channel",
  "restricted_action_thread_only_channel",
  "team_access_not_granted",
  "team_not_found",
]);

/** Errors that everything meets that the app does, until Slack is well again, or an administrator does something about it. */
const OF_THE_APP: ReadonlySet<string> = new Set([
  "accesslimited",
  "account_inactive",
  "deprecated_endpoint",
  "ekm_access_denied",
  "enterprise_is_restricted",
  "invalid_auth",
  "is_bot",
  "message_limit_exceeded",
  "method_deprecated",
  "missing_scope",
  "not_allowed_token_type",
  "not_authed",
  "org_login_required",
  "rate_limited",
  "ratelimited",
  "request_timeout",
  "service_unavailable",
  "team_added_to_org",
  "token_expired",
  "token_revoked",
  "two_factor_setup_required",
]);

/** Whether `error` says that the app is not, or may not do so, where a message is. */
export function isOfThePlace(error: unknown): error is SlackError {
  return error instanceof SlackError && OF_THE_PLACE.has(error.code);
}

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
      const isTooLarge = status === 413;
      const options = { retry: !isTooLarge, down: !isTooLarge };
      throw new DeliveryError(`Slack responded to ${method} with status ${status}`, options);
    }
    const parsed = answer.safeParse(jsonOf(response.body));
    if (!parsed.success) {
      const message = `Slack responded to ${method} with something else`;
      throw new DeliveryError(message, { retry: true, down: true });
    }
    if (parsed.data.ok) return parsed.data;
    const { error = "" } = parsed.data;
    throw new SlackError(method, /^[\w.:-]{1,100}$/.test(error) ? error : "unknown_error", retryAfterOf(response));
  };
}
