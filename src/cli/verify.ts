import path from "node:path";
import type { Command } from "commander";
import type { LedgerId } from "../facts/entry.ts";
import { type KnownHeads, readHeads } from "../ledger/heads.ts";
import { VerificationRangeError, verifyLedger } from "../ledger/verify.ts";
import { createApi } from "./api.ts";
import { auditorToken } from "./auditor-token.ts";
import { type DatabaseOption, withAuditorPool } from "./database.ts";
import { CommandError } from "./exit.ts";
import { defaultEndpoint, endpoint, ledgerId, parsePosition, settings, wholeNumber } from "./options.ts";
import { startProgress, whileWaiting } from "./progress.ts";
import { demandIntact, describeVerification, readableVerification, VERIFY, type Verification } from "./verification.ts";

interface VerifyOptions {
  readonly url?: string;
  readonly databaseUrl?: DatabaseOption;
  readonly ledger: LedgerId;
  readonly from?: string;
  readonly to?: string;
  readonly workers: number;
  readonly dataDir?: string;
  readonly patience: number;
  readonly json?: true;
}

async function overApi({ url, from, to, patience }: VerifyOptions): Promise<Verification> {
  const config = settings();
  const token = await auditorToken(config);
  const api = createApi({ url: url ?? defaultEndpoint(config), token, patience });
  const { data } = await whileWaiting("verify", api.run(VERIFY, { fromSeq: from, toSeq: to }));
  return data.verifyLedger;
}

/**
 * The heads a server has seen, to compare with. Those in a data directory that nobody named belong to the server's own
 * database: of another one they prove nothing.
 */
async function headsToCompare(source: DatabaseOption, { ledger, dataDir }: VerifyOptions): Promise<KnownHeads> {
  if (source !== true && dataDir === undefined) return { head: undefined, earlier: [] };
  const config = settings(dataDir === undefined ? {} : { dataDir });
  return readHeads(path.join(config.dataDir, "heads"), ledger);
}

async function overDatabase(source: DatabaseOption, options: VerifyOptions): Promise<Verification> {
  const { ledger, from, to, workers, dataDir } = options;
  const { head, earlier } = await headsToCompare(source, options);
  return withAuditorPool({ source, dataDir, max: workers + 1 }, async (pool) => {
    const progress = startProgress("verify", 1);
    try {
      const found = await verifyLedger(pool, ledger, {
        workers,
        knownHead: head,
        earlierHeads: earlier,
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
    .summary("re-hash the ledger and say whether it is INTACT")
    .description(
      "Re-hashes stored bytes, follows the links, compares search columns, commitments and guards, and names the first " +
        "position where something is wrong. Over the API as auditor, or on the database itself. Exits with 1 unless the " +
        "verdict is INTACT.",
    )
    .option("--url <url>", "GraphQL endpoint of the server (default: from HOST and PORT)", endpoint)
    .option("--from <position>", "first entry to check (default: 1)", parsePosition)
    .option("--to <position>", "last entry to check (default: where the ledger ends)", parsePosition)
    .option("--database-url [url]", "check the database itself; without a value: DATABASE_URL or the built-in one")
    .option("--ledger <id>", "which ledger, with --database-url", ledgerId, "acme/eu")
    .option(
      "--data-dir <directory>",
      "compare with the last heads kept there (default: DATA_DIR, for its own database)",
    )
    .option("--workers <number>", "connections that hash at once, with --database-url", wholeNumber(1, 64), 2)
    .option("--patience <seconds>", "how long to wait for a server that is away", wholeNumber(0, 3_600), 10)
    .option("--json", "print one JSON line")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign verify\n  countersign verify --from 1000 --to 2000\n" +
        "  countersign verify --database-url --ledger acme/eu --workers 4",
    )
    .action(verify);
}
