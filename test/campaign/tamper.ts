// Does each manipulation of tamper/table.ts to a copy of a prepared ledger while the product runs on it. See README.md.
import { existsSync, readFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { wholeNumber } from "./arguments.ts";
import { faultsOf } from "./tamper/faults.ts";
import { type Prepared, prepare } from "./tamper/prepare.ts";
import { passing, summaryOf, tableOf, undetectable } from "./tamper/report.ts";
import { type Result, run } from "./tamper/run.ts";
import { CASES } from "./tamper/table.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    jobs: { type: "string", default: "2" },
    results: { type: "string" },
  },
});
const chosen = CASES.filter(({ class: of, name }) => `${of}: ${name}`.includes(values.only));
const jobs = wholeNumber("jobs", values.jobs, 1, 16);
const results = new Map<number, Result>();
const failures: string[] = [];
/** Of an earlier run that was not finished, or of which some are to be done again. */
const earlier = new Map<string, Result>();
if (values.results !== undefined && existsSync(values.results)) {
  for (const line of readFileSync(values.results, "utf8").split("\n").filter(Boolean)) {
    const { name, ...result } = JSON.parse(line) as Result & { readonly name: string };
    earlier.set(name, result);
  }
}
const say = (text: string) => process.stderr.write(`${text}\n`);
let next = 0;

async function one(index: number, prepared: Prepared): Promise<void> {
  const of = chosen[index];
  if (of === undefined) return;
  const name = `${of.class}: ${of.name}`;
  const known = earlier.get(name);
  if (known !== undefined) {
    results.set(index, { ...known, of });
    return;
  }
  try {
    const result = await run(of, prepared, { attempts: true, command: true });
    results.set(index, result);
    const faults = faultsOf(result);
    say(
      `[${results.size + failures.length}/${chosen.length}] ${name}: ${result.outside.verdict}${faults.map((fault) => `\n    FAULT: ${fault}`).join("")}`,
    );
    if (values.results !== undefined) {
      await appendFile(values.results, `${JSON.stringify({ name, faults, ...result })}\n`);
    }
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
    say(`[${results.size + failures.length}/${chosen.length}] ${name}: could not be done: ${String(error)}`);
  }
}

/** Each job has a PostgreSQL of its own: roles and settings reach all databases of a server. */
async function job(): Promise<void> {
  const prepared = await prepare();
  try {
    while (next < chosen.length) await one(next++, prepared);
  } finally {
    await prepared.close();
  }
}

say(`${chosen.length} manipulations; preparing a ledger`);
await Promise.all(Array.from({ length: Math.min(jobs, chosen.length) }, job));
const inOrder = [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
const parts = [summaryOf(inOrder), tableOf(inOrder), undetectable(inOrder), passing(inOrder)];
process.stdout.write(`${parts.join("\n\n")}\n`);
for (const failure of failures) say(failure);
const isFaulty = results.size < chosen.length || inOrder.some((result) => faultsOf(result).length > 0);
process.exitCode = chosen.length === 0 || isFaulty ? 1 : 0;
