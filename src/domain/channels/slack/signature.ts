import { createHmac, timingSafeEqual } from "node:crypto";

/** Seconds by which a request may be older or newer than this server's clock. */
const WINDOW = 300;
const SIGNATURE = /^v0=([0-9a-f]{64})$/;
/** Seconds since 1970 in decimal digits and nothing else. */
const TIMESTAMP = /^[1-9]\d{8,10}$/;

export interface SignedRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/**
 * Why a request is not one of Slack's; undefined: it is. The signature is over the body as it came
 * (https://docs.slack.dev/authentication/verifying-requests-from-slack). `now`: milliseconds since 1970.
 */
export function signatureProblem({ headers, body }: SignedRequest, secret: string, now: number): string | undefined {
  const [, signature] = SIGNATURE.exec(headers["x-slack-signature"] ?? "") ?? [];
  const timestamp = headers["x-slack-request-timestamp"] ?? "";
  if (signature === undefined) return "it has no signature of version v0";
  if (!TIMESTAMP.test(timestamp)) return "its time is no whole number of seconds";
  const expected = createHmac("sha256", secret).update(`v0:${timestamp}:`).update(body).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, "hex"))) return "its signature is of another secret or body";
  const age = now / 1_000 - Number(timestamp);
  if (age > WINDOW) return `it is more than ${WINDOW} s old`;
  return -age > WINDOW ? `it is from more than ${WINDOW} s ahead` : undefined;
}
