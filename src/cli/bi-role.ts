import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { Client } from "pg";
import { BiLoginError, createBiLogin, dropBiLogin } from "../db/bi-login.ts";
import { readRecord } from "../db/embedded/record.ts";
import { LEDGER_PART } from "../facts/entry.ts";
import { loadGuardExceptions } from "../ledger/verify.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { settings, wholeNumber } from "./options.ts";

interface Place {
  readonly databaseUrl?: string;
  readonly dataDir?: string;
}

interface CreateOptions extends Place {
  readonly organization: string;
  readonly login?: string;
  readonly passwordFile: string;
  readonly connections: number;
  readonly accepted?: true;
}

interface DropOptions extends Place {
  readonly login: string;
}

const CONNECTIONS = 10;
const MAX_CONNECTIONS = 1_000;
/** Printable ASCII: others have several spellings, of which tools send one or the other. */
const PASSWORD = /^[!-~]{16,200}$/;
const LOGIN = /^[a-z][a-z0-9_]{0,62}$/;
/** What the report of guards calls the table of who reads what. */
const ACCESS = "public.oc_bi_access";
const NOT_PERMITTED = "42501";
const UNDEFINED_TABLE = "42P01";

function organization(name: string): string {
  if (!LEDGER_PART.test(name))
    throw new InvalidArgumentError("It has to be the name of an organization, such as acme.");
  return name;
}

function loginName(name: string): string {
  if (!LOGIN.test(name) || /^(oc|pg)_/.test(name)) {
    throw new InvalidArgumentError(
      "It has to be lower-case letters, digits and underscores, at most 63 of them, without oc_ or pg_ at the beginning.",
    );
  }
  return name;
}

/** The connections of the owner: that of the option, or those of the settings, one for each region. */
async function owners({
  databaseUrl,
  dataDir,
}: Place): Promise<readonly { readonly of: string; readonly url: string }[]> {
  if (databaseUrl !== undefined) return [{ of: "the database", url: databaseUrl }];
  const config = settings(dataDir === undefined ? {} : { dataDir });
  const others = config.otherRegions.map(({ name, databaseUrl: url, migrationDatabaseUrl }) => ({
    of: `region ${name}`,
    url: migrationDatabaseUrl ?? url,
  }));
  const home = config.migrationDatabaseUrl ?? config.databaseUrl ?? (await builtin(config.dataDir, config.homeAddress));
  return [...(home === undefined ? [] : [{ of: `region ${config.region}`, url: home }]), ...others];
}

async function builtin(dataDir: string, homeAddress: string | undefined): Promise<string | undefined> {
  if (homeAddress !== undefined) return undefined;
  const record = await readRecord(dataDir);
  if (record?.pid == null) {
    const message =
      `no server runs on data directory ${dataDir}: start it, or pass --database-url with the owner's connection, or set ` +
      "MIGRATION_DATABASE_URL";
    throw new CommandError("UNREACHABLE", message);
  }
  return record.url;
}

async function readPassword(file: string): Promise<string> {
  let given: string;
  try {
    given = file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (cause) {
    throw new CommandError("USAGE", `the password cannot be read from ${file}`, { cause });
  }
  const password = given.replace(/\r?\n$/, "");
  if (PASSWORD.test(password)) return password;
  throw new CommandError("USAGE", "a password is one line of 16 to 200 printable ASCII characters without spaces");
}

/** Runs `work` as the owner of each database, one after the other. */
async function asOwners<Result>(
  place: Place,
  work: (client: Client) => Promise<Result>,
  done: (of: string, url: URL, result: Result) => void,
): Promise<void> {
  for (const { of, url } of await owners(place)) {
    const client = new Client({
      connectionString: url,
      application_name: "countersign-cli",
      connectionTimeoutMillis: 10_000,
    });
    client.on("error", () => undefined);
    await client.connect();
    try {
      done(of, new URL(url), await work(client));
    } catch (cause) {
      if (cause instanceof BiLoginError) throw new CommandError("USAGE", `${of}: ${cause.message}`, { cause });
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      if (code === UNDEFINED_TABLE)
        throw new CommandError("FAILED", `${of} is not migrated: run countersign migrate`, { cause });
      if (code !== NOT_PERMITTED) throw cause;
      const message = `${of}: the connection may not do this; use that of whoever migrates (--database-url, or MIGRATION_DATABASE_URL)`;
      throw new CommandError("REFUSED", message, { cause });
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function create(options: CreateOptions): Promise<void> {
  const name = loginNameOf(options);
  if (options.accepted !== true) await assertAccepted(options, name);
  const password = await readPassword(options.passwordFile);
  const { connections } = options;
  await asOwners(
    options,
    (client) => createBiLogin(client, { name, organization: options.organization, password, connections }),
    (of, { hostname, port, pathname }, { isNew, isLimited }) => {
      process.stdout.write(
        `${of}: ${name} ${isNew ? "was created" : "has this password now"}, and reads schema oc_bi of ${options.organization}: ` +
          `host ${hostname}, port ${port || "5432"}, database ${decodeURIComponent(pathname.slice(1))}\n`,
      );
      if (isLimited) return;
      process.stderr.write(
        `${of}: what its statements put on the disk has no limit, which only a superuser can set: ALTER ROLE ${name} SET temp_file_limit = '1GB'\n`,
      );
    },
  );
}

/**
 * Who reads for which organization is guarded, because whoever can write to the database could add somebody: a server that does not know of
 * this login stops the ledgers.
 */
async function assertAccepted({ dataDir, organization: of }: CreateOptions, name: string): Promise<void> {
  const file = settings(dataDir === undefined ? {} : { dataDir }).guardExceptions;
  const problem = `unexpected: row ${name} reads ${of}`;
  if ((await loadGuardExceptions(file))[ACCESS]?.includes(problem) === true) return;
  const message =
    `servers stop ledgers when a login is added that they do not know of: add ${JSON.stringify({ [ACCESS]: [problem] })} to ` +
    `${file ?? "a file that GUARD_EXCEPTIONS names"}, start the servers again, and run this again; with --accepted where they have it already`;
  throw new CommandError("USAGE", message);
}

/** `bi_` and the organization, unless it was named otherwise. */
function loginNameOf({ login, organization: of }: CreateOptions): string {
  return login ?? `bi_${of.replaceAll("-", "_")}`.slice(0, 63);
}

async function drop(options: DropOptions): Promise<void> {
  await asOwners(
    options,
    (client) => dropBiLogin(client, options.login),
    (of, _url, was) => process.stdout.write(`${of}: ${options.login} ${was ? "was dropped" : "was not there"}\n`),
  );
}

export function defineBiRole(program: Command): void {
  const role = program
    .command("bi-role")
    .summary("create or drop the login of a BI tool")
    .description(
      "A BI tool logs in to PostgreSQL with a login of its own, which reads schema oc_bi, the rows of one organization, and nothing else.",
    )
    .addHelpText("after", "\nExample:\n  countersign bi-role create --organization acme --password-file bi-password");
  const databases =
    "the owner's connection (default: MIGRATION_DATABASE_URL, then DATABASE_URL; and those of all regions)";
  const dataDir = "folder of the built-in database of a running server (default: DATA_DIR)";
  role
    .command("create")
    .summary("create the login, or give it another password")
    .description(
      "Creates a login that reads schema oc_bi for one organization, in the database of each region. Run again, it changes the password and the " +
        "number of connections. The database never gets the password itself, so no log of it has it. First accept the login in the file that " +
        "GUARD_EXCEPTIONS names, and start the servers again: they stop the ledgers for a login that they do not know of.",
    )
    .requiredOption("--organization <name>", "organization that the login may read", organization)
    .requiredOption("--password-file <file>", "file with the password in one line; -: standard input")
    .option("--login <name>", "its name (default: bi_<organization>)", loginName)
    .option("--connections <number>", "connections at the same time", wholeNumber(1, MAX_CONNECTIONS), CONNECTIONS)
    .option("--accepted", "do not look for it in the file that GUARD_EXCEPTIONS names here: the servers have it there")
    .option("--database-url <url>", databases)
    .option("--data-dir <directory>", dataDir)
    .addHelpText(
      "after",
      "\nExample:\n  (umask 077; openssl rand -base64 24 > bi-password)\n  countersign bi-role create --organization acme --password-file bi-password",
    )
    .addHelpText("after", exitCodesHelp({ OK: true, FAILED: true, USAGE: true, UNREACHABLE: true, REFUSED: true }))
    .action(create);
  role
    .command("drop")
    .summary("drop the login")
    .description(
      "Ends the sessions of the login and drops it, in the database of each region. Other roles are refused.",
    )
    .requiredOption("--login <name>", "its name", loginName)
    .option("--database-url <url>", databases)
    .option("--data-dir <directory>", dataDir)
    .addHelpText("after", "\nExample:\n  countersign bi-role drop --login bi_acme")
    .addHelpText("after", exitCodesHelp({ OK: true, FAILED: true, USAGE: true, UNREACHABLE: true, REFUSED: true }))
    .action(drop);
}
