import { DeliveryError } from "../driver.ts";
import type { OutboundResponse } from "../outbound-request.ts";

/** Milliseconds: longer than that nobody is left alone, whatever is asked for. */
const MAX_WAIT = 3_600_000;
/** Statuses that are about one message, and those of them that a later attempt can change. */
const OF_A_MESSAGE = [400, 409, 412, 413, 422, 500];
const PASSING = [409, 412, 500];

/**
 * The error for a response that is no success. `what` reads on as "was refused". `final`: statuses that say so of this message alone, and for good;
 * those that any message would have met are held against the channel.
 */
export function failure(
  what: string,
  { status, headers }: OutboundResponse,
  now: number,
  final: readonly number[] = [],
): DeliveryError {
  const down = !final.includes(status) && !OF_A_MESSAGE.includes(status);
  const retry = down || PASSING.includes(status);
  const isService = status === 429 || status >= 500;
  const message =
    retry && isService
      ? `${what} was refused for now, with status ${status}`
      : `${what} was refused with status ${status}: check what the channel is configured with`;
  const retryAfter = retry ? waitOf(headers["retry-after"], now) : undefined;
  return new DeliveryError(message, { retry, down, ...(retryAfter !== undefined && { retryAfter }) });
}

/** Milliseconds of a Retry-After (RFC 9110, section 10.2.3): seconds or a date. */
function waitOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(header);
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : isDate ? Date.parse(header) - now : Number.NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MAX_WAIT);
}
