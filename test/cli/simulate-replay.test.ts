import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { exitCodes } from "../../src/cli/exit.ts";
import { settings } from "../../src/cli/options.ts";
import { type DemoTokens, openDemoTokens } from "../../src/cli/tokens.ts";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import { countersign, root } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

const traces = path.join(root, "clients/demo/airline.jsonl");
const catalog = path.join(root, "src/domain/policy/sample-catalog.json");

let serving: Serving;
let tokens: DemoTokens;
beforeAll(async () => {
  serving = await startServing(["--catalog", catalog]);
  tokens = await openDemoTokens(settings({ dataDir: serving.dataDir }));
});
afterAll(() => serving?.close());

async function ask<Answer>(answer: z.ZodType<Answer>, query: string, variables = {}): Promise<Answer> {
  const response = await fetch(serving.url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${await tokens.sign("auditor")}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { readonly data: unknown; readonly errors?: readonly object[] };
  expect(errors).toBeUndefined();
  return answer.parse(data);
}

const call = z.object({ tool: z.string(), arguments: z.record(z.string(), z.unknown()) });
type Call = z.infer<typeof call>;
const amounts = z.object({ payment_methods: z.array(z.object({ amount: z.number() })) });

/** What the stricter document says of a call, where it is something else: the outcome, and the rule. */
function strictly({ tool, arguments: given }: Call): readonly [outcome: string, ruleId: string] | undefined {
  if (tool === "calculate") return ["FORBID", "no-sums"];
  if (tool === "send_certificate") return ["FORBID", "no-certificates"];
  const paid = tool === "book_reservation" ? amounts.parse(given).payment_methods : [];
  return paid.some(({ amount }) => amount > 200) ? ["REQUIRE", "four-eyes"] : undefined;
}

const RULES = [
  { id: "no-sums", when: 'tool.name == "calculate"', forbid: true, reason: "Agents do not reckon." },
  {
    id: "no-certificates",
    when: 'tool.name == "send_certificate" && number(args.amount) >= 200.0',
    forbid: true,
    reason: "Large certificates are not sent.",
  },
  {
    id: "four-eyes",
    when: 'tool.name == "book_reservation" && args.payment_methods.exists(p, number(p.amount) > 200.0)',
    require: [{ group: "approvers", needed: 2 }],
    reason: "Bookings over 200 USD need two people.",
  },
];

const SEEN = z.object({
  ledger: z.object({ head: z.object({ seq: z.string() }) }),
  policyVersions: z.object({ nodes: z.array(z.object({ version: z.number(), state: z.string() })) }),
});
const seen = () => ask(SEEN, "{ ledger { head { seq } } policyVersions(first: 10) { nodes { version state } } }");

const ACTIONS = z.object({ actions: z.object({ nodes: z.array(call.extend({ uuid: z.string() })) }) });
const SIMULATED = z.object({
  simulatePolicy: z.object({
    actions: z.number(),
    complete: z.boolean(),
    changed: z.number(),
    changes: z.array(
      z.object({
        before: z.string(),
        after: z.string(),
        action: z.object({ uuid: z.string(), policy: z.object({ version: z.number() }) }),
        explanation: z.array(
          z.object({
            ruleId: z.string(),
            matched: z.boolean(),
            outcome: z.string(),
            values: z.record(z.string(), z.unknown()),
            error: z.string().nullable(),
          }),
        ),
      }),
    ),
  }),
});

it("lists what a stricter policy would change of recorded work that was replayed, and publishes nothing", async () => {
  expect((await countersign(["replay", traces, "--json", "--catalog", catalog], serving.environment)).code).toBe(
    exitCodes.OK,
  );
  const starter = parse((await countersign(["policy", "starter", "--catalog", catalog])).stdout);
  const document = stringify({ ...starter, rules: [...starter.rules, ...RULES] });
  const { actions } = await ask(ACTIONS, "{ actions(first: 100) { nodes { uuid tool arguments } } }");

  const before = await seen();
  const { simulatePolicy: simulated } = await ask(
    SIMULATED,
    `query($document: String!) { simulatePolicy(document: $document) { actions complete changed changes(first: 100) {
       before after action { uuid policy { version } } explanation { ruleId matched outcome values error } } } }`,
    { document },
  );
  expect(await seen()).toEqual(before);
  expect(before.policyVersions.nodes).toEqual([{ version: 1, state: "ACTIVE" }]);

  const lines = (await readFile(traces, "utf8")).trimEnd().split("\n");
  const calls = lines.flatMap((line) => z.object({ steps: z.array(call) }).parse(JSON.parse(line)).steps);
  const texts = (all: readonly Call[]) =>
    all.map((one) => canonicalize([one.tool, one.arguments as JsonObject])).sort();
  const nodes = actions.nodes.map(({ uuid, ...one }) => ({ uuid, says: strictly(one), ...one }));
  const expected = nodes.flatMap(({ uuid, tool, says }) =>
    says === undefined
      ? []
      : [{ uuid, before: tool === "calculate" ? "PERMIT" : "REQUIRE", after: says[0], ruleId: says[1] }],
  );
  expect(simulated).toMatchObject({ actions: calls.length, complete: true, changed: expected.length });
  // Each of the three rules has some, and the actions are those of the traces.
  expect(new Set(expected.map(({ ruleId }) => ruleId)).size).toBe(RULES.length);
  expect(texts(nodes.filter(({ says }) => says !== undefined))).toEqual(
    texts(calls.filter((one) => strictly(one) !== undefined)),
  );
  const ids = new Set(RULES.map(({ id }) => id));
  const found = simulated.changes.map((change) => {
    const matched = change.explanation.filter(({ ruleId, matched: does }) => does && ids.has(ruleId));
    expect(matched).toMatchObject([
      { outcome: change.after, values: { "tool.name": expect.any(String) }, error: null },
    ]);
    // What decided remains what decided.
    expect(change.action.policy.version).toBe(1);
    return { uuid: change.action.uuid, before: change.before, after: change.after, ruleId: matched[0]?.ruleId };
  });
  // The latest proposal first, as the actions are.
  expect(found).toEqual(expected);
});
