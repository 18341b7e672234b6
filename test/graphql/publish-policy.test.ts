import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";

const { api, database } = serveApi();

const PUBLISH = `mutation($input: PublishPolicyInput!) { publishPolicy(input: $input) {
  version { id version state hash document publishedBy { id } activatedAt }
  action { id status platform tool rendered digest expiresAt policy { outcome requirements { group needed have } matchedRules { ruleId } } }
  userErrors { code message path } } }`;
const APPROVE = `mutation($input: ApproveActionInput!) { approveAction(input: $input) {
  action { status } entry { type } userErrors { code message } } }`;
const POLICY = "{ policy { id version state hash document activatedAt publishedBy { id } } }";
const VERSIONS = "{ policyVersions(first: 20) { nodes { version state hash } pageInfo { hasNextPage } } }";

interface Published {
  readonly publishPolicy: {
    readonly version: {
      readonly id: string;
      readonly version: number;
      readonly state: string;
      readonly hash: string;
    } | null;
    readonly action: {
      readonly id: string;
      readonly status: string;
      readonly digest: string;
      readonly rendered: string;
      readonly expiresAt: string;
    } | null;
    readonly userErrors: readonly { readonly code: string; readonly message: string }[];
  };
}

async function publish(text: string, as: "admin" | "admin2" | "approver" | "agent" = "admin", shadow?: boolean) {
  const { data, errors } = await api.gql<Published>(
    PUBLISH,
    { input: { document: text, note: "limits", shadow } },
    { as },
  );
  expect(errors).toBeUndefined();
  return data!.publishPolicy;
}

async function approve(
  action: { readonly id: string; readonly digest: string } | null,
  as: "admin" | "admin2" | "approver",
) {
  const input = { actionId: action?.id, digest: action?.digest };
  const { data } = await api.gql<{
    approveAction: { action: { status: string } | null; userErrors: { code: string; message: string }[] };
  }>(APPROVE, { input }, { as });
  return data!.approveAction;
}

describe("publishing a policy", () => {
  it("takes another administrator, who is shown the differences in words", async () => {
    await api.gql("{ viewer { id } }", {}, { as: "admin2" });
    const started = await api.gql<{ policy: { version: number; state: string } }>(POLICY, {}, { as: "auditor" });
    expect(started.data?.policy).toMatchObject({ version: 1, state: "ACTIVE", publishedBy: null, activatedAt: null });

    const { version, action, userErrors } = await publish(fourEyes(200));
    expect(userErrors).toEqual([]);
    expect(version).toMatchObject({
      version: 2,
      state: "PROPOSED",
      document: fourEyes(200),
      publishedBy: { id: "admin" },
    });
    expect(action).toMatchObject({
      status: "PENDING",
      platform: "countersign",
      tool: "publish_policy",
      policy: {
        outcome: "REQUIRE",
        requirements: [{ group: "admin", needed: 1, have: 0 }],
        matchedRules: [{ ruleId: "countersign-floor" }],
      },
    });
    expect(action?.rendered).toContain("four-eyes");

    expect((await approve(action, "admin")).userErrors).toMatchObject([{ code: "REQUESTER_CANNOT_DECIDE" }]);
    expect((await approve(action, "approver")).userErrors).toMatchObject([{ code: "NOT_ELIGIBLE" }]);
    expect(await approve(action, "admin2")).toMatchObject({ action: { status: "SUCCEEDED" }, userErrors: [] });

    const now = await api.gql(POLICY, {}, { as: "auditor" });
    expect(now.data).toMatchObject({
      policy: { id: version?.id, version: 2, state: "ACTIVE", publishedBy: { id: "admin" } },
    });
    const all = await api.gql(VERSIONS, {}, { as: "auditor" });
    expect(all.data).toMatchObject({
      policyVersions: {
        nodes: [
          { version: 2, state: "ACTIVE" },
          { version: 1, state: "RETIRED" },
        ],
        pageInfo: { hasNextPage: false },
      },
    });
    expect(await verdict()).toBe("INTACT");
  });

  it("decides from then on: on this server at once, on others within seconds", async () => {
    const other = await startApi(database.appUrl);
    try {
      const large = async (on: Api) => {
        const input = {
          idempotencyKey: crypto.randomUUID(),
          platform: "crm",
          tool: "send_certificate",
          arguments: { amount: 500 },
          repeat: true,
        };
        const query = `mutation($input: ProposeActionInput!) { proposeAction(input: $input) { action { policy { version requirements { needed } } } } }`;
        const { data } = await on.gql<{ proposeAction: { action: { policy: object } } }>(
          query,
          { input },
          { as: "agent" },
        );
        return data?.proposeAction.action.policy;
      };
      expect(await large(other)).toEqual({ version: 2, requirements: [{ needed: 2 }] });
      const { action } = await publish(fourEyes(1_000));
      expect(await approve(action, "admin2")).toMatchObject({ action: { status: "SUCCEEDED" }, userErrors: [] });
      expect(await large(api)).toEqual({ version: 3, requirements: [{ needed: 1 }] });
      await waitUntil(async () => isDeepStrictEqual(await large(other), { version: 3, requirements: [{ needed: 1 }] }));
    } finally {
      await other.close();
    }
  });

  it("brings platforms of its own, where agents can be invited", async () => {
    const invite = (platform: string, agentId: string) =>
      api.gql(
        "mutation($input: InviteAgentInput!) { inviteAgent(input: $input) { userErrors { code message } } }",
        { input: { agentId, displayName: "Clerk", ownerId: "admin", platforms: [platform] } },
        { as: "admin" },
      );
    expect((await invite("ledgerbooks", "clerk")).data).toMatchObject({
      inviteAgent: { userErrors: [{ code: "INVALID_INPUT" }] },
    });
    await putInForce(
      api,
      fourEyes(2_000).replace("crm: { region: eu }", "crm: { region: eu }\n    ledgerbooks: { region: eu }"),
    );
    expect((await invite("ledgerbooks", "clerk")).data).toMatchObject({ inviteAgent: { userErrors: [] } });
  });

  it("of two at once, only the first that is approved: the other was compared with what is not in force any more", async () => {
    const [one, other] = await Promise.all([publish(fourEyes(300)), publish(fourEyes(400), "admin2")]);
    expect([one.version?.version, other.version?.version]).toEqual([5, 5]);
    const [first, second] = await Promise.all([approve(one.action, "admin2"), approve(other.action, "admin")]);
    const refused = [first, second].filter(({ userErrors }) => userErrors.length > 0);
    expect(refused).toMatchObject([{ userErrors: [{ code: "POLICY_CHANGED" }] }]);
    expect(refused[0]?.userErrors[0]?.message).toContain("version 5 of the policy was published since");
    expect(await verdict()).toBe("INTACT");
  });

  it("is withdrawn when somebody denies it", async () => {
    const { action } = await publish(fourEyes(777));
    const deny = `mutation($input: DenyActionInput!) { denyAction(input: $input) { action { status } userErrors { code } } }`;
    await api.gql(deny, { input: { actionId: action?.id, digest: action?.digest, note: "no" } }, { as: "admin2" });
    const { data } = await api.gql<{ policyVersions: { nodes: object[] } }>(VERSIONS, {}, { as: "auditor" });
    expect(data?.policyVersions.nodes[0]).toMatchObject({ version: 6, state: "REJECTED" });
    expect(data?.policyVersions.nodes.at(-1)).toMatchObject({ version: 1, state: "RETIRED" });
  });

  it.each([
    ["an approver", "approver"],
    ["an agent", "agent"],
  ] as const)("is not for %s", async (_, as) => {
    expect((await publish(fourEyes(1), as)).userErrors).toMatchObject([{ code: "ADMINISTRATORS_ONLY" }]);
  });

  it.each([
    ["no YAML", "policy: [", "POLICY_INVALID"],
    ["an unknown variable", fourEyes(1).replace("args.amount", "argument.amount"), "POLICY_INVALID"],
    ["a case that contradicts", fourEyes(1).replace("outcome: PERMIT", "outcome: FORBID"), "POLICY_UNTESTED"],
    ["a rule without a case", fourEyes(1).replace(/ {2}- \{ name: a large one.*\n/, ""), "POLICY_UNTESTED"],
    [
      "the platform of the server",
      fourEyes(1).replace("crm: { region: eu }", "crm: { region: eu }\n    countersign: { region: eu }"),
      "POLICY_INVALID",
    ],
    ["900 kB", fourEyes(1) + "#".repeat(900_000), "POLICY_INVALID"],
  ])("with %s is refused, and the attempt is recorded", async (_, text, code) => {
    const { userErrors, action, version } = await publish(text);
    expect(userErrors).toMatchObject([{ code }]);
    expect([action, version]).toEqual([null, null]);
    const { data } = await api.gql<{ auditEntries: { nodes: { body: { reason: string; actor: { id: string } } }[] } }>(
      `{ auditEntries(first: 1, newestFirst: true, filter: { types: ["POLICY_REFUSED"] }) { nodes { body } } }`,
      {},
      { as: "auditor" },
    );
    expect(data?.auditEntries.nodes[0]?.body).toMatchObject({ reason: code, actor: { id: "admin" } });
  });

  it("of 5 MB is refused before it is read", async () => {
    const input = { document: fourEyes(1) + "#".repeat(5_000_000), note: "much" };
    const authorization = `Bearer ${await api.token("admin")}`;
    const response = await api.post(JSON.stringify({ query: PUBLISH, variables: { input } }), { authorization });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: "BAD_USER_INPUT" } }] });
  });

  it("that is in force already is refused", async () => {
    const { data } = await api.gql<{ policy: { document: string } }>(POLICY, {}, { as: "auditor" });
    expect((await publish(data!.policy.document)).userErrors).toMatchObject([{ code: "NOTHING_CHANGED" }]);
  });

  it("cannot be proposed in another way", async () => {
    const input = {
      idempotencyKey: crypto.randomUUID(),
      platform: "countersign",
      tool: "publish_policy",
      arguments: { version: 9 },
    };
    const query = `mutation($input: ProposeActionInput!) { proposeAction(input: $input) {
      action { status policy { matchedRules { ruleId } } } userErrors { code } } }`;
    for (const as of ["agent", "admin"] as const) {
      const { data } = await api.gql(query, { input: { ...input, idempotencyKey: crypto.randomUUID() } }, { as });
      expect(data).toMatchObject({
        proposeAction: { action: { status: "BLOCKED", policy: { matchedRules: [{ ruleId: "countersign-floor" }] } } },
      });
    }
  });
});

it("a sole administrator can approve after a day, and nobody before", async () => {
  const own = await createTestDatabase();
  const alone = await startApi(own.appUrl);
  try {
    const { data } = await alone.gql<Published>(
      PUBLISH,
      { input: { document: fourEyes(200), note: "n" } },
      { as: "admin" },
    );
    const { action } = data!.publishPolicy;
    expect(Date.parse(action!.expiresAt) - Date.now()).toBeGreaterThan(70 * 3_600_000);
    const input = { actionId: action?.id, digest: action?.digest };
    const early = await alone.gql<{ approveAction: { userErrors: { message: string }[] } }>(
      APPROVE,
      { input },
      { as: "admin" },
    );
    expect(early.data).toMatchObject({ approveAction: { userErrors: [{ code: "REQUESTER_CANNOT_DECIDE" }] } });
    expect(early.data?.approveAction.userErrors[0]?.message).toMatch(/as the only one who could, you can from \d{4}-/);
    // Another one who comes meanwhile need not wait.
    const other = await alone.gql(APPROVE, { input }, { as: "admin2" });
    expect(other.data).toMatchObject({ approveAction: { action: { status: "SUCCEEDED" }, userErrors: [] } });
  } finally {
    await alone.close();
    await own.drop();
  }
});

async function verdict(): Promise<string | undefined> {
  const { data } = await api.gql<{ verifyLedger: { verdict: string; problems: object[] } }>(
    "{ verifyLedger { verdict problems { detail } } }",
    {},
    { as: "auditor" },
  );
  expect(data?.verifyLedger.problems).toEqual([]);
  return data?.verifyLedger.verdict;
}
