import { access } from "node:fs/promises";
import type { Config } from "../config.ts";
import type { DemoName } from "../domain/identity/demo-principals.ts";
import { loadIdentityFile } from "../domain/identity/identity-file.ts";
import { loadKeys } from "../domain/identity/keys.ts";
import { createBuiltinIssuer, type DemoTokenOptions } from "../domain/identity/tokens/builtin-issuer.ts";
import { CommandError } from "./exit.ts";

/** Signs tokens of the demo principals with the keys of a data directory, as the server there does. */
export interface DemoTokens {
  sign(as: DemoName, request?: DemoTokenOptions): Promise<string>;
  /** Returns a token that is valid for a while; signs a new one only when needed. */
  keep(as: DemoName): () => Promise<string>;
}

const kept = { ttl: 3_600, renewBefore: 600 };

/** @throws CommandError REFUSED in production or where the identity file names issuers, USAGE when the data directory has no keys yet. */
export async function openDemoTokens(config: Config): Promise<DemoTokens> {
  if (config.production) {
    throw new CommandError("REFUSED", "there are no demo tokens in production: get one from your identity provider");
  }
  if (config.identityFile !== undefined && (await loadIdentityFile(config.identityFile)).issuers.length > 0) {
    throw new CommandError(
      "REFUSED",
      `the server accepts only tokens of the issuers in ${config.identityFile}, no demo tokens`,
    );
  }
  try {
    await access(config.signingKeyFile);
  } catch (cause) {
    const message = `no keys at ${config.signingKeyFile}: start the server first, or set DATA_DIR to that of the server`;
    throw new CommandError("USAGE", message, { cause });
  }
  const issuer = createBuiltinIssuer({ keys: await loadKeys(config.signingKeyFile), audience: "countersign" });
  const sign = (as: DemoName, request: DemoTokenOptions = {}) => issuer.sign(as, request);
  return {
    sign,
    keep(as) {
      let token: Promise<string> | undefined;
      let renewAt = 0;
      return () => {
        const now = Date.now() / 1_000;
        if (token === undefined || now >= renewAt) {
          token = sign(as, { ttl: kept.ttl });
          renewAt = now + kept.ttl - kept.renewBefore;
        }
        return token;
      };
    },
  };
}
