import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import type { Config } from "../config.ts";
import { asError } from "../errors.ts";
import { type Api, besides, createApi } from "./api.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { defaultEndpoint, endpoint, settings, wholeNumber } from "./options.ts";
import { type Progress, startProgress, whileWaiting } from "./progress.ts";
import { catalogEffects } from "./replay/catalog.ts";
import { describeTotals, noCounts, type Totals } from "./replay/counts.ts";
import { openInbox } from "./replay/inbox.ts";
import { READ_HEAD } from "./replay/operations.ts";
import { replayConversations } from "./replay/run.ts";
import { type Conversation, readTraces } from "./replay/traces.ts";
import { type DemoTokens, openDemoTokens } from "./tokens.ts";
import { demandIntact, describeVerification, VERIFY, type Verification } from "./verification.ts";

interface ReplayOptions {
  readonly url?: string;
  readonly catalog?: string;
  readonly dataDir?: string;
  readonly concurrency: number;
  readonly run?: string;
  readonly patience: number;
  readonly json?: true;
}

const approvers = ["approver", "approver2"] as const;

/** Whether anything listens at `url`: false only when the connection is refused. */
async function listens(url: string): Promise<boolean> {
  try {
    await fetch(besides(url, "/livez"));
    return true;
  } catch (error) {
    const { cause } = asError(error);
    return !(cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED");
  }
}

/**
 * Where the server is. One of our own would show nothing of the server that somebody meant, so none is started. Throws
 * CommandError UNREACHABLE.
 */
async function findServer(options: ReplayOptions, config: Config): Promise<string> {
  if (options.url !== undefined) return options.url;
  const url = defaultEndpoint(config);
  if (await listens(url)) return url;
  const remedy = "start one in another terminal with `npm start`, or set HOST and PORT to those of yours";
  throw new CommandError("UNREACHABLE", `no server listens at ${url}: ${remedy}`);
}

function newRunId(): string {
  return `${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}-${randomBytes(3).toString("hex")}`;
}

async function drive(
  url: string,
  tokens: DemoTokens,
  conversations: readonly Conversation[],
  options: ReplayOptions,
): Promise<{
  readonly totals: Totals;
  readonly verification: Verification;
  /** Tools of the catalog that the server does not know. */
  readonly unknownTools: readonly string[];
}> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const client = (as: Parameters<DemoTokens["keep"]>[0]): Api =>
    createApi({
      url,
      token: tokens.keep(as),
      patience: options.patience,
      signal: interruption.signal,
    });
  const auditor = client("auditor");
  const before = BigInt((await auditor.run(READ_HEAD)).data.ledger.head.seq);
  const steps = conversations.reduce((sum, conversation) => sum + conversation.steps.length, 0);
  let progress: Progress | undefined;
  const warn = (message: string) => {
    if (progress === undefined) process.stderr.write(`${message}\n`);
    else progress.say(message);
  };
  const inbox = openInbox({
    approvers: approvers.map(client),
    token: tokens.keep("approver"),
    after: String(before),
    warn,
  });
  const run = {
    id: options.run ?? newRunId(),
    continued: options.run !== undefined,
    agent: client("agent"),
    auditor,
    inbox,
    counts: noCounts(),
    warn,
    blockedTools: new Set<string>(),
    unknownTools: new Set<string>(),
    ...(options.catalog === undefined ? {} : await catalogEffects(options.catalog)),
  };
  process.stderr.write(`run ${run.id}: ${steps} steps of ${conversations.length} conversations against ${url}\n`);
  progress = startProgress("replay", steps);
  const started = performance.now();
  try {
    await replayConversations(run, conversations, {
      concurrency: options.concurrency,
      onStep: () => progress?.advance(),
      signal: interruption.signal,
    });
  } finally {
    progress.finish();
    await inbox.close();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
  const milliseconds = performance.now() - started;
  const { verifyLedger } = (await whileWaiting("verify", auditor.run(VERIFY))).data;
  const entries = BigInt(verifyLedger.head.seq) - before;
  const totals = { run: run.id, counts: run.counts, entries, milliseconds };
  return { totals, verification: verifyLedger, unknownTools: [...run.unknownTools] };
}

function asJson({ run, counts, entries, milliseconds }: Totals, verification: Verification): string {
  const approvals = Object.fromEntries(counts.approvals);
  return JSON.stringify({ run, ...counts, approvals, entries: String(entries), milliseconds, verification });
}

async function replay(file: string, options: ReplayOptions): Promise<void> {
  const { dataDir, json } = options;
  const config = settings(dataDir === undefined ? {} : { dataDir });
  const conversations = await readTraces(file);
  const url = await findServer(options, config);
  const tokens = await openDemoTokens(config);
  const { totals, verification, unknownTools } = await drive(url, tokens, conversations, options);
  const text = json
    ? asJson(totals, verification)
    : `${describeTotals(totals)}\n\n${describeVerification(verification)}`;
  process.stdout.write(`${text}\n`);
  const { counts } = totals;
  if (counts.writesApproved + counts.writesPermitted !== counts.writesExecuted) {
    throw new CommandError("FAILED", "not every write was permitted, or approved by people before it ran");
  }
  demandIntact(verification);
  if (unknownTools.length > 0) {
    throw new CommandError(
      "FAILED",
      `the server does not know ${unknownTools.join(", ")}: it runs with another catalog`,
    );
  }
}

export function defineReplay(program: Command): void {
  program
    .command("replay")
    .summary("replay recorded agent work against a server, then verify the ledger")
    .description(
      "Proposes each recorded tool call as the demo agent, approves writes as the demo approvers, redeems each grant, " +
        "reports the recorded output, and verifies the ledger. No tool is called. Needs a running server with the data " +
        "directory DATA_DIR: its keys sign the demo tokens.",
    )
    .argument("<traces>", "file of conversations, one JSON object a line")
    .option("--catalog <file>", "catalog to compare with the effect that the server returns for each tool")
    .option("--url <url>", "GraphQL endpoint of a running server (default: from HOST and PORT)", endpoint)
    .option(
      "--data-dir <directory>",
      "data directory of the server, with the keys that sign demo tokens (default: DATA_DIR, then .data)",
    )
    .option("--concurrency <number>", "number of conversations in parallel", wholeNumber(1, 256), 8)
    .option("--run <id>", "continue the run with this id, as printed by an interrupted replay (default: a new run)")
    .option("--patience <seconds>", "how long to retry while the server is unavailable", wholeNumber(0, 3_600), 30)
    .option("--json", "print one JSON line")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign replay traces.jsonl --catalog catalog.json\n" +
        "  countersign replay traces.jsonl --url http://127.0.0.1:8080/graphql --concurrency 32",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "every step was replayed, and the verdict is INTACT",
        FAILED: "failure, or a verdict other than INTACT",
        USAGE: true,
        UNREACHABLE: "server not reachable or not ready",
        REFUSED: true,
      }),
    )
    .action(replay);
}
