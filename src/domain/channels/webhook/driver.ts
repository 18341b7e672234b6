import { createHmac } from "node:crypto";
import { DeliveryError, type Driver, type NoticeMessage } from "../driver.ts";
import type { Outbound } from "../outbound-request.ts";
import { type WebhookSecrets, type WebhookSettings, webhookSecrets, webhookSettings } from "./settings.ts";

export interface WebhookDriverOptions {
  readonly outbound: Outbound;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Statuses that a receiver may have for one message and not for the next (RFC 9110, section 15), and those of them that it always meets. */
const OF_A_MESSAGE = [400, 409, 413, 422, 500];
const FINAL = [413, 422];

/**
 * Notices to programs: CloudEvents 1.0 in structured JSON mode, signed as Standard Webhooks 1.0 says. They tell, and decide nothing. Every change
 * of an action is an event; `id` is the same when it is sent again.
 */
export function createWebhookDriver({
  outbound,
  now = Date.now,
}: WebhookDriverOptions): Driver<WebhookSettings, WebhookSecrets> {
  return {
    kind: "WEBHOOK",
    settings: webhookSettings,
    secrets: webhookSecrets,
    to: ({ settings }) => new URL(settings.url).host.slice(0, 400),
    async send({ settings, secrets }, message, signal) {
      const id = `${message.noticeId}.${message.version}`;
      const sent = new Date(now());
      const timestamp = Math.floor(sent.getTime() / 1_000);
      const body = JSON.stringify(eventOf(id, message, sent));
      const { status, headers } = await outbound({
        method: "POST",
        url: settings.url,
        headers: {
          "content-type": "application/cloudevents+json; charset=utf-8",
          "webhook-id": id,
          "webhook-timestamp": String(timestamp),
          // One for each secret, so that a receiver can change over.
          "webhook-signature": secrets.signingSecrets
            .map((secret) => signatureOf(secret, id, timestamp, body))
            .join(" "),
        },
        body,
        signal,
      });
      if (status >= 200 && status < 300) return { message: undefined };
      const host = new URL(settings.url).host;
      const wait = Number(headers["retry-after"]);
      const down = !OF_A_MESSAGE.includes(status);
      const advice =
        down && status < 500 && status !== 429 ? ": check the address of the channel and who is let in there" : "";
      throw new DeliveryError(`${host} responded ${status}${advice}`, {
        retry: !FINAL.includes(status),
        down,
        ...(wait > 0 && (status === 429 || status === 503) ? { retryAfter: wait * 1_000 } : {}),
      });
    },
  };
}

/** `v1,` and the HMAC-SHA256 of id, time and body, in base64. */
function signatureOf(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

function eventOf(id: string, message: NoticeMessage, time: Date) {
  const { organization, region, actionId, reference, platform, tool, effect, severity, status, version, digest } =
    message;
  const { deadline, requirements, decisions, content, link } = message;
  return {
    specversion: "1.0",
    id,
    source: new URL(`/organizations/${organization}/${region}`, link).href,
    type: `io.countersign.action.${status.toLowerCase()}`,
    subject: actionId,
    time: time.toISOString(),
    datacontenttype: "application/json",
    data: {
      actionId,
      reference,
      platform,
      tool,
      effect,
      severity,
      status,
      version,
      digest,
      deadline: deadline?.toISOString() ?? null,
      requirements,
      decisions: decisions.map(({ at, ...decision }) => ({ ...decision, at: at.toISOString() })),
      ...(content === undefined ? {} : { rendered: content.rendered }),
      link,
    },
  };
}
