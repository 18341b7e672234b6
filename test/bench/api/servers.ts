import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { makeDataDir } from "../../support/server.ts";
import { type Measurable, startProcess } from "./server.ts";
import type { Tokens } from "./work.ts";

/** This checkout. */
export const HERE = fileURLToPath(new URL("../../../", import.meta.url));

/** A started product, with the tokens of its demo principals. */
export interface Product extends Measurable {
  readonly tokens: Tokens;
  /** A token of another demo principal. */
  sign(principal: "admin" | "admin2"): Promise<string>;
}

/** Starts the product of a checkout on an empty data folder of its own, which `stop` removes. */
export async function startProduct(
  checkout: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Product> {
  const dataDir = await makeDataDir();
  const from = (file: string) => import(pathToFileURL(path.join(checkout, file)).href) as Promise<never>;
  const started = await startProcess(
    path.join(checkout, "src/cli/main.ts"),
    ["serve", "--port", "0", "--data-dir", dataDir],
    // Empty means unset: the built-in database, whatever this shell is set up for.
    { DATABASE_URL: "", LOG_LEVEL: "warn", NODE_ENV: "development", ...environment },
  );
  const { settings }: typeof import("../../../src/cli/options.ts") = await from("src/cli/options.ts");
  const { openDemoTokens }: typeof import("../../../src/cli/tokens.ts") = await from("src/cli/tokens.ts");
  const demo = await openDemoTokens(settings({ dataDir }));
  return {
    ...started,
    tokens: { agent: await demo.sign("agent"), approver: await demo.sign("approver") },
    sign: (principal) => demo.sign(principal),
    async stop() {
      await started.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
