import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { act, propose, READ, WRITE } from "./steps.ts";

let database: TestDatabase;
let superuser: Client;
let api: Api;
beforeAll(async () => {
  database = await createTestDatabase();
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  // As who owns the machine could.
  await superuser.query("SET session_replication_role = replica");
  api = await startApi(database.appUrl);
});
afterAll(async () => {
  await api?.close();
  await superuser?.end();
  await database?.drop();
});

const EXPLANATION = "explanation{ruleId matched outcome reason values error}";
interface Rule {
  readonly ruleId: string;
  readonly matched: boolean;
  readonly outcome: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly error: string | null;
}
interface Explained {
  readonly outcome: string;
  readonly reason: string;
  readonly version: number;
  readonly policyHash: string;
  readonly requirements: readonly object[];
  readonly explanation: readonly Rule[];
}

async function explain(input: object, as: Parameters<Api["gql"]>[2] = { as: "approver" }) {
  const { data, errors } = await api.gql<{ explainPolicy: Explained } | null>(
    `query($input:ExplainPolicyInput!){explainPolicy(input:$input){outcome reason version policyHash
      matchedRules{ruleId} requirements{group needed have} ${EXPLANATION}}}`,
    { input: { arguments: {}, ...WRITE, ...input } },
    as,
  );
  return { explained: data?.explainPolicy as Explained, errors };
}

const DOCUMENT = `policy: 1
catalog:
  platforms: { shop: { region: us } }
  tools: [{ platform: shop, name: pay, effect: WRITE }]
rules:
  - { id: small, when: number(args.amount) <= 50.0, permit: true, reason: Small ones are paid. }
  - { id: agents, when: principal.kind == "AGENT" && "approvers" in person.groups, forbid: true, reason: Not for approvers. }
`;
const PAY = { document: DOCUMENT, platform: "shop", tool: "pay" };

describe("explainPolicy", () => {
  it("says what the active policy says of a step, with every rule, and records nothing", async () => {
    const head = async () => (await api.gql("{ledger{head{seq}}}", {}, { as: "approver" })).data;
    const before = await head();
    const { explained } = await explain({});
    expect(explained).toMatchObject({
      outcome: "REQUIRE",
      requirements: [{ group: "approvers", needed: 1, have: 0 }],
      explanation: [
        {
          ruleId: "reads-permitted",
          matched: false,
          outcome: "PERMIT",
          values: { "tool.effect": "WRITE" },
          error: null,
        },
        { ruleId: "writes-one-approver", matched: true, outcome: "REQUIRE", values: { "tool.effect": "WRITE" } },
      ],
    });
    const { action } = await propose(api);
    expect(action.policy).toMatchObject({ policyHash: explained.policyHash, version: explained.version });
    expect(before).not.toEqual(await head());
    expect((await explain({ tool: "nothing" })).explained).toMatchObject({ outcome: "FORBID" });
  });

  it("says what another document would say, with the values that its conditions read", async () => {
    const { explained } = await explain({ ...PAY, arguments: { amount: "49.99" } });
    expect(explained).toMatchObject({ outcome: "PERMIT", version: 0 });
    expect(explained.explanation[0]).toMatchObject({
      ruleId: "small",
      matched: true,
      values: { "args.amount": "49.99" },
    });
    const { explained: broken } = await explain({ ...PAY, arguments: { amount: "many" } });
    expect(broken).toMatchObject({ outcome: "REQUIRE" });
    expect(broken.explanation[0]).toMatchObject({
      ruleId: "small",
      matched: false,
      error: expect.stringContaining("number()"),
    });
  });

  it("evaluates it as another principal of the organization, and of no other", async () => {
    const asApprover = await api.sign({
      sub: "approver",
      org: "acme",
      kind: "HUMAN",
      roles: ["approver"],
      groups: ["approvers"],
      act: { sub: "helpdesk", roles: ["agent"], groups: [] },
    });
    await propose(api, READ, { token: asApprover });
    const asked = { ...PAY, arguments: { amount: 1 }, asPrincipalId: "helpdesk" };
    await waitUntil(async () => {
      const { data } = await api.gql<{ principal: object | null }>(
        '{principal(id:"helpdesk"){id}}',
        {},
        { as: "auditor" },
      );
      return data.principal !== null;
    });
    expect((await explain(asked, { as: "auditor" })).explained).toMatchObject({ outcome: "FORBID" });
    for (const { id, as } of [
      { id: "helpdesk", as: "outsider" },
      { id: "nobody", as: "auditor" },
    ] as const) {
      const { errors } = await explain({ ...asked, asPrincipalId: id }, { as });
      expect(errors).toMatchObject([
        { message: "There is no such principal that you may see.", extensions: { code: "NOT_FOUND" } },
      ]);
    }
  });

  it("refuses documents that cannot be used with line and column, and inputs that cannot be proposed", async () => {
    const { errors } = await explain({ ...PAY, document: DOCUMENT.replace("args.amount", "amount") });
    expect(errors).toMatchObject([
      { extensions: { code: "POLICY_INVALID", problems: [{ path: "rules.0.when", line: 6, column: 24 }] } },
    ]);
    expect((await explain({ ...PAY, document: "x".repeat(300_000) })).errors).toMatchObject([
      { extensions: { code: "POLICY_INVALID", problems: [{ message: expect.stringContaining("longer than") }] } },
    ]);
    expect((await explain({ tool: "a\u200bb" })).errors).toMatchObject([{ extensions: { code: "BAD_USER_INPUT" } }]);
  });

  it("is for people who may read the whole ledger", async () => {
    for (const as of ["agent", "member"] as const) {
      expect((await explain({}, { as })).errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
    }
  });
});

describe("the explanation of a recorded action", () => {
  const read = async (id: string, as: "approver" | "member") => {
    const { data } = await api.gql<{ action: { policy: { explanation: readonly Rule[] } } }>(
      `query($id:ID!){action(id:$id){policy{${EXPLANATION}}}}`,
      { id },
      { as },
    );
    return data.action.policy.explanation;
  };

  it("has every rule for who may read the ledger, and those that matched for others", async () => {
    const { action } = await propose(api);
    const all = await read(action.id, "approver");
    expect(all.map(({ ruleId, matched }) => [ruleId, matched])).toEqual([
      ["reads-permitted", false],
      ["writes-one-approver", true],
    ]);
    expect(await read(action.id, "member")).toEqual(all.filter(({ matched }) => matched));
  });

  it("has what the entry recorded when the arguments are gone", async () => {
    const { action, entry } = await propose(api);
    await superuser.query("DELETE FROM oc_audit_payload WHERE seq = $1", [entry.seq]);
    expect(await read(action.id, "approver")).toMatchObject([
      { ruleId: "writes-one-approver", matched: true, values: { "tool.effect": "WRITE" }, error: null },
    ]);
  });

  it("has every rule of the policy it was evaluated by, when another one is in force", async () => {
    const { action } = await propose(api);
    const before = await read(action.id, "approver");
    const document = `${DOCUMENT}cases:
  - { name: small, given: { platform: shop, tool: pay, arguments: { amount: 1 } }, expect: { outcome: PERMIT } }
  - name: for an approver
    given: { platform: shop, tool: pay, arguments: { amount: 1 }, person: { groups: [approvers] } }
    expect: { outcome: FORBID }
`;
    const input = { document, note: "Another one" };
    const selection = "action{id digest} userErrors{code message}";
    const { action: publication } = await act<{ action: { id: string; digest: string } }>(
      api,
      "publishPolicy",
      input,
      "admin",
      selection,
    );
    await act(api, "approveAction", { actionId: publication.id, digest: publication.digest }, "admin2");
    await waitUntil(async () => (await explain({ ...PAY, document: undefined })).explained.version > 1);
    expect(await read(action.id, "approver")).toEqual(before);
    expect(before).toHaveLength(2);
    const { explained } = await explain({ ...PAY, document: undefined, arguments: { amount: 1 } });
    expect(explained).toMatchObject({ outcome: "PERMIT", explanation: [{ ruleId: "small" }, { ruleId: "agents" }] });
    // What no document changes.
    const own = { platform: "countersign", tool: "publish_policy" };
    expect((await explain({ ...own, document: DOCUMENT })).explained.outcome).not.toBe("PERMIT");
    expect((await explain(own)).explained.outcome).not.toBe("PERMIT");
  });
});
