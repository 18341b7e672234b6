import { createReadStream } from "node:fs";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import { stringify } from "yaml";
import { runCases } from "../domain/policy/cases.ts";
import { loadCatalog } from "../domain/policy/catalog.ts";
import { type CompiledPolicy, compilePolicy } from "../domain/policy/compile.ts";
import { describeChanges } from "../domain/policy/diff.ts";
import { describeProblem, PolicyDocumentError } from "../domain/policy/document/problems.ts";
import { MAX_DOCUMENT, readPolicy } from "../domain/policy/document/read.ts";
import { starterDocument } from "../domain/policy/document/starter.ts";
import { asError } from "../errors.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { definePolicyOfServer, type PolicyText } from "./policy-server.ts";

/** Bytes of a document of which every character takes four. */
const MAX_BYTES = MAX_DOCUMENT * 4;

async function readText(file: string): Promise<string> {
  try {
    // Whatever the file is, even one without an end.
    const bytes = await buffer(createReadStream(file, { end: MAX_BYTES }));
    if (bytes.length > MAX_BYTES) throw new Error("it is too long for a policy document");
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CommandError("USAGE", `${file} cannot be read as text in UTF-8: ${asError(cause).message}`, { cause });
  }
}

interface PolicyFile extends PolicyText {
  readonly policy: CompiledPolicy;
}

/** Reads a policy document, once. Throws CommandError USAGE after printing each problem on a line. */
async function readDocument(file: string): Promise<PolicyFile> {
  const text = await readText(file);
  try {
    const policy = compilePolicy(readPolicy(text));
    return { text, hash: policy.hash, policy };
  } catch (error) {
    if (!(error instanceof PolicyDocumentError)) throw error;
    for (const problem of error.problems) process.stdout.write(`${describeProblem(problem)}\n`);
    throw new CommandError("USAGE", `${file} is no policy document (problems: ${error.problems.length})`);
  }
}

async function test(file: string): Promise<void> {
  const { policy } = await readDocument(file);
  const { passed, failed, untested } = runCases(policy, new Date());
  for (const { name, problem } of failed) process.stdout.write(`failed: ${name}: ${problem}\n`);
  for (const id of untested) process.stdout.write(`untested: rule ${id} matches in no case\n`);
  process.stdout.write(
    `${policy.hash}: ${passed} cases passed, ${failed.length} failed, ${untested.length} rules untested\n`,
  );
  if (failed.length > 0 || untested.length > 0) {
    throw new CommandError("FAILED", "a policy whose cases fail, or that has rules without a case, must not be used");
  }
}

async function diff(oldFile: string, newFile: string): Promise<void> {
  const { policy: before } = await readDocument(oldFile);
  const { policy: after } = await readDocument(newFile);
  const changes = describeChanges(before.document, after.document);
  for (const change of changes) process.stdout.write(`${change}\n`);
  if (changes.length > 0) throw new CommandError("FAILED", `the documents differ; the new one has hash ${after.hash}`);
}

async function starter({ catalog }: { readonly catalog?: string }): Promise<void> {
  process.stdout.write(stringify(starterDocument(await loadCatalog(catalog)), { lineWidth: 120 }));
}

export function definePolicy(program: Command): void {
  const policy = program
    .command("policy")
    .summary("test, compare, simulate and publish policy documents")
    .description("Commands for policy documents: YAML or JSON with a catalog, rules and cases.");
  policy
    .command("test")
    .summary("evaluate the cases of a policy document")
    .description(
      "Reads a policy document, prints every problem with its line and column, and evaluates its cases: prints each whose outcome, rules or " +
        "requirements are not as it says, and each rule that matches in none. Connects to nothing.",
    )
    .argument("<file>", "policy document, in YAML or JSON")
    .addHelpText("after", "\nExamples:\n  countersign policy test policy.yaml")
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "all cases pass, and each rule matches in one",
        FAILED: "a case fails, or a rule has none",
        USAGE: true,
      }),
    )
    .action(test);
  policy
    .command("diff")
    .summary("say how two policy documents differ")
    .description(
      "Prints in words what NEW changes of OLD, one line for each change: what loosens the policy first, then what may loosen it, because conditions " +
        "decide, then everything else. Order, comments and notation are no difference. The hash of NEW, which `publish --hash` takes, is printed as well. " +
        "Connects to nothing.",
    )
    .argument("<old>", "policy document, in YAML or JSON")
    .argument("<new>", "policy document, in YAML or JSON")
    .addHelpText("after", "\nExamples:\n  countersign policy diff policy.yaml policy.new.yaml")
    .addHelpText("after", exitCodesHelp({ OK: "they say the same", FAILED: "they differ", USAGE: true }))
    .action(diff);
  policy
    .command("starter")
    .summary("print the policy document that an installation begins with")
    .description("Prints, in YAML, the policy document that a server with this catalog evaluates.")
    .option("--catalog <file>", "file of the tools and platforms (default: the sample)")
    .addHelpText("after", "\nExamples:\n  countersign policy starter --catalog catalog.json > policy.yaml")
    .addHelpText("after", exitCodesHelp({ OK: true, USAGE: true }))
    .action(starter);
  definePolicyOfServer(policy, readDocument);
}
