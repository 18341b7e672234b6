import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { MAX_DAYS } from "../domain/publishing/simulate.ts";
import { type Api, createApi, type Operation } from "./api.ts";
import { commandToken } from "./command-token.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { defaultEndpoint, endpoint, settings, wholeNumber } from "./options.ts";

interface ServerOptions {
  readonly url?: string;
}

/** A policy document as it was read from its file, once: what is shown, evaluated and published is the same. */
export interface PolicyText {
  readonly text: string;
  readonly hash: string;
}

const published = z.object({
  publishPolicy: z.object({
    version: z.object({ version: z.number(), hash: z.string() }).nullable(),
    action: z
      .object({
        uuid: z.string(),
        digest: z.string(),
        rendered: z.string(),
        expiresAt: z.string().nullable(),
        policy: z.object({ reason: z.string() }),
      })
      .nullable(),
    userErrors: z.array(z.object({ code: z.string(), message: z.string() })),
  }),
});
const PUBLISH: Operation<z.infer<typeof published>> = {
  document: `mutation PublishPolicy($input: PublishPolicyInput!) {
    publishPolicy(input: $input) {
      version { version hash } action { uuid digest rendered expiresAt policy { reason } } userErrors { code message }
    }
  }`,
  answer: published,
};

const outcome = z.enum(["PERMIT", "REQUIRE", "FORBID"]);
const simulated = z.object({
  simulatePolicy: z.object({
    actions: z.number(),
    stoppedAt: z.string().nullable(),
    changed: z.number(),
    changes: z.array(
      z.object({
        cursor: z.string(),
        before: outcome,
        after: outcome,
        action: z.object({ uuid: z.string(), platform: z.string(), tool: z.string() }),
        explanation: z.array(z.object({ ruleId: z.string(), matched: z.boolean(), error: z.string().nullable() })),
      }),
    ),
  }),
});
/** Lines of one call. A page more would evaluate everything again. */
const LINES = 100;
const SIMULATE: Operation<z.infer<typeof simulated>> = {
  document: `query SimulatePolicy($document: String!, $days: Int, $first: Int, $after: String) {
    simulatePolicy(document: $document, days: $days) {
      actions stoppedAt changed
      changes(first: $first, after: $after) {
        cursor before after action { uuid platform tool } explanation { ruleId matched error }
      }
    }
  }`,
  answer: simulated,
};

async function api(options: ServerOptions, as: "admin" | "auditor"): Promise<Api> {
  const config = settings();
  return createApi({ url: options.url ?? defaultEndpoint(config), token: await commandToken(config, as) });
}

interface PublishOptions extends ServerOptions {
  readonly note: string;
  readonly shadow?: boolean;
  readonly hash?: string;
}

function policyHash(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("It has to be `sha256:` and 64 hex digits, as `countersign policy test` prints it.");
}

async function publish(
  { text, hash }: PolicyText,
  { note, shadow = false, hash: expected = hash, ...options }: PublishOptions,
): Promise<void> {
  if (hash !== expected) {
    const again =
      "Nothing was proposed. Compare it again with `countersign policy diff`, and publish the hash that this prints.";
    throw new CommandError("FAILED", `the document has hash ${hash}, not ${expected}: it was changed since. ${again}`);
  }
  const server = await api(options, "admin");
  const { data } = await server.run(PUBLISH, { input: { document: text, note, shadow } });
  const { version, action, userErrors } = data.publishPolicy;
  for (const { code, message } of userErrors) process.stdout.write(`${code}: ${message}\n`);
  if (version === null || action === null) {
    const forbidden = userErrors.some(({ code }) => code === "ADMINISTRATORS_ONLY");
    throw new CommandError(
      forbidden ? "REFUSED" : "FAILED",
      "the document was not proposed, and the policy is as it was",
    );
  }
  const { uuid, digest, rendered, expiresAt, policy } = action;
  const input = `actionId: "${uuid}", digest: "${digest}"`;
  const lines = [
    rendered,
    "",
    `Proposed as version ${version.version} of the policy, ${version.hash}.`,
    `Nothing changes before it is approved${expiresAt === null ? "" : `, until ${expiresAt} at the latest`}. ${policy.reason}`,
    `Whoever approves it reads the text above, finds action ${uuid} in the tab \`Waiting\` of ${server.url}, and approves it there or with:`,
    `  mutation { approveAction(input: { ${input} }) { action { status } userErrors { code message } } }`,
    `The status is SUCCEEDED once the document is ${shadow ? "evaluated beside the one in force" : "in force"}. To withdraw it before:`,
    `  mutation { cancelAction(input: { actionId: "${uuid}" }) { action { status } userErrors { code message } } }`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  if (version.hash !== hash) {
    const message = `the server read another document than this command, which has hash ${hash}: withdraw the action, and compare their versions`;
    throw new CommandError("FAILED", message);
  }
}

interface SimulateOptions extends ServerOptions {
  readonly days?: number;
  readonly after?: string;
}

async function simulate({ text }: PolicyText, { days, after, ...options }: SimulateOptions): Promise<void> {
  const server = await api(options, "auditor");
  const variables = { document: text, days: days ?? null, first: LINES, after: after ?? null };
  const { simulatePolicy: found } = (await server.run(SIMULATE, variables)).data;
  for (const change of found.changes) {
    const rules = change.explanation
      .filter(({ matched }) => matched)
      .map(({ ruleId, error }) => ruleId + (error === null ? "" : "!"));
    const { platform, tool, uuid } = change.action;
    process.stdout.write(`${change.before} -> ${change.after}  ${platform} ${tool}  ${uuid}  by ${rules.join(", ")}\n`);
  }
  const part = found.stoppedAt === null ? "" : `; proposals before ${found.stoppedAt} were not evaluated`;
  const last = found.changes.at(-1)?.cursor;
  const isAll = found.changes.length === found.changed || found.changes.length < LINES || last === undefined;
  const more = isAll ? "" : `; what follows with --after ${last}`;
  process.stdout.write(`${found.actions} actions evaluated, ${found.changed} would change${part}${more}\n`);
}

/** Adds what a running server is asked. `read` reads a document that can be used. */
export function definePolicyOfServer(policy: Command, read: (file: string) => Promise<PolicyText>): void {
  policy
    .command("publish")
    .summary("propose a policy document to a running server")
    .description(
      "Proposes a policy document, for another administrator to approve, and prints what that one is shown, the action, and the mutation that approves " +
        "it. Nothing changes before that. The file is read once. Signs in with COUNTERSIGN_TOKEN, or else as the demo administrator.",
    )
    .argument("<file>", "policy document, in YAML or JSON")
    .requiredOption("--note <text>", "why the policy is changed")
    .option("--shadow", "evaluate it beside the one in force, without effect")
    .option(
      "--hash <hash>",
      "refuse unless the document has this hash, as `policy test` and `policy diff` printed it",
      policyHash,
    )
    .option("--url <url>", "GraphQL endpoint (default: that of HOST and PORT)", endpoint)
    .addHelpText("after", '\nExamples:\n  countersign policy publish policy.yaml --note "four eyes over 200"')
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "it was proposed",
        FAILED: "it was not proposed: a case fails, it is in force already, or it has another hash",
        USAGE: "wrong arguments or settings, or no policy document",
        REFUSED: "refused: not authenticated, or no administrator",
        UNREACHABLE: true,
      }),
    )
    .action(async (file: string, options: PublishOptions) => publish(await read(file), options));
  policy
    .command("simulate")
    .summary("say what a policy document would have changed")
    .description(
      "Has a running server evaluate the document for what was proposed in the last days, and prints a line for each action that it would have led to " +
        "something else, the latest first: the outcomes, the tool, the action, and the rules that match (with an exclamation mark where one cannot be " +
        `evaluated); at most ${LINES}, and how to go on. Nothing is recorded. Signs in with COUNTERSIGN_TOKEN, or else as the demo auditor.`,
    )
    .argument("<file>", "policy document, in YAML or JSON")
    .option("--days <number>", `period in days, at most ${MAX_DAYS} (default: 30)`, wholeNumber(1, MAX_DAYS))
    .option("--after <cursor>", "list what follows behind this, as the call before printed it")
    .option("--url <url>", "GraphQL endpoint (default: that of HOST and PORT)", endpoint)
    .addHelpText("after", "\nExamples:\n  countersign policy simulate policy.yaml --days 7")
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "it was evaluated, whatever would change",
        FAILED: "it was not evaluated, or takes too long",
        USAGE: "wrong arguments or settings, or no policy document",
        REFUSED: true,
        UNREACHABLE: true,
      }),
    )
    .action(async (file: string, options: SimulateOptions) => simulate(await read(file), options));
}
