import type { Command } from "commander";
import { z } from "zod";
import { MAX_DAYS } from "../domain/publishing/simulate.ts";
import { type Api, createApi, type Operation } from "./api.ts";
import { commandToken } from "./command-token.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { defaultEndpoint, endpoint, settings, wholeNumber } from "./options.ts";

interface ServerOptions {
  readonly url?: string;
}

const published = z.object({
  publishPolicy: z.object({
    version: z.object({ version: z.number(), hash: z.string() }).nullable(),
    action: z
      .object({
        id: z.string(),
        digest: z.string(),
        status: z.string(),
        rendered: z.string(),
        expiresAt: z.string().nullable(),
      })
      .nullable(),
    userErrors: z.array(z.object({ code: z.string(), message: z.string() })),
  }),
});
const PUBLISH: Operation<z.infer<typeof published>> = {
  document: `mutation PublishPolicy($input: PublishPolicyInput!) {
    publishPolicy(input: $input) {
      version { version hash } action { id digest status rendered expiresAt } userErrors { code message }
    }
  }`,
  answer: published,
};

const outcome = z.enum(["PERMIT", "REQUIRE", "FORBID"]);
const simulated = z.object({
  simulatePolicy: z.object({
    actions: z.number(),
    complete: z.boolean(),
    changed: z.number(),
    changes: z.array(
      z.object({
        cursor: z.string(),
        before: outcome,
        after: outcome,
        action: z.object({ id: z.string(), platform: z.string(), tool: z.string() }),
        explanation: z.array(z.object({ ruleId: z.string(), matched: z.boolean(), error: z.string().nullable() })),
      }),
    ),
  }),
});
const SIMULATE: Operation<z.infer<typeof simulated>> = {
  document: `query SimulatePolicy($document: String!, $days: Int, $after: String) {
    simulatePolicy(document: $document, days: $days) {
      actions complete changed
      changes(first: 100, after: $after) {
        cursor before after action { id platform tool } explanation { ruleId matched error }
      }
    }
  }`,
  answer: simulated,
};
/** Lines of a simulation that are printed. */
const MAX_LINES = 1_000;

async function api(options: ServerOptions, as: "admin" | "auditor"): Promise<Api> {
  const config = settings();
  return createApi({ url: options.url ?? defaultEndpoint(config), token: await commandToken(config, as) });
}

async function publish(
  document: string,
  { note, shadow = false, ...options }: ServerOptions & { readonly note: string; readonly shadow?: boolean },
): Promise<void> {
  const { data } = await (await api(options, "admin")).run(PUBLISH, { input: { document, note, shadow } });
  const { version, action, userErrors } = data.publishPolicy;
  for (const { code, message } of userErrors) process.stdout.write(`${code}: ${message}\n`);
  if (version === null || action === null) throw new CommandError("FAILED", "the document was not proposed");
  process.stdout.write(
    `${action.rendered}\n\nproposed as version ${version.version}, ${version.hash}\naction ${action.id}\ndigest ${action.digest}\n` +
      `It is in force once another administrator has approved the action (approveAction), until ${action.expiresAt ?? "it ends"}.\n`,
  );
}

async function simulate(
  document: string,
  { days, ...options }: ServerOptions & { readonly days?: number },
): Promise<void> {
  const server = await api(options, "auditor");
  let after: string | null = null;
  for (let lines = 0; ; ) {
    const variables: Readonly<Record<string, unknown>> = { document, days: days ?? null, after };
    const { simulatePolicy: found } = (await server.run(SIMULATE, variables)).data;
    for (const change of found.changes) {
      const rules = change.explanation
        .filter(({ matched }) => matched)
        .map(({ ruleId, error }) => ruleId + (error === null ? "" : "!"));
      process.stdout.write(
        `${change.before} -> ${change.after}  ${change.action.platform} ${change.action.tool}  ${change.action.id}  by ${rules.join(", ")}\n`,
      );
    }
    lines += found.changes.length;
    after = found.changes.at(-1)?.cursor ?? null;
    if (found.changes.length === 100 && lines < MAX_LINES) continue;
    const more = found.changed > lines ? `, of which ${lines} are listed` : "";
    const part = found.complete ? "" : "; only the latest proposals were evaluated";
    process.stdout.write(`${found.actions} actions evaluated, ${found.changed} would change${more}${part}\n`);
    return;
  }
}

/** Adds what a running server is asked. `read` returns the text of a document that can be used. */
export function definePolicyOfServer(policy: Command, read: (file: string) => Promise<string>): void {
  policy
    .command("publish")
    .summary("propose a policy document to a running server")
    .description(
      "Proposes a policy document, for another administrator to approve, and prints what that one is shown. Signs in with COUNTERSIGN_TOKEN, or else " +
        "as the demo administrator.",
    )
    .argument("<file>", "policy document, in YAML or JSON")
    .requiredOption("--note <text>", "why the policy is changed")
    .option("--shadow", "evaluate it beside the one in force, without effect")
    .option("--url <url>", "GraphQL endpoint (default: that of HOST and PORT)", endpoint)
    .addHelpText("after", '\nExamples:\n  countersign policy publish policy.yaml --note "four eyes over 200"')
    .addHelpText(
      "after",
      exitCodesHelp({ OK: "it was proposed", FAILED: "it was refused", USAGE: true, REFUSED: true, UNREACHABLE: true }),
    )
    .action(async (file: string, options: ServerOptions & { readonly note: string; readonly shadow?: boolean }) =>
      publish(await read(file), options),
    );
  policy
    .command("simulate")
    .summary("say what a policy document would have changed")
    .description(
      "Has a running server evaluate the document for what was proposed in the last days, and prints a line for each action that it would have led to " +
        "something else: the outcomes, the tool, the action, and the rules that match (with an exclamation mark where one cannot be evaluated). Signs in " +
        "with COUNTERSIGN_TOKEN, or else as the demo auditor.",
    )
    .argument("<file>", "policy document, in YAML or JSON")
    .option("--days <number>", `period in days, at most ${MAX_DAYS} (default: 30)`, wholeNumber(1, MAX_DAYS))
    .option("--url <url>", "GraphQL endpoint (default: that of HOST and PORT)", endpoint)
    .addHelpText("after", "\nExamples:\n  countersign policy simulate policy.yaml --days 7")
    .addHelpText(
      "after",
      exitCodesHelp({ OK: "it was evaluated", FAILED: true, USAGE: true, REFUSED: true, UNREACHABLE: true }),
    )
    .action(async (file: string, options: ServerOptions & { readonly days?: number }) =>
      simulate(await read(file), options),
    );
}
