import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";

const { api } = serveApi();

interface Proposed {
  readonly proposeAction: { readonly action: { readonly id: string; readonly shadow: object | null } };
}

async function propose(amount: number | string, tool = "send_certificate") {
  const { data } = await api.gql<Proposed>(
    `mutation($input: ProposeActionInput!) { proposeAction(input: $input) {
       action { id status shadow { version outcome ruleIds } } } }`,
    { input: { idempotencyKey: crypto.randomUUID(), platform: "crm", tool, arguments: { amount }, repeat: true } },
    { as: "agent" },
  );
  return data.proposeAction.action;
}

const SIMULATE = `query($document: String!, $days: Int, $first: Int, $after: String) {
  simulatePolicy(document: $document, days: $days) { actions complete changed
    changes(first: $first, after: $after) { cursor before after action { id } explanation { ruleId matched values error } } } }`;

interface Simulated {
  readonly simulatePolicy: {
    readonly actions: number;
    readonly changed: number;
    readonly changes: readonly {
      readonly cursor: string;
      readonly before: string;
      readonly after: string;
      readonly action: { readonly id: string };
      readonly explanation: readonly { readonly ruleId: string }[];
    }[];
  };
}

describe("a simulation", () => {
  it("lists what would change of what was proposed, with the rules that would", async () => {
    await putInForce(api, fourEyes(1_000));
    const ids = [(await propose(50)).id, (await propose(300)).id, (await propose("700")).id];
    await propose(5, "get_user_details");
    const { data, errors } = await api.gql<Simulated>(
      SIMULATE,
      { document: fourEyes(200), first: 1 },
      { as: "auditor" },
    );
    expect(errors).toBeUndefined();
    expect(data.simulatePolicy).toMatchObject({
      actions: 4,
      complete: true,
      changed: 2,
      changes: [{ before: "REQUIRE", after: "REQUIRE", action: { id: ids[2] } }],
    });
    const rules = data.simulatePolicy.changes[0]?.explanation;
    expect(rules).toContainEqual({
      ruleId: "four-eyes",
      matched: true,
      values: { "tool.name": "send_certificate", "args.amount": "700" },
      error: null,
    });
    const after = data.simulatePolicy.changes[0]?.cursor;
    const rest = await api.gql<Simulated>(SIMULATE, { document: fourEyes(200), after }, { as: "auditor" });
    expect(rest.data.simulatePolicy.changes.map(({ action }) => action.id)).toEqual([ids[1]]);
  });

  it("of a document that permits everything says so", async () => {
    const document = `
policy: 1
catalog: { platforms: { crm: { region: eu } }, tools: [{ platform: crm, name: send_certificate, effect: WRITE }] }
rules: [{ id: all, permit: true, reason: why not }]`;
    const { data } = await api.gql(SIMULATE, { document }, { as: "auditor" });
    // What its catalog does not list is forbidden.
    expect(data).toMatchObject({ simulatePolicy: { actions: 4, changed: 4 } });
    const { changes } = (data as Simulated).simulatePolicy;
    expect(changes.map(({ before, after }) => `${before} ${after}`)).toEqual([
      "PERMIT FORBID",
      "REQUIRE PERMIT",
      "REQUIRE PERMIT",
      "REQUIRE PERMIT",
    ]);
  });

  it.each([
    ["no document", { document: "policy: [" }, "POLICY_INVALID"],
    ["no days", { document: fourEyes(1), days: 0 }, "BAD_USER_INPUT"],
    ["a century", { document: fourEyes(1), days: 36_500 }, "BAD_USER_INPUT"],
  ])("of %s is refused", async (_, variables, code) => {
    const { errors } = await api.gql(SIMULATE, variables, { as: "auditor" });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual([code]);
  });

  it("is not for agents and members", async () => {
    for (const as of ["agent", "member"] as const) {
      const { errors } = await api.gql(SIMULATE, { document: fourEyes(1) }, { as });
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["FORBIDDEN"]);
    }
  });
});

describe("a version in state SHADOW", () => {
  it("decides nothing, and what it would lead to is recorded where that differs", async () => {
    await putInForce(api, fourEyes(200), true);
    const { data } = await api.gql(
      "{ policy { version } policyVersions(first: 2) { nodes { version state } } }",
      {},
      { as: "auditor" },
    );
    expect(data).toMatchObject({
      policy: { version: 2 },
      policyVersions: {
        nodes: [
          { version: 3, state: "SHADOW" },
          { version: 2, state: "ACTIVE" },
        ],
      },
    });
    expect((await propose(100)).shadow).toBeNull();
    const { id, shadow } = await propose(500);
    // An agent does not see what is tried.
    expect(shadow).toBeNull();
    const seen = await api.gql(
      `query($id: ID!) { action(id: $id) { policy { version requirements { needed } } shadow { version outcome ruleIds } } }`,
      { id },
      { as: "auditor" },
    );
    expect(seen.data).toEqual({
      action: {
        policy: { version: 2, requirements: [{ needed: 1 }] },
        shadow: { version: 3, outcome: "REQUIRE", ruleIds: ["writes", "four-eyes"] },
      },
    });
    // Published for good, it is a shadow no longer.
    await putInForce(api, fourEyes(200));
    expect((await propose(501)).shadow).toBeNull();
    const now = await api.gql(
      "{ policyVersions(first: 3) { nodes { version state } } verifyLedger { verdict } }",
      {},
      { as: "auditor" },
    );
    expect(now.data).toEqual({
      policyVersions: {
        nodes: [
          { version: 4, state: "ACTIVE" },
          { version: 3, state: "RETIRED" },
          { version: 2, state: "RETIRED" },
        ],
      },
      verifyLedger: { verdict: "INTACT" },
    });
  });
});
