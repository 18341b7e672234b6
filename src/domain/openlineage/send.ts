import { setTimeout as sleep } from "node:timers/promises";
import { asError } from "../../errors.ts";
import type { Outbound } from "../channels/outbound-request.ts";
import type { Target } from "./targets.ts";

/** How long is waited, in milliseconds. */
export interface Pauses {
  /** After the first attempt in vain; twice as long after each further one, up to `longest`. */
  readonly first: number;
  readonly longest: number;
  /** For a response. */
  readonly response: number;
}

/** What happens while an event is sent. */
export interface Attempts {
  /** One was in vain; the first of several in a row is `isFirst`. */
  failed(problem: string, isFirst: boolean): void;
  /** One was accepted after some in vain. */
  recovered(): void;
}

/** Statuses by which a receiver refuses one event and may take the next (RFC 9110, section 15.5). */
const OF_AN_EVENT = [400, 409, 413, 422];
/** How often one is sent that is refused so. */
const MAX_REFUSALS = 5;
/** Milliseconds that a receiver may ask for at most. */
const MAX_ASKED = 3_600_000;

/**
 * Sends `event`, again and again until it is accepted: ACCEPTED. REFUSED: the receiver refused it itself, several times. Resolves with
 * STOPPED when `signal` aborts.
 */
export async function sendEvent(
  { outbound, pauses, target }: { readonly outbound: Outbound; readonly pauses: Pauses; readonly target: Target },
  event: string,
  attempts: Attempts,
  signal: AbortSignal,
): Promise<"ACCEPTED" | "REFUSED" | "STOPPED"> {
  let refusals = 0;
  for (let failures = 0; !signal.aborted; ) {
    const outcome = await attempt(outbound, target, event, pauses.response, signal);
    if (outcome === undefined) {
      if (failures > 0) attempts.recovered();
      return "ACCEPTED";
    }
    if (signal.aborted) break;
    attempts.failed(outcome.problem, failures === 0);
    failures += 1;
    if (outcome.isRefused) refusals += 1;
    if (refusals === MAX_REFUSALS) return "REFUSED";
    const own = Math.min(pauses.first * 2 ** Math.min(failures - 1, 20), pauses.longest);
    await sleep(Math.max(own, Math.min(outcome.asked, MAX_ASKED)), undefined, { signal, ref: false }).catch(
      () => undefined,
    );
  }
  return "STOPPED";
}

interface Failure {
  readonly problem: string;
  readonly isRefused: boolean;
  /** Milliseconds for which the receiver asked to be left alone. */
  readonly asked: number;
}

/** undefined: it was accepted. */
async function attempt(
  outbound: Outbound,
  { url, headers }: Target,
  body: string,
  timeout: number,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  try {
    const sent = { ...headers, "content-type": "application/json" };
    const response = await outbound({ method: "POST", url, headers: sent, body, timeout, signal });
    const { status } = response;
    if (status >= 200 && status < 300) return undefined;
    const asked = Number(response.headers["retry-after"]) * 1_000;
    return {
      problem: `${new URL(url).host} responded ${status}`,
      isRefused: OF_AN_EVENT.includes(status),
      asked: asked > 0 && (status === 429 || status === 503) ? asked : 0,
    };
  } catch (error) {
    return { problem: asError(error).message, isRefused: false, asked: 0 };
  }
}
