import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { z } from "zod";
import type { LedgerId } from "../facts/entry.ts";
import { exportLines, exportPayloads } from "../ledger/export.ts";
import { readHead } from "../ledger/read.ts";
import { type Api, createApi, type Operation } from "./api.ts";
import { commandToken } from "./command-token.ts";
import { type DatabaseOption, refuseRegion, withAuditorPool } from "./database.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { defaultEndpoint, endpoint, ledgerId, parsePosition, settings, wholeNumber } from "./options.ts";
import { type Progress, startProgress } from "./progress.ts";

interface ExportOptions {
  readonly url?: string;
  readonly region?: string;
  readonly databaseUrl?: DatabaseOption;
  readonly ledger: LedgerId;
  readonly from?: string;
  readonly to?: string;
  readonly output?: string;
  readonly payloads?: string;
  readonly patience: number;
}

const page = z.object({
  ledger: z.object({ head: z.object({ seq: z.string() }) }),
  auditEntries: z.object({
    nodes: z.array(z.object({ seq: z.string(), canonical: z.string() })),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  }),
});

const READ_PAGE: Operation<z.infer<typeof page>> = {
  document: `query ReadPage($region: String, $first: Int!, $fromSeq: Sequence, $toSeq: Sequence, $after: String) {
    ledger(region: $region) { head { seq } }
    auditEntries(region: $region, first: $first, fromSeq: $fromSeq, toSeq: $toSeq, after: $after) {
      nodes { seq canonical } pageInfo { hasNextPage endCursor }
    }
  }`,
  answer: page,
};

/** The page, or a shorter one when it would be larger than a response may be. */
async function readPage(
  api: Api,
  variables: Readonly<Record<string, unknown>>,
  first = 100,
): Promise<z.infer<typeof page>> {
  try {
    return (await api.run(READ_PAGE, { ...variables, first })).data;
  } catch (error) {
    const tooLarge = error instanceof CommandError && error.message.startsWith("RESPONSE_TOO_LARGE");
    if (!tooLarge || first === 1) throw error;
    return readPage(api, variables, Math.ceil(first / 4));
  }
}

interface Line {
  readonly text: string;
  readonly seq: bigint;
  /** The last position the export will reach. */
  readonly last: bigint;
}

async function* linesOverApi({ url, region, from, to, patience }: ExportOptions): AsyncGenerator<Line, void> {
  const config = settings();
  const token = await commandToken(config, "auditor");
  const api = createApi({ url: url ?? defaultEndpoint(config), token, patience });
  // Where the ledger ends now, once the first page said so: an export of a busy one has to end as well.
  let toSeq: string | null = to ?? null;
  let after: string | null = null;
  do {
    const variables: Readonly<Record<string, unknown>> = {
      region: region ?? null,
      fromSeq: from ?? null,
      toSeq,
      after,
    };
    const data = await readPage(api, variables);
    toSeq ??= data.ledger.head.seq;
    const last: bigint = BigInt(toSeq);
    for (const { seq, canonical } of data.auditEntries.nodes) {
      if (BigInt(seq) > last) return;
      yield { text: canonical, seq: BigInt(seq), last };
    }
    after = data.auditEntries.pageInfo.hasNextPage ? data.auditEntries.pageInfo.endCursor : null;
  } while (after !== null);
}

async function write(lines: AsyncIterable<Line>, file: string | undefined): Promise<void> {
  let count = 0;
  let progress: Progress | undefined;
  const data = file === undefined ? process.stdout.fd : undefined;
  const texts = async function* () {
    for await (const { text, seq, last } of lines) {
      progress ??= startProgress("export", Number(last - seq) + 1, { data });
      yield `${text}\n`;
      count += 1;
      progress.advance();
    }
  };
  try {
    const sink = file === undefined ? process.stdout : createWriteStream(file);
    await pipeline(Readable.from(texts()), sink, { end: file !== undefined });
  } catch (error) {
    // The reader closed the pipe, as in `countersign export | head`.
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  } finally {
    progress?.finish();
  }
  process.stderr.write(`${count} ${count === 1 ? "entry" : "entries"}${file === undefined ? "" : ` in ${file}`}\n`);
}

async function exportLedger(options: ExportOptions): Promise<void> {
  const { databaseUrl, ledger, region, from, to, output, payloads } = options;
  if (databaseUrl === undefined) {
    if (payloads === undefined) return write(linesOverApi(options), output);
    const message = "--payloads needs --database-url: the API returns values without their salts";
    throw new CommandError("USAGE", message);
  }
  refuseRegion(region);
  await withAuditorPool({ source: databaseUrl, ledger, max: 2 }, async (pool) => {
    const last = to === undefined ? ((await readHead(pool, ledger))?.seq ?? 0n) : BigInt(to);
    const direct = async function* (): AsyncGenerator<Line, void> {
      let seq = BigInt(from ?? 1);
      for await (const text of exportLines(pool, ledger, { fromSeq: seq, toSeq: last }))
        yield { text, seq: seq++, last };
    };
    await write(direct(), output);
    if (payloads === undefined) return;
    const values = exportPayloads(pool, ledger, { fromSeq: BigInt(from ?? 1), toSeq: last });
    const lines = async function* () {
      for await (const line of values) yield `${line}\n`;
    };
    // Personal values: for whoever runs this and nobody else, also in a file that was there before.
    const target = await open(payloads, "w", 0o600);
    await target.chmod(0o600);
    await pipeline(Readable.from(lines()), target.createWriteStream());
  });
}

export function defineExport(program: Command): void {
  program
    .command("export")
    .summary("write the ledger as text, one entry per line")
    .description(
      "Writes the hashed text of the entries, oldest first. The SHA-256 of a line (without the line break) is prevHash " +
        "in the next line. The text contains commitments instead of personal values.",
    )
    .option("--url <url>", "GraphQL endpoint of the server (default: from HOST and PORT)", endpoint)
    .option(
      "--database-url [url]",
      "read the database directly; without a value: DATABASE_URL or the built-in database",
    )
    .option("--ledger <id>", "the ledger, with --database-url", ledgerId, "acme/eu")
    .option("--region <name>", "the region of the ledger, over the API (default: the home region)")
    .option("--from <position>", "first entry", parsePosition)
    .option("--to <position>", "last entry (default: the last entry)", parsePosition)
    .option("-o, --output <file>", "file to write (default: standard output)")
    .option(
      "--payloads <file>",
      "with --database-url: also write the values that the commitments stand for, with their salts. These are PERSONAL " +
        "VALUES: names, addresses, arguments, results, notes",
    )
    .option("--patience <seconds>", "how long to retry while the server is unavailable", wholeNumber(0, 3_600), 10)
    .addHelpText(
      "after",
      "\nExamples:\n  countersign export -o ledger.jsonl\n  countersign export --to 1 | tr -d '\\n' | sha256sum\n" +
        "  countersign export --database-url -o ledger.jsonl --payloads payloads.txt",
    )
    .addHelpText(
      "after",
      exitCodesHelp({ OK: true, FAILED: true, USAGE: "wrong arguments or settings", UNREACHABLE: true, REFUSED: true }),
    )
    .action(exportLedger);
}
