#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import { defineBackup } from "./backup.ts";
import { defineBiRole } from "./bi-role.ts";
import { defineBiTables } from "./bi-tables.ts";
import { defineCheck } from "./check.ts";
import { describeFailure, exitCodeOf, exitCodes, exitCodesHelp } from "./exit.ts";
import { defineExport } from "./export/command.ts";
import { defineHealth } from "./health.ts";
import { defineKeys } from "./keys.ts";
import { defineMigrate } from "./migrate.ts";
import { definePolicy } from "./policy.ts";
import { defineReplay } from "./replay.ts";
import { defineRestore } from "./restore.ts";
import { defineSearchIndex } from "./search-index.ts";
import { defineServe } from "./serve.ts";
import { defineToken } from "./token.ts";
import { defineVerify } from "./verify.ts";

function createProgram(): Command {
  const program = new Command("countersign")
    .description(packageFile.description)
    .version(packageFile.version)
    .showHelpAfterError("(run with --help for usage)")
    .addHelpText(
      "after",
      `
Examples:
  countersign serve                                       in one terminal
  countersign replay traces.jsonl --catalog catalog.json  in another
  countersign verify`,
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "success; for verify and replay: the verdict is INTACT",
        FAILED: "failure, or a verdict other than INTACT",
        USAGE: true,
        UNREACHABLE: true,
        REFUSED: true,
      }),
    )
    // Commands inherit this. Without it commander ends the process with 1 for wrong usage, the code of a failure.
    .exitOverride();
  for (const define of [
    defineServe,
    defineCheck,
    defineMigrate,
    defineToken,
    defineKeys,
    definePolicy,
    defineReplay,
    defineVerify,
    defineExport,
    defineHealth,
    defineSearchIndex,
    defineBackup,
    defineRestore,
    defineBiRole,
    defineBiTables,
  ]) {
    define(program);
  }
  return program;
}

async function main(): Promise<number> {
  try {
    await createProgram().parseAsync();
    return exitCodes.OK;
  } catch (error) {
    // Commander has printed its message; --help and --version are not errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.OK : exitCodes.USAGE;
    process.stderr.write(`countersign: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}

process.exitCode = await main();
