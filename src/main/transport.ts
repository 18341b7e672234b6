import type { Config } from "../config.ts";
import type { IdentitySettings } from "../domain/identity/identity-file.ts";
import { isLoopback } from "../domain/identity/secure-url.ts";
import { ConfigurationError } from "../errors.ts";
import { type Certificate, readCertificate } from "../http/certificate.ts";

/**
 * The certificate of the server; undefined: plain HTTP, which tokens may travel over within this machine, and from a proxy that
 * the operator named. Throws ConfigurationError.
 */
export async function readTransport(
  { host, tls }: Pick<Config, "host" | "tls">,
  { trustedProxies }: Pick<IdentitySettings, "trustedProxies">,
): Promise<Certificate | undefined> {
  if (tls !== undefined) return readCertificate(tls);
  if (isLoopback(host) || trustedProxies.length > 0) return undefined;
  throw new ConfigurationError(
    `HOST is ${host}, and over plain HTTP everybody on the way could read tokens: set TLS_CERT_FILE and TLS_KEY_FILE, or name ` +
      "the proxies that use TLS in trustedProxies of IDENTITY_FILE",
  );
}
