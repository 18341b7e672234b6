import { access } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import type { Config } from "../config.ts";
import { loadKeys } from "../domain/identity/keys.ts";
import { loadTargets } from "../domain/openlineage/targets.ts";
import { loadCatalog } from "../domain/policy/catalog.ts";
import { ConfigurationError } from "../errors.ts";
import { loadGuardExceptions } from "../ledger/verify.ts";
import { readIdentitySettings } from "../main/identity.ts";
import { readTransport } from "../main/transport.ts";
import { effectiveSettings } from "./effective-settings.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { checkedSettings, type ServerOptions } from "./options.ts";
import { assertDifferentPorts, assertFolder } from "./start-checks.ts";

/** The file exists: `loadKeys` would make one. What cannot be looked at is read, which says why. */
async function existingKeys(file: string): Promise<unknown> {
  try {
    await access(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  }
  return loadKeys(file);
}

/** Files of the root certificates that the addresses of the databases name. */
async function readRootCertificates({ databaseUrl, migrationDatabaseUrl, otherRegions }: Config): Promise<void> {
  const named: (readonly [setting: string, url: string | undefined])[] = [
    ["DATABASE_URL", databaseUrl],
    ["MIGRATION_DATABASE_URL", migrationDatabaseUrl],
    ...otherRegions.map((region) => ["REGIONS", region.databaseUrl] as const),
    ...otherRegions.map((region) => ["MIGRATION_REGIONS", region.migrationDatabaseUrl] as const),
  ];
  for (const [setting, url] of named) {
    const file = url === undefined ? null : new URL(url).searchParams.get("sslrootcert");
    if (file === null) continue;
    await access(file).catch((cause: unknown) => {
      throw new ConfigurationError(
        `the file ${file} of sslrootcert in ${setting} cannot be read: correct ${setting}`,
        cause,
      );
    });
  }
}

/** What a server with `config` could not run on, in what it reads at its start. Makes nothing and connects to nothing. */
async function problemsOf(config: Config): Promise<readonly string[]> {
  const identity = readIdentitySettings(config);
  const results = await Promise.allSettled([
    loadCatalog(config.catalog),
    identity,
    // With an identity file that cannot be read, nobody knows whether a proxy is trusted.
    identity.then(
      (settings) => readTransport(config, settings),
      () => undefined,
    ),
    loadGuardExceptions(config.guardExceptions),
    loadTargets(config.openLineageFile),
    existingKeys(config.signingKeyFile),
    readRootCertificates(config),
    assertFolder(config.dataDir, "DATA_DIR"),
    assertFolder(path.dirname(path.resolve(config.signingKeyFile)), "SIGNING_KEY_FILE"),
    (async () => assertDifferentPorts(config))(),
  ]);
  const problems = results.flatMap((result) => {
    if (result.status === "fulfilled") return [];
    if (result.reason instanceof ConfigurationError) return result.reason.problems;
    throw result.reason;
  });
  return [...new Set(problems)];
}

async function check(options: ServerOptions): Promise<void> {
  const { config, problems: bad } = checkedSettings(options);
  const problems = [...bad, ...(await problemsOf(config))];
  if (problems.length > 0) {
    process.stdout.write(`${problems.join("\n")}\n`);
    throw new CommandError("USAGE", `a server with these settings could not start (problems: ${problems.length})`);
  }
  const lines = Object.entries(effectiveSettings(config)).map(([name, value]) => `${name}=${value}\n`);
  process.stdout.write(lines.join(""));
}

export function defineCheck(program: Command): void {
  program
    .command("check")
    .summary("validate settings and files without starting anything")
    .description(
      "Reads all settings and the files they name (catalog, identity file, certificate, keys, guard exceptions, targets of OpenLineage) as a server does at " +
        "its start, and prints each problem on a line, with its variable, or its file, line and column. Without a problem it prints the " +
        "settings that a server would run with, without passwords and tokens. Makes no file and no connection, so it cannot tell " +
        "whether ports are free and whether the database responds.",
    )
    .option("--data-dir <directory>", "data directory of the server (default: DATA_DIR, then .data)")
    .option("--catalog <file>", "file of the tools and platforms (default: CATALOG, then the sample)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign check\n  countersign check --catalog catalog.json\n  IDENTITY_FILE=identity.json countersign check",
    )
    .addHelpText("after", exitCodesHelp({ OK: "no problem was found", FAILED: true, USAGE: true }))
    .action(check);
}
