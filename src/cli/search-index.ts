import type { Command } from "commander";
import type { Pool } from "pg";
import type { LedgerId } from "../facts/entry.ts";
import { buildSegment, checkSegments, dropIndex, fullSegments, missingSegments } from "../ledger/search/build.ts";
import { type DatabaseOption, withServerPool } from "./database.ts";
import { CommandError } from "./exit.ts";
import { ledgerId } from "./options.ts";
import { startProgress } from "./progress.ts";

interface SearchIndexOptions {
  readonly databaseUrl?: string;
  readonly dataDir?: string;
  readonly ledger?: LedgerId;
  readonly rebuild?: true;
}

const CONNECTIONS = 2;
/** Segments that are listed at a time. */
const BATCH = 16;

async function rebuild(pool: Pool, ledger: LedgerId | undefined): Promise<void> {
  await dropIndex(pool, ledger);
  const progress = startProgress("search-index", await fullSegments(pool, ledger));
  try {
    for (;;) {
      const missing = await missingSegments(pool, BATCH, ledger);
      if (missing.length === 0) break;
      for (const id of missing) {
        await buildSegment(pool, id);
        progress.advance(1, id.ledger);
      }
    }
  } finally {
    progress.finish();
  }
  process.stdout.write("The search index was rebuilt.\n");
}

async function check(pool: Pool, ledger: LedgerId | undefined): Promise<void> {
  const full = await fullSegments(pool, ledger);
  const progress = startProgress("search-index", full);
  const wrong: string[] = [];
  let checked = 0;
  try {
    for await (const { id, correct } of checkSegments(pool, ledger)) {
      checked += 1;
      if (!correct) wrong.push(`${id.ledger} segment ${id.segment}`);
      progress.advance(1, id.ledger);
    }
  } finally {
    progress.finish();
  }
  process.stdout.write(
    `${checked} segments checked, ${wrong.length} wrong; ${Math.max(0, full - checked)} not built yet.\n`,
  );
  for (const line of wrong) process.stdout.write(`  ${line}\n`);
  if (wrong.length === 0) return;
  throw new CommandError(
    "FAILED",
    "segments of the search index do not match their entries, so searches may have missed some: run `countersign search-index --rebuild`",
  );
}

async function searchIndex({ databaseUrl, dataDir, ledger, rebuild: again }: SearchIndexOptions): Promise<void> {
  const source: DatabaseOption = databaseUrl ?? true;
  await withServerPool({ source, ledger, dataDir, max: CONNECTIONS }, (pool) =>
    again ? rebuild(pool, ledger) : check(pool, ledger),
  );
}

export function defineSearchIndex(program: Command): void {
  program
    .command("search-index")
    .summary("check the search index, or rebuild it")
    .description(
      "Builds the search index of each ledger in memory, from its entries and their values, and compares it with the stored one. " +
        "Exits with 1 when they differ. With --rebuild: deletes the stored one and builds it again, also while servers run; " +
        "until then searches are slower, and complete.",
    )
    .option("--rebuild", "delete it and build it again")
    .option("--ledger <organization/region>", "one ledger only (default: all)", ledgerId)
    .option("--database-url <url>", "the server's connection (default: DATABASE_URL, then the built-in database)")
    .option("--data-dir <directory>", "folder of the built-in database of a running server (default: DATA_DIR)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign search-index\n  countersign search-index --rebuild --ledger acme/eu",
    )
    .action(searchIndex);
}
