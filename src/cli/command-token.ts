import type { Config } from "../config.ts";
import type { DemoName } from "../domain/identity/demo-principals.ts";
import { openDemoTokens } from "./tokens.ts";

/**
 * What a command that calls the API signs in with: COUNTERSIGN_TOKEN, or else a token of the demo principal `as`. Throws CommandError
 * where there are no demo tokens.
 */
export async function commandToken(config: Config, as: DemoName): Promise<() => Promise<string>> {
  const { token } = config;
  if (token !== undefined) return async () => token;
  return (await openDemoTokens(config)).keep(as);
}
