import { rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { startApp } from "../../support/app.ts";
import { makeDataDir, startTestServer } from "../../support/server.ts";
import { choicesOf, lists } from "./choices.ts";
import { files } from "./of-files.ts";
import { documents, variables } from "./of-graphql.ts";
import { requests } from "./of-requests.ts";
import { sockets } from "./of-sockets.ts";
import { tokens } from "./of-tokens.ts";
import { findUnsent } from "./recorded.ts";
import { createSent } from "./sent.ts";
import type { Target, World } from "./target.ts";

export const TARGET_NAMES = ["documents", "variables", "tokens", "sockets", "requests", "files"] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

export interface FuzzOptions {
  readonly seed: number;
  readonly targets: readonly TargetName[];
  /** Seconds of fuzzing; alternatively, `inputs` for each target. Whichever ends first. */
  readonly seconds: number;
  readonly inputs?: number;
  readonly onProgress?: (inputs: number, faults: number) => void;
}

export interface FuzzResult {
  readonly inputs: ReadonlyMap<string, number>;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly entries: number;
  readonly types: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}

/** Inputs that share a seed: a fault is found again by its seed, without those before it. */
const BATCH = 20;
const MOST_FAULTS = 3;
const KNOWN = 60;
/** Ids, hashes, grants and cursors. Names of principals are left out, so that nobody who calls is suspended. */
const WORTH_KNOWING = /"(?:id|digest|token|hash|chainHash|endCursor|seq)":"([^"\\]{1,4000})"/g;
const LOGGED_FAULT = /"level":"(error|fatal)"/;

/** Fuzzes the product, started as a process on a database of its own. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzResult> {
  const dataDir = await makeDataDir();
  const database = await startTestServer();
  const app = await startApp({ databaseUrl: database.url, dataDir });
  const known: string[] = [];
  const world: World = {
    app,
    sent: createSent(),
    known,
    learn(text) {
      for (const [, found] of text.matchAll(WORTH_KNOWING)) {
        if (found === undefined || /^[a-z]{1,9}\d?$/.test(found) || known.includes(found)) continue;
        known.push(found);
        if (known.length > KNOWN) known.shift();
      }
    },
    outcomes: new Map(),
  };
  const ofFiles = files(world);
  const targets: Readonly<Record<TargetName, Target>> = {
    documents: documents(world),
    variables: variables(world),
    tokens: tokens(world),
    sockets: sockets(world),
    requests: requests(world),
    files: ofFiles,
  };
  const inputs = new Map<string, number>();
  const faults: string[] = [];
  const until = performance.now() + options.seconds * 1_000;
  const total = () => [...inputs.values()].reduce((sum, count) => sum + count, 0);
  try {
    await proposeSome(world);
    const chosen = options.targets.map((name) => targets[name]);
    await Promise.all(
      chosen.map(async (target) => {
        let found = 0;
        for (
          let round = 0;
          performance.now() < until && found < MOST_FAULTS && app.process.exitCode === null;
          round += 1
        ) {
          const done = inputs.get(target.name) ?? 0;
          if (options.inputs !== undefined && done >= options.inputs) return;
          const began = performance.now();
          const fault = await tryBatch(target, options.seed + round, until);
          // It needs no server, and would take the processor from it.
          if (target === ofFiles) await pause(4 * (performance.now() - began));
          inputs.set(target.name, done + BATCH);
          if (fault !== undefined) {
            found += 1;
            faults.push(fault);
          }
          options.onProgress?.(total(), faults.length);
        }
      }),
    );
    if (app.process.exitCode !== null || app.process.signalCode !== null) {
      faults.push(`the server ended:\n${app.lines.slice(-40).join("\n")}`);
    } else {
      const live = await fetch(new URL("/livez", app.operationsUrl));
      if (live.status !== 200) faults.push(`/livez answers ${live.status}`);
      const { verifyLedger } = await app.ask<{ verifyLedger: { verdict: string } }>(VERIFY, {}, "auditor");
      if (verifyLedger.verdict !== "INTACT") faults.push(`the ledger is ${verifyLedger.verdict}`);
    }
    for (const line of app.lines.filter((each) => LOGGED_FAULT.test(each)).slice(0, 20))
      faults.push(`logged: ${line.slice(0, 3_000)}`);
    const recorded = await findUnsent(database.url, world.sent);
    return { ...recorded, inputs, outcomes: world.outcomes, faults: [...faults, ...recorded.faults] };
  } finally {
    await app.stop();
    await database.stop();
    await ofFiles.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const PENDING = 5;
const PROPOSE =
  "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id digest}grant{token}userErrors{code}}}";

/** Actions that the input may be about. */
async function proposeSome(world: World): Promise<void> {
  for (let number = 0; number < PENDING; number += 1) {
    const input = {
      idempotencyKey: crypto.randomUUID(),
      platform: "vouchers",
      tool: "send_certificate",
      arguments: { number },
    };
    world.sent.add(PROPOSE, { input });
    world.learn(JSON.stringify(await world.app.ask(PROPOSE, { input }, "agent")));
  }
}

const VERIFY = "{verifyLedger{verdict}}";

/** Sends one batch. Resolves with the fault that the simplest input leads to. */
async function tryBatch(target: Target, seed: number, until: number): Promise<string | undefined> {
  let last: string | undefined;
  const property = fc.asyncProperty(lists, async (numbers) => {
    const fault = await target
      .try(choicesOf(numbers))
      .catch((error: unknown) => `${error instanceof Error ? error.stack : error}`);
    if (fault === undefined) return;
    last = fault;
    throw new Error(fault);
  });
  const left = Math.max(1_000, until - performance.now());
  const { failed } = await fc.check(property, {
    seed,
    numRuns: BATCH,
    interruptAfterTimeLimit: left,
    markInterruptAsFailure: false,
  });
  return failed || last !== undefined ? `${target.name}, seed ${seed}: ${last}` : undefined;
}
