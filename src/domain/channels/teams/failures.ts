import { DeliveryError } from "../driver.ts";
import type { OutboundResponse } from "../outbound-request.ts";

/** Milliseconds: longer than that nobody is left alone, whatever is asked for. */
const MAX_WAIT = 3_600_000;
/** What a later attempt can change: not having been in time, too many requests, and the service itself. */
const PASSING = [401, 408, 412, 425, 429];

/** What concerns everything that is sent there: other failures may be those of one message. */
const WHOLE = [401, 429, 502, 503, 504];

/** The error for a response that is no success. `what` reads on as "was refused". */
export function failure(what: string, { status, headers }: OutboundResponse, now: number): DeliveryError {
  const retry = PASSING.includes(status) || status >= 500;
  const message = retry
    ? `${what} was refused for now, with status ${status}`
    : `${what} was refused with status ${status}: check what the channel is configured with`;
  const retryAfter = retry ? waitOf(headers["retry-after"], now) : undefined;
  return new DeliveryError(message, {
    retry,
    down: WHOLE.includes(status),
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

/** Milliseconds of a Retry-After (RFC 9110, section 10.2.3): seconds or a date. */
function waitOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(header);
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : isDate ? Date.parse(header) - now : Number.NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MAX_WAIT);
}
