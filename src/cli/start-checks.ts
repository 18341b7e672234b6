import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import type { Config } from "../config.ts";
import { ConfigurationError } from "../errors.ts";

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}

/** An address to listen on, and the settings it comes from. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly hostSetting: string;
  readonly portSetting: string;
}

/** Why listening there failed, with the setting to change; undefined for other codes. */
function reasonFor(code: string, { host, port, hostSetting, portSetting }: Place): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use, perhaps by another Countersign: stop that, or set ${portSetting} to another port (0 for any free one)`;
    case "EACCES":
      return `port ${port} of ${host} needs more privileges (EACCES): set ${portSetting} to 1024 or more`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is not an address of this machine (${code}): set ${hostSetting} to one of its addresses`;
    default:
      return undefined;
  }
}

/**
 * Proves, before anything is made or migrated, that the server will be able to listen. Throws ConfigurationError naming HOST,
 * PORT, METRICS_HOST or METRICS_PORT.
 */
export async function assertListenable(
  config: Pick<Config, "host" | "port" | "metricsHost" | "metricsPort">,
): Promise<void> {
  const { host, port, metricsHost, metricsPort } = config;
  assertDifferentPorts(config);
  await tryListening({ host, port, hostSetting: "HOST", portSetting: "PORT" });
  if (metricsPort === undefined) return;
  await tryListening({
    host: metricsHost,
    port: metricsPort,
    hostSetting: "METRICS_HOST",
    portSetting: "METRICS_PORT",
  });
}

/** Throws ConfigurationError naming METRICS_PORT. */
export function assertDifferentPorts({ port, metricsPort }: Pick<Config, "port" | "metricsPort">): void {
  if (metricsPort !== undefined && metricsPort !== 0 && metricsPort === port) {
    throw new ConfigurationError("METRICS_PORT has to differ from PORT");
  }
}

async function tryListening(place: Place): Promise<void> {
  const { host, port } = place;
  const trial = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      trial.once("error", reject);
      trial.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    const reason = reasonFor(codeOf(error), place);
    throw reason === undefined ? error : new ConfigurationError(reason, error);
  }
  await new Promise<void>((resolve) => trial.close(() => resolve()));
}

/** Like mkdir -p. Node's own recursive one never returns where a folder refuses to hold another, as in /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) === "EEXIST" && (await stat(folder)).isDirectory()) return;
    const parent = path.dirname(folder);
    if (codeOf(error) !== "ENOENT" || parent === folder || (await exists(parent))) throw error;
    await makeFolder(parent);
    await mkdir(folder);
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}

async function prepareFolder(folder: string, setting: string): Promise<void> {
  const remedy = `set ${setting} to a place that this user can write to`;
  try {
    await makeFolder(folder);
  } catch (error) {
    throw new ConfigurationError(`the folder ${folder} cannot be created (${codeOf(error)}): ${remedy}`, error);
  }
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigurationError(`the folder ${folder} cannot be written to (${codeOf(error)}): ${remedy}`, error);
  }
}

/**
 * Proves, without making it, that `folder` is there or can be made, and can be written to. Throws ConfigurationError naming
 * `setting`.
 */
export async function assertFolder(folder: string, setting: string): Promise<void> {
  const parent = path.dirname(folder);
  try {
    if (!(await stat(folder)).isDirectory()) throw new ConfigurationError(`${folder} is no folder: correct ${setting}`);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    if (codeOf(error) === "ENOENT" && parent !== folder) return assertFolder(parent, setting);
    const remedy = `set ${setting} to a place that this user can write to`;
    throw new ConfigurationError(`the folder ${folder} cannot be written to (${codeOf(error)}): ${remedy}`, error);
  }
}

/** Makes the folders of data and keys. Throws ConfigurationError naming the setting when one cannot be made or written to. */
export async function makeFolders({
  dataDir,
  signingKeyFile,
}: Pick<Config, "dataDir" | "signingKeyFile">): Promise<void> {
  await prepareFolder(dataDir, "DATA_DIR");
  const folder = path.dirname(path.resolve(signingKeyFile));
  // Keys that are not there yet will be made.
  if (folder !== dataDir && !(await exists(signingKeyFile))) await prepareFolder(folder, "SIGNING_KEY_FILE");
}
