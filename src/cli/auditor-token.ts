import type { Config } from "../config.ts";
import { openDemoTokens } from "./tokens.ts";

/**
 * What a command that reads the ledger over the API signs in with: COUNTERSIGN_TOKEN, or else the demo auditor's token.
 * Throws CommandError where there are no demo tokens.
 */
export async function auditorToken(config: Config): Promise<() => Promise<string>> {
  const { token } = config;
  if (token !== undefined) return async () => token;
  return (await openDemoTokens(config)).keep("auditor");
}
