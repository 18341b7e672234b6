import path from "node:path";
import { InvalidArgumentError } from "commander";
import { type CheckedConfig, type Config, checkConfig, loadConfig } from "../config.ts";
import { isLedgerId, type LedgerId } from "../facts/entry.ts";
import { originOf } from "../http/origin.ts";

/** Parsers of option values, and the settings every command starts from. */

export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`It has to be a whole number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** A ledger position stays a string: it may be beyond what a number holds. */
export function parsePosition(text: string): string {
  if (!/^[1-9]\d{0,18}$/.test(text)) throw new InvalidArgumentError("It has to be a ledger position: 1 or more.");
  return text;
}

export function endpoint(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError("It has to be an http or https address, such as http://127.0.0.1:4000/graphql.");
  }
  return url.href;
}

export interface ServerOptions {
  readonly port?: number;
  readonly host?: string;
  readonly dataDir?: string;
  readonly catalog?: string;
}

/** The settings of the environment, overridden by those of the command line. */
export function settings(options: ServerOptions = {}): Config {
  return loadConfig(undefined, overridesOf(options));
}

/** The same with the default of each setting that is bad, and what is wrong. */
export function checkedSettings(options: ServerOptions): CheckedConfig {
  return checkConfig(undefined, overridesOf(options));
}

function overridesOf(options: ServerOptions): Partial<Config> {
  const overrides: { -readonly [Key in keyof Config]?: Config[Key] } = {};
  if (options.port !== undefined) overrides.port = options.port;
  if (options.host !== undefined) overrides.host = options.host;
  if (options.dataDir !== undefined) overrides.dataDir = path.resolve(options.dataDir);
  if (options.catalog !== undefined) overrides.catalog = path.resolve(options.catalog);
  return overrides;
}

/** Where a server with these settings listens. */
export function defaultEndpoint({ host, port, tls }: Config): string {
  return `${originOf({ host, port, secure: tls !== undefined })}/graphql`;
}

export function ledgerId(text: string): LedgerId {
  if (!isLedgerId(text)) throw new InvalidArgumentError("It has to be <organization>/<region>, such as acme/eu.");
  return text;
}
