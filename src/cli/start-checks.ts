import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import type { Config } from "../config.ts";
import { ConfigurationError } from "../errors.ts";

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}

/** What listening at `host` and `port` fails with, in words that name the setting; undefined for codes nobody can act on. */
function reasonFor(code: string, { host, port }: Pick<Config, "host" | "port">): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use, perhaps by another Countersign: stop that, or set PORT to another port (0 for any free one)`;
    case "EACCES":
      return `port ${port} of ${host} is not for this user (EACCES): set PORT to 1024 or more`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is no address of this machine (${code}): set HOST to one that is`;
    default:
      return undefined;
  }
}

/**
 * Proves, before anything is made or migrated, that the server will be able to listen. Throws ConfigurationError naming HOST
 * or PORT.
 */
export async function assertListenable({ host, port }: Pick<Config, "host" | "port">): Promise<void> {
  const trial = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      trial.once("error", reject);
      trial.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    const reason = reasonFor(codeOf(error), { host, port });
    throw reason === undefined ? error : new ConfigurationError(reason, error);
  }
  await new Promise<void>((resolve) => trial.close(() => resolve()));
}

/** Makes the data directory. Throws ConfigurationError naming DATA_DIR when that, or writing into it, does not work. */
export async function makeDataDir({ dataDir }: Pick<Config, "dataDir">): Promise<void> {
  const where = "set DATA_DIR to a folder that this user may write to";
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (error) {
    throw new ConfigurationError(`the folder ${dataDir} cannot be made (${codeOf(error)}): ${where}`, error);
  }
  try {
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigurationError(`the folder ${dataDir} may not be written to (${codeOf(error)}): ${where}`, error);
  }
}
