import type { Command } from "commander";
import type { LedgerId } from "../facts/entry.ts";
import { deriveAgain, reportsOf } from "../ledger/reporting/keep.ts";
import { withServerPool } from "./database.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { ledgerId } from "./options.ts";

interface BiTablesOptions {
  readonly databaseUrl?: string;
  readonly dataDir?: string;
  readonly ledger?: LedgerId;
  readonly rebuild?: true;
}

async function biTables({ databaseUrl, dataDir, ledger, rebuild }: BiTablesOptions): Promise<void> {
  await withServerPool({ source: databaseUrl ?? true, ledger, dataDir, max: 1 }, async (pool) => {
    if (rebuild) {
      await deriveAgain(pool, ledger);
      process.stdout.write(
        "Servers delete the rows and derive them again; this command without --rebuild shows how far they are.\n",
      );
      return;
    }
    const reports = await reportsOf(pool, ledger);
    for (const { ledger: name, seq, last, problem } of reports) {
      process.stdout.write(`${name}: ${seq} of ${last} entries${problem === null ? "" : `; stopped: ${problem}`}\n`);
    }
    if (reports.every(({ problem }) => problem === null)) return;
    throw new CommandError("FAILED", "a ledger is not as it was recorded: verify it with `countersign verify`");
  });
}

export function defineBiTables(program: Command): void {
  program
    .command("bi-tables")
    .summary("show how far the tables for BI tools are, or have them derived again")
    .description(
      "Servers derive the tables of schema oc_bi from entries. Prints up to which entry they have done so, for each ledger. Exits with 1 " +
        "when a ledger is damaged. With --rebuild: has all rows deleted and derived again, while servers run.",
    )
    .option("--rebuild", "derive them again")
    .option("--ledger <organization/region>", "one ledger only (default: all)", ledgerId)
    .option("--database-url <url>", "the server's connection (default: DATABASE_URL, then the built-in database)")
    .option("--data-dir <directory>", "folder of the built-in database of a running server (default: DATA_DIR)")
    .addHelpText("after", "\nExamples:\n  countersign bi-tables\n  countersign bi-tables --rebuild --ledger acme/eu")
    .addHelpText("after", exitCodesHelp({ OK: true, FAILED: true, USAGE: true, UNREACHABLE: true }))
    .action(biTables);
}
