import { z } from "zod";
import { isSecureUrl } from "../../identity/secure-url.ts";

/** A secret as Standard Webhooks writes it: `whsec_`, and 24 to 64 bytes in base64. */
const SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;

export const webhookSettings = z.strictObject({
  url: z
    .string()
    .max(2_000)
    .refine(isSecureUrl, "has to be an https address without user and password, such as https://hooks.acme.example/a"),
});
export type WebhookSettings = z.infer<typeof webhookSettings>;

export const webhookSecrets = z.strictObject({
  signingSecrets: z
    .array(
      z.string().refine((text) => {
        const length = Buffer.from(SECRET.exec(text)?.[1] ?? "", "base64").length;
        return length >= 24 && length <= 64;
      }, "has to be whsec_ and 24 to 64 random bytes in base64"),
    )
    .min(1)
    .max(4),
});
export type WebhookSecrets = z.infer<typeof webhookSecrets>;
