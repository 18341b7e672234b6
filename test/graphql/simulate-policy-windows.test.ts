import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";

const { api } = serveApi();

async function propose(amount: number): Promise<string> {
  const { data } = await api.gql<{ readonly proposeAction: { readonly action: { readonly id: string } } }>(
    "mutation($input: ProposeActionInput!) { proposeAction(input: $input) { action { id } } }",
    {
      input: {
        idempotencyKey: crypto.randomUUID(),
        platform: "crm",
        tool: "send_certificate",
        arguments: { amount },
        repeat: true,
      },
    },
    { as: "agent" },
  );
  return data.proposeAction.action.id;
}

/** Nobody sends more than `limit` in a day, by the measure `measured`. */
const budget = (limit: number, measured = "{ name: amount, path: amount }") =>
  fourEyes(50)
    .replace("rules:", `measures: [${measured}]\nrules:`)
    .replace(
      "cases:",
      `  - { id: budget, when: 'tool.effect == "WRITE" && sum("24h", "amount") > ${limit}.0', forbid: true, reason: Enough for a day. }\ncases:`,
    )
    .concat(
      `  - { name: too much, given: { platform: crm, tool: send_certificate, arguments: { amount: ${limit + 1} } }, expect: { outcome: FORBID } }\n`,
    );
const WINDOW = 'sum("24h", "amount")';

interface Change {
  readonly before: string;
  readonly after: string;
  readonly action: { readonly id: string };
  readonly explanation: readonly { readonly ruleId: string; readonly error: string | null }[];
}

/** Statements that read windows since the last call of `queries`. */
const reads = () => api.sent.filter((text) => text.includes("oc_window(")).length;

async function simulate(document: string) {
  api.queries();
  const { data, errors } = await api.gql<{
    readonly simulatePolicy: { readonly actions: number; readonly changes: readonly Change[] };
  }>(
    `query($document: String!) { simulatePolicy(document: $document) { actions
       changes { before after action { id } explanation { ruleId matched values error } } } }`,
    { document },
    { as: "auditor" },
  );
  expect(errors).toBeUndefined();
  const { actions, changes } = data.simulatePolicy;
  const budgets = changes.map(({ explanation }) => explanation.find(({ ruleId }) => ruleId === "budget"));
  return { actions, changes: changes.map(({ after, action }) => `${after} ${action.id}`), budgets, read: reads() };
}

const ids: string[] = [];

describe("windows of a document that is only tried", () => {
  it("have no value where no measure like theirs was recorded: the strictest reading counts, and says which and why", async () => {
    await putInForce(api, fourEyes(50));
    ids.push(await propose(1));
    const { changes, budgets, read } = await simulate(budget(1_000));
    expect({ changes, read }).toEqual({ changes: [`FORBID ${ids[0]}`], read: 0 });
    expect(budgets).toMatchObject([
      {
        matched: true,
        error: `it is not known what ${WINDOW} was before: the policy in force declares no measure amount, so proposals do not record it`,
      },
    ]);
    const count = await simulate(budget(1_000).replace('sum("24h", "amount") > 1000.0', 'count("24h") > 1000'));
    expect(count.budgets).toMatchObject([
      {
        error: 'it is not known what count("24h") was before: proposals are not counted under the policy in force',
      },
    ]);
  });

  it("have what was recorded where the policy in force then has the same measure", async () => {
    await putInForce(api, budget(5_000));
    for (const amount of [100, 300, 700]) ids.push(await propose(amount));
    const { actions, changes, budgets, read } = await simulate(budget(350));
    // Of the first one, another policy was in force, which is not known any more.
    expect({ actions, changes }).toEqual({
      actions: 4,
      changes: [`FORBID ${ids[3]}`, `FORBID ${ids[2]}`, `FORBID ${ids[0]}`],
    });
    expect(budgets).toMatchObject([
      { values: { [WINDOW]: "1100" }, error: null },
      { values: { [WINDOW]: "400" }, error: null },
      {
        error: `it is not known what ${WINDOW} was before: the policy that was in force then is not known any more`,
      },
    ]);
    // They were recorded with the proposals.
    expect(read).toBe(0);
  });

  it("are read together, however many there are, and not for what is forbidden whatever they come to", async () => {
    const longer = (limit: number) => budget(limit).replaceAll('sum("24h"', 'sum("2d"');
    const few = await simulate(longer(5_000));
    for (let n = 0; n < 12; n += 1) ids.push(await propose(1));
    const many = await simulate(longer(5_000));
    expect(many.actions).toBe(16);
    expect({ few: few.read, many: many.read }).toEqual({ few: 1, many: 1 });
    const unlisted = longer(5_000)
      .replace("    - { platform: crm, name: send_certificate, effect: WRITE }\n", "")
      .replace(/cases:.*/s, "");
    api.queries();
    const { data } = await api.gql(
      "query($document: String!) { simulatePolicy(document: $document) { actions changed } }",
      { document: unlisted },
      { as: "auditor" },
    );
    expect(data).toEqual({ simulatePolicy: { actions: 16, changed: 16 } });
    expect(reads()).toBe(0);
  });

  it("have no value where the same name measures something else", async () => {
    const { budgets } = await simulate(budget(0, "{ name: amount, path: price.amount, tools: [{ platform: crm }] }"));
    expect(budgets[0]?.error).toContain("measure amount needs a number from 0 as price.amount");
    const other = budget(350, "{ name: amount, path: amount, tools: [{ platform: crm }] }");
    expect((await simulate(other)).budgets[0]?.error).toBe(
      `it is not known what ${WINDOW} was before: the policy in force declares the measure amount otherwise, so proposals record something else`,
    );
  });

  it("are explained like that as well, for a step that is not proposed", async () => {
    const explain = async (document: string) => {
      const { data, errors } = await api.gql<{
        readonly explainPolicy: {
          readonly outcome: string;
          readonly explanation: readonly { readonly ruleId: string }[];
        };
      }>(
        `query($input: ExplainPolicyInput!) { explainPolicy(input: $input) { outcome explanation { ruleId matched values error } } }`,
        {
          input: {
            document,
            platform: "crm",
            tool: "send_certificate",
            arguments: { amount: 7 },
            asPrincipalId: "agent",
          },
        },
        { as: "auditor" },
      );
      expect(errors).toBeUndefined();
      const { outcome, explanation } = data.explainPolicy;
      return { outcome, rule: explanation.find(({ ruleId }) => ruleId === "budget") };
    };
    expect(await explain(budget(350))).toMatchObject({ outcome: "FORBID", rule: { values: { [WINDOW]: "1119" } } });
    expect(await explain(budget(2_000))).toMatchObject({ outcome: "REQUIRE", rule: { matched: false } });
    const other = budget(2_000).replaceAll("amount, path", "total, path").replaceAll('"amount")', '"total")');
    expect(await explain(other)).toMatchObject({
      outcome: "FORBID",
      rule: {
        matched: true,
        error:
          'it is not known what sum("24h", "total") was before: the policy in force declares no measure total, so proposals do not record it',
      },
    });
  });
});
