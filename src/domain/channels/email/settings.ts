import { z } from "zod";
import { isAddress } from "../../identity/addresses.ts";
import { isLoopback } from "../../identity/secure-url.ts";

/** Anything that could begin another header, or another command of SMTP. */
const CONTROL = /\p{Cc}/u;
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]{2,45})$/i;

const address = z
  .string()
  .max(254)
  .refine((text) => !CONTROL.test(text) && isAddress(text), "has to be an e-mail address, such as ops@acme.example");

export const emailSettings = z
  .strictObject({
    from: address,
    to: z.array(address).min(1).max(20),
    host: z.string().regex(HOST, "has to be a host name or an IP address, without a port"),
    port: z.int().min(1).max(65_535),
    security: z.enum(["TLS", "STARTTLS", "NONE"]),
  })
  .refine(({ security, host }) => security !== "NONE" || isLoopback(host), {
    path: ["security"],
    message: "can be NONE only for a server on this machine",
  });
export type EmailSettings = z.infer<typeof emailSettings>;

export const emailSecrets = z.strictObject({
  user: z.string().min(1).max(400).optional(),
  password: z.string().min(1).max(4_000).optional(),
});
export type EmailSecrets = z.infer<typeof emailSecrets>;
