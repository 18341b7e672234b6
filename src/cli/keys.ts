import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { factJwks, parseFactKeys } from "../domain/identity/fact-keys.ts";
import { loadKeys, rotateFactKey } from "../domain/identity/keys.ts";
import type { FactKey } from "../facts/signature.ts";
import { readJsonFile } from "../json-file.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { settings, wholeNumber } from "./options.ts";

interface KeysOptions {
  readonly dataDir?: string;
}

interface RotateOptions extends KeysOptions {
  readonly grace: number;
}

/** Seconds for which a key that was replaced may still be in use somewhere. */
const GRACE = 3_600;
const MAX_GRACE = 7 * 86_400;

/** The key file of an installation. Throws CommandError USAGE where there is none: these commands never make one. */
export async function keyFile({ dataDir }: KeysOptions): Promise<string> {
  const file = settings(dataDir === undefined ? {} : { dataDir }).signingKeyFile;
  try {
    await stat(file);
  } catch (cause) {
    const message = `no keys at ${file}: start the server first, or set DATA_DIR or SIGNING_KEY_FILE to that of the server`;
    throw new CommandError("USAGE", message, { cause });
  }
  return file;
}

/** The keys in `keys`, a file that `export` printed, or else those of the installation. */
export async function keysToVerifyWith(options: KeysOptions & { readonly keys?: string }): Promise<readonly FactKey[]> {
  const { keys: file } = options;
  if (file === undefined) return (await loadKeys(await keyFile(options))).facts.published;
  try {
    const { value } = await readJsonFile({ file, what: "file of public keys", setting: "--keys" });
    return await parseFactKeys(value);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new CommandError("USAGE", `${file} ${cause.message}: print it with \`countersign keys export\``, { cause });
  }
}

async function exportKeys(options: KeysOptions): Promise<void> {
  const { facts } = await loadKeys(await keyFile(options));
  process.stdout.write(`${JSON.stringify(factJwks(facts.published), null, 2)}\n`);
}

async function rotate(options: RotateOptions): Promise<void> {
  const file = await keyFile(options);
  const { uid } = await stat(file);
  if (process.getuid !== undefined && process.getuid() !== uid) {
    const message = `${file} belongs to another user, who could not read the new one: run this as the user of the server`;
    throw new CommandError("USAGE", message);
  }
  const [now, before] = await rotateFactKey(file, options.grace);
  const until = new Date((before.exp ?? 0) * 1_000).toISOString();
  process.stdout.write(
    `facts are signed with ${now.kid}; ${before.kid} is valid for what is recorded until ${until}\n`,
  );
}

export function defineKeys(program: Command): void {
  const keys = program
    .command("keys")
    .summary("export or rotate the keys that sign facts")
    .description(
      "Facts that can permit something are signed with a key in the key file (SIGNING_KEY_FILE, or keys.json in DATA_DIR), which " +
        "is not in the database.",
    )
    .addHelpText("after", "\nExamples:\n  countersign keys export > keys.jwks\n  countersign keys rotate");
  keys
    .command("export")
    .summary("print the public keys that verify facts")
    .description("Prints a JWK set (RFC 7517) of all public keys that verify facts, those that were retired included.")
    .option("--data-dir <directory>", "data directory of the server (default: DATA_DIR, then .data)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign keys export > keys.jwks\n  countersign verify --database-url --keys keys.jwks",
    )
    .addHelpText("after", exitCodesHelp({ OK: true, FAILED: true, USAGE: true }))
    .action(exportKeys);
  keys
    .command("rotate")
    .summary("sign facts with a new key from now on")
    .description(
      "Makes a new key. Of the old one only the public half is kept: it stays valid for what is recorded until the end of the " +
        "grace. Servers that share the key file use the new key within a few seconds, without a restart. A server with its own " +
        "copy of the file needs the new one at once: without it, it refuses what the others sign, and what it signs itself is " +
        "invalid after the grace. Export the public keys again for whoever verifies with them.",
    )
    .option("--data-dir <directory>", "data directory of the server (default: DATA_DIR, then .data)")
    .option(
      "--grace <seconds>",
      "how long the old key is still valid; 0 if somebody else has it, with every server stopped",
      wholeNumber(0, MAX_GRACE),
      GRACE,
    )
    .addHelpText("after", "\nExamples:\n  countersign keys rotate\n  countersign keys rotate --grace 86400")
    .addHelpText("after", exitCodesHelp({ OK: true, FAILED: true, USAGE: true }))
    .action(rotate);
}
