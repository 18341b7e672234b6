import path from "node:path";
import type { Command } from "commander";
import type { LedgerId } from "../facts/entry.ts";
import { readHeads } from "../ledger/heads.ts";
import {
  type HeadOptions,
  headOptions,
  loadGuardExceptions,
  VerificationRangeError,
  verifyLedger,
} from "../ledger/verify.ts";
import { createApi } from "./api.ts";
import { commandToken } from "./command-token.ts";
import { type DatabaseOption, otherRegionOf, refuseRegion, withAuditorPool } from "./database.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { keysToVerifyWith } from "./keys.ts";
import { defaultEndpoint, endpoint, ledgerId, parsePosition, settings, wholeNumber } from "./options.ts";
import { startProgress, whileWaiting } from "./progress.ts";
import { demandIntact, describeVerification, readableVerification, VERIFY, type Verification } from "./verification.ts";

interface VerifyOptions {
  readonly url?: string;
  readonly region?: string;
  readonly databaseUrl?: DatabaseOption;
  readonly ledger: LedgerId;
  readonly from?: string;
  readonly to?: string;
  readonly workers: number;
  readonly dataDir?: string;
  readonly keys?: string;
  readonly patience: number;
  readonly json?: true;
}

async function overApi({ url, region, from, to, patience }: VerifyOptions): Promise<Verification> {
  const config = settings();
  const token = await commandToken(config, "auditor");
  const api = createApi({ url: url ?? defaultEndpoint(config), token, patience });
  const { data } = await whileWaiting("verify", api.run(VERIFY, { region, fromSeq: from, toSeq: to }));
  return data.verifyLedger;
}

/**
 * The heads a server has seen, to compare with. Those in a data directory that nobody named belong to the server's own
 * database: of another one they prove nothing.
 */
async function headsToCompare(source: DatabaseOption, { ledger, dataDir }: VerifyOptions): Promise<HeadOptions> {
  if (source !== true && dataDir === undefined) return {};
  const config = settings(dataDir === undefined ? {} : { dataDir });
  const folder = otherRegionOf(config, ledger)?.dataDir ?? config.dataDir;
  return headOptions(readHeads(path.join(folder, "heads"), ledger));
}

async function overDatabase(source: DatabaseOption, options: VerifyOptions): Promise<Verification> {
  const { ledger, region, from, to, workers, dataDir } = options;
  refuseRegion(region);
  if (source !== true && dataDir === undefined && options.keys === undefined) {
    const message =
      "no keys for this database: pass --keys with a file that `countersign keys export` printed, or --data-dir with the data " +
      "directory of its server";
    throw new CommandError("USAGE", message);
  }
  // Before connecting, so that a missing file is reported immediately.
  const named = options.keys === undefined ? undefined : await keysToVerifyWith(options);
  const heads = await headsToCompare(source, options);
  const guardExceptions = await loadGuardExceptions(settings().guardExceptions);
  return withAuditorPool({ source, ledger, dataDir, max: workers + 1 }, async (pool) => {
    const keys = named ?? (await keysToVerifyWith(options));
    const progress = startProgress("verify", 1);
    try {
      const found = await verifyLedger(pool, ledger, {
        keys,
        workers,
        ...heads,
        guardExceptions,
        ...(from === undefined ? {} : { fromSeq: BigInt(from) }),
        ...(to === undefined ? {} : { toSeq: BigInt(to) }),
        onProgress: ({ checked, total }) => progress.to(Number(checked), Number(total)),
      });
      return readableVerification(found);
    } catch (error) {
      if (error instanceof VerificationRangeError) throw new CommandError("USAGE", error.message, { cause: error });
      throw error;
    } finally {
      progress.finish();
    }
  });
}

async function verify(options: VerifyOptions): Promise<void> {
  const { databaseUrl, ledger, json } = options;
  const found = databaseUrl === undefined ? await overApi(options) : await overDatabase(databaseUrl, options);
  const text = json
    ? JSON.stringify(found)
    : describeVerification(found, databaseUrl === undefined ? undefined : ledger);
  process.stdout.write(`${text}\n`);
  demandIntact(found);
}

export function defineVerify(program: Command): void {
  program
    .command("verify")
    .summary("verify the ledger")
    .description(
      "Re-hashes the stored bytes, checks links, signatures, search columns, commitments, states and guards, and prints each " +
        "fault with its position. Over the API as auditor, or directly in the database. Exits with 1 unless the verdict is INTACT.",
    )
    .option("--url <url>", "GraphQL endpoint of the server (default: from HOST and PORT)", endpoint)
    .option("--region <name>", "the region of the ledger, over the API (default: the home region)")
    .option("--from <position>", "first entry to check (default: 1)", parsePosition)
    .option("--to <position>", "last entry to check (default: the last entry)", parsePosition)
    .option(
      "--database-url [url]",
      "check the database directly; without a value: DATABASE_URL or the built-in database",
    )
    .option("--ledger <id>", "the ledger, with --database-url", ledgerId, "acme/eu")
    .option(
      "--data-dir <directory>",
      "folder of the last known heads to compare with (default: DATA_DIR, for its own database)",
    )
    .option(
      "--keys <file>",
      "public keys that `countersign keys export` printed, with --database-url (default: those of the data directory; " +
        "one of both is needed with an address)",
    )
    .option("--workers <number>", "number of parallel connections, with --database-url", wholeNumber(1, 64), 2)
    .option("--patience <seconds>", "how long to retry while the server is unavailable", wholeNumber(0, 3_600), 10)
    .option("--json", "print one JSON line")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign verify\n  countersign verify --from 1000 --to 2000\n" +
        "  countersign verify --database-url --ledger acme/eu --workers 4",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "the verdict is INTACT",
        FAILED: "failure, or a verdict other than INTACT",
        USAGE: "wrong arguments or settings",
        UNREACHABLE: true,
        REFUSED: true,
      }),
    )
    .action(verify);
}
