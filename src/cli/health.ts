import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Config } from "../config.ts";
import { asError } from "../errors.ts";
import { originOf } from "../http/origin.ts";
import { besides } from "./api.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { defaultEndpoint, endpoint, settings, wholeNumber } from "./options.ts";

interface HealthOptions {
  readonly url?: string;
  readonly timeout: number;
  /** Seconds to wait until both probes return 200; 0: one attempt. */
  readonly wait: number;
  readonly json?: true;
}

interface Probe {
  readonly path: string;
  readonly status: number;
  readonly body: unknown;
}

function readBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

async function probe(url: string, path: string, seconds: number): Promise<Probe> {
  try {
    const response = await fetch(besides(url, path), { signal: AbortSignal.timeout(seconds * 1_000) });
    return { path, status: response.status, body: readBody(await response.text()) };
  } catch (cause) {
    const { cause: reason, message } = asError(cause);
    const why = reason instanceof Error && "code" in reason ? String(reason.code) : message;
    throw new CommandError("UNREACHABLE", `${besides(url, path)} cannot be reached (${why})`, { cause });
  }
}

function describe({ path, status, body }: Probe): string {
  const details = typeof body === "object" && body !== null ? Object.entries(body) : [["body", body]];
  const lines = details.map(
    ([name, value]) => `  ${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [`${path} ${status === 200 ? "ok" : `not ok (HTTP ${status})`}`, ...lines].join("\n");
}

/** Milliseconds between two attempts. */
const PAUSE = 200;

/** Repeats both probes until both return 200, or until `deadline`, in milliseconds since the epoch. */
async function probeUntil(url: string, timeout: number, deadline: number): Promise<readonly Probe[]> {
  for (;;) {
    try {
      const probes = [await probe(url, "/livez", timeout), await probe(url, "/readyz", timeout)];
      if (probes.every(({ status }) => status === 200) || Date.now() >= deadline) return probes;
    } catch (error) {
      if (!(error instanceof CommandError) || Date.now() >= deadline) throw error;
    }
    await sleep(PAUSE);
  }
}

/** Where a server with these settings has its probes. */
function probedAddress(config: Config): string {
  const { metricsHost: host, metricsPort: port } = config;
  return port === undefined ? defaultEndpoint(config) : originOf({ host, port, secure: false });
}

async function health({ url: given, timeout, wait, json }: HealthOptions): Promise<void> {
  const url = given ?? probedAddress(settings());
  const probes = await probeUntil(url, timeout, Date.now() + wait * 1_000);
  process.stdout.write(`${json ? JSON.stringify(probes) : probes.map(describe).join("\n")}\n`);
  if (probes.some(({ status }) => status !== 200)) throw new CommandError("UNREACHABLE", `${url} is not ready`);
}

export function defineHealth(program: Command): void {
  program
    .command("health")
    .summary("check whether a server runs and can append to its ledger")
    .description(
      "Requests /livez and /readyz of a server and prints the responses. Exits with 3 unless both return 200.",
    )
    .option("--url <url>", "address of the server (default: from METRICS_PORT, or else HOST and PORT)", endpoint)
    .option("--timeout <seconds>", "time limit of a request", wholeNumber(1, 600), 5)
    .option("--wait <seconds>", "how long to retry until the server is ready", wholeNumber(0, 3_600), 0)
    .option("--json", "print one JSON line")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign health\n  countersign serve & countersign health --wait 60\n  countersign health --url https://countersign.example/graphql",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "both are well",
        USAGE: "wrong arguments or settings",
        UNREACHABLE: "server not reachable or not ready",
      }),
    )
    .action(health);
}
