import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Command, Option } from "commander";
import { z } from "zod";
import { LINEAGE_FORMATS, type LineageFormat } from "../../domain/lineage/exports/writer.ts";
import { isLedgerId, type LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { exportLines, exportPayloads } from "../../ledger/export.ts";
import { readHead } from "../../ledger/read.ts";
import { type Api, createApi, type Operation } from "../api.ts";
import { commandToken } from "../command-token.ts";
import { type DatabaseOption, refuseRegion, withAuditorPool } from "../database.ts";
import { CommandError, exitCodesHelp } from "../exit.ts";
import { defaultEndpoint, endpoint, ledgerId, parsePosition, settings, wholeNumber } from "../options.ts";
import { type Progress, startProgress } from "../progress.ts";
import { type Line, type LineSource, lineageLines, stepsOf, stepsOverApi, type Written } from "./lineage.ts";

const FORMATS = ["entries", ...LINEAGE_FORMATS] as const;

interface ExportOptions {
  readonly url?: string;
  readonly region?: string;
  readonly databaseUrl?: DatabaseOption;
  readonly ledger: LedgerId;
  readonly format: (typeof FORMATS)[number];
  readonly from?: string;
  readonly to?: string;
  readonly output?: string;
  readonly payloads?: string;
  readonly patience: number;
}

const page = z.object({
  ledger: z.object({
    id: z.custom<LedgerId>((id) => typeof id === "string" && isLedgerId(id), "is no ledger"),
    head: z.object({ seq: z.string() }),
  }),
  auditEntries: z.object({
    nodes: z.array(z.object({ seq: z.string(), canonical: z.string() })),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  }),
});

const READ_PAGE: Operation<z.infer<typeof page>> = {
  document: `query ReadPage($region: String, $first: Int!, $fromSeq: Sequence!, $toSeq: Sequence, $after: String) {
    ledger(region: $region) { id head { seq } }
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

async function* linesOverApi(api: Api, { region, from, to }: ExportOptions): AsyncGenerator<Line, void> {
  // Where the ledger ends now, once the first page said so: an export of a busy one has to end as well.
  let toSeq: string | null = to ?? null;
  let after: string | null = null;
  do {
    const variables: Readonly<Record<string, unknown>> = {
      region: region ?? null,
      // Without a position, the entries of all regions would be listed.
      fromSeq: from ?? "1",
      toSeq,
      after,
    };
    const data = await readPage(api, variables);
    toSeq ??= data.ledger.head.seq;
    const last: bigint = BigInt(toSeq);
    for (const { seq, canonical } of data.auditEntries.nodes) {
      if (BigInt(seq) > last) return;
      yield { ledger: data.ledger.id, text: canonical, seq: BigInt(seq), last };
    }
    after = data.auditEntries.pageInfo.hasNextPage ? data.auditEntries.pageInfo.endCursor : null;
  } while (after !== null);
}

async function write(lines: AsyncIterable<Written>, file: string | undefined, names: readonly string[]): Promise<void> {
  let count = 0;
  let progress: Progress | undefined;
  const data = file === undefined ? process.stdout.fd : undefined;
  const written = async function* () {
    for await (const { texts, seq, last } of lines) {
      progress ??= startProgress("export", Number(last - seq) + 1, { data });
      for (const text of texts) yield `${text}\n`;
      count += texts.length;
      progress.advance();
    }
  };
  try {
    const sink = file === undefined ? process.stdout : createWriteStream(file);
    await pipeline(Readable.from(written()), sink, { end: file !== undefined });
  } catch (error) {
    // The reader closed the pipe, as in `countersign export | head`.
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  } finally {
    progress?.finish();
  }
  process.stderr.write(`${count} ${names[count === 1 ? 0 : 1]}${file === undefined ? "" : ` in ${file}`}\n`);
}

async function* entryLines(lines: AsyncIterable<Line>): AsyncGenerator<Written, void> {
  for await (const { text, seq, last } of lines) yield { texts: [text], seq, last };
}

function writeLineage(format: LineageFormat, source: LineSource, output: string | undefined): Promise<void> {
  const lines = lineageLines(format, source, (message) => process.stderr.write(`${message}\n`));
  return write(lines, output, format === "prov" ? ["document", "documents"] : ["event", "events"]);
}

async function exportLedger(options: ExportOptions): Promise<void> {
  const { databaseUrl, region, format, from, to, payloads, url, patience, output } = options;
  if (payloads !== undefined && format !== "entries") {
    throw new CommandError("USAGE", `--payloads is for entries: --format ${format} has no personal values`);
  }
  if (from !== undefined && to !== undefined && BigInt(from) > BigInt(to)) {
    throw new CommandError("USAGE", `--from ${from} is behind --to ${to}: pass a first position that is not`);
  }
  if (databaseUrl !== undefined) {
    refuseRegion(region);
    return exportDatabase(databaseUrl, options);
  }
  if (payloads !== undefined) {
    const message = "--payloads needs --database-url: the API returns values without their salts";
    throw new CommandError("USAGE", message);
  }
  const config = settings();
  const token = await commandToken(config, "auditor");
  const api = createApi({ url: url ?? defaultEndpoint(config), token, patience });
  const lines = linesOverApi(api, options);
  if (format === "entries") return write(entryLines(lines), output, ENTRIES);
  return writeLineage(format, { lines, stepsOf: stepsOverApi(api) }, output);
}

const ENTRIES = ["entry", "entries"];

async function exportDatabase(source: DatabaseOption, options: ExportOptions): Promise<void> {
  const { ledger, format, from, to, output, payloads } = options;
  await withAuditorPool({ source, ledger, max: 2 }, async (pool) => {
    const head = await readHead(pool, ledger);
    const last = to === undefined ? (head?.seq ?? 0n) : BigInt(to);
    const range = { fromSeq: BigInt(from ?? 1), toSeq: last };
    const direct = async function* (): AsyncGenerator<Line, void> {
      let seq = range.fromSeq;
      for await (const text of exportLines(pool, ledger, range)) yield { ledger, text, seq: seq++, last };
      const end = head !== undefined && head.seq < last ? head.seq : last;
      if (format === "entries" || head === undefined || seq > end) return;
      throw new LedgerDamagedError(ledger, `there is no entry ${seq}, and its head says that there are ${head.seq}`);
    };
    if (format === "entries") await write(entryLines(direct()), output, ENTRIES);
    else await writeLineage(format, { lines: direct(), stepsOf: stepsOf(pool), head }, output);
    if (payloads === undefined) return;
    const values = exportPayloads(pool, ledger, range);
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
    .summary("write the ledger as text, one entry per line, or as OpenLineage or PROV")
    .description(
      "Writes the hashed text of the entries, oldest first. The SHA-256 of a line (without the line break) is prevHash " +
        "in the next line. The text contains commitments instead of personal values.\n\n" +
        "With --format openlineage or prov, writes what became of actions and where their data came from, for catalogs of data and other " +
        "tools: a JSON text per line, and nothing of what was read, written or typed. To go on after an export that was ended, pass the " +
        "seq of its last whole line as --from: what is written twice is the same twice.",
    )
    .addOption(
      new Option(
        "--format <name>",
        "entries; openlineage: run events, several for each action; prov: PROV-JSON, a document for each action that has ended",
      )
        .choices(FORMATS)
        .default("entries"),
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
        "  countersign export --database-url -o ledger.jsonl --payloads payloads.txt\n" +
        "  countersign export --format openlineage -o events.jsonl",
    )
    .addHelpText(
      "after",
      exitCodesHelp({ OK: true, FAILED: true, USAGE: "wrong arguments or settings", UNREACHABLE: true, REFUSED: true }),
    )
    .action(exportLedger);
}
