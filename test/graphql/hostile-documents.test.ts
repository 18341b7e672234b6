import { describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";
import { act, propose, type Refusal } from "./steps.ts";

/** Documents, and uses of `publishPolicy`, that are meant to do harm. */
const { api, database } = serveApi({ rateLimits: { changesPerPrincipal: 100_000, changesPerPerson: 100_000 } });

interface Published {
  readonly action: {
    readonly id: string;
    readonly digest: string;
    readonly status: string;
    readonly arguments: { readonly changes: readonly string[]; readonly nobodyIsKnownFor?: readonly string[] };
  } | null;
  readonly userErrors: readonly Refusal[];
}

const SELECTION = "action{id digest status arguments} userErrors{code message path}";
const publish = (document: string, as: "admin" | "admin2" | "agent" = "admin", at: Api = api) =>
  act<Published>(at, "publishPolicy", { document, note: "a test" }, as, SELECTION);
const decide = (
  mutation: "approveAction" | "denyAction",
  { action }: Published,
  as: "admin" | "admin2",
  at: Api = api,
) =>
  act(
    at,
    mutation,
    { actionId: action?.id, digest: action?.digest, note: "a test" },
    as,
    "action{status} userErrors{code message}",
  );

const CERTIFICATE = { platform: "crm", tool: "send_certificate", arguments: { amount: 1 } };

/** A document that requires an approval of approvers, with `reason` as it is written, and further rules, tools and cases. */
const asking = ({
  reason = "r",
  rules = "",
  tools = "",
  cases = "",
  platforms = "",
  measures = "[]",
} = {}) => `policy: 1
catalog:
  platforms: { crm: { region: eu }${platforms} }
  tools:
    - { platform: crm, name: send_certificate, effect: WRITE }
${tools}
measures: ${measures}
rules:
  - { id: all, require: [{ group: approvers, needed: 1 }], reason: ${reason} }
${rules}
cases:
  - { name: all, given: { platform: crm, tool: send_certificate }, expect: { outcome: REQUIRE } }
${cases}
`;
const givenTo = (tool: string, given: string) =>
  `  - { name: c, given: { platform: crm, tool: ${tool}, arguments: ${given} }, expect: { outcome: REQUIRE } }`;

describe("a document", () => {
  it.each([
    ["U+0000 in a reason", asking({ reason: String.raw`"a\0b"` }), "cannot be stored"],
    ["a tag of 200,000 characters", asking({ reason: `!${"x".repeat(2e5)} r` }), "is not YAML"],
  ])("with %s is refused in a short message", async (_, document, complaint) => {
    const { userErrors, action } = await publish(document);
    expect(action).toBeNull();
    expect(userErrors).toMatchObject([{ code: "POLICY_INVALID", message: expect.stringContaining(complaint) }]);
    expect(userErrors[0]?.message.length).toBeLessThan(1_000);
  });

  it("may have names that objects of JavaScript have, which are names like any other", async () => {
    const names = "[__proto__, constructor, toString]";
    const document = asking({
      platforms: ", constructor: { region: eu }, hasOwnProperty: { region: us }",
      tools: `    - { platform: crm, name: __proto__, effect: WRITE, data: ${names}, required: ${names} }`,
      measures: "[{ name: constructor, path: constructor }, { name: x, path: __proto__.a }]",
      rules: [
        "  - { id: constructor, when: 'has(args.constructor)', require: [{ group: __proto__, needed: 1 }], reason: r }",
        `  - { id: groups, when: '"toString" in tool.data', require: [{ group: constructor, needed: 1 }], reason: r }`,
      ].join("\n"),
      cases: givenTo("__proto__", "{ constructor: 2, toString: 3 }"),
    });
    // A call without the argument __proto__ is forbidden, and a case cannot have one.
    expect((await publish(document)).userErrors).toMatchObject([{ code: "POLICY_UNTESTED" }]);
    await putInForce(api, document.replace("required: [__proto__, ", "required: ["));
    const { action } = await propose(api, { ...CERTIFICATE, arguments: { constructor: 5 } });
    expect(action).toMatchObject({
      status: "PENDING",
      policy: { requirements: [{ group: "__proto__" }, { group: "approvers" }] },
    });
    const { action: other } = await propose(api, { platform: "crm", tool: "__proto__", arguments: {} });
    expect(other).toMatchObject({
      status: "BLOCKED",
      policy: { matchedRules: [{ ruleId: "missing-arguments" }, {}, {}] },
    });
  });
});

describe("a document under which nobody can approve anything", () => {
  const LOCKED = asking().replaceAll("approvers", "ghosts");

  it("is said to be one, and can be replaced", async () => {
    const published = await publish(LOCKED);
    expect(published.action?.arguments.nobodyIsKnownFor).toEqual(["rule all: 1 of ghosts"]);
    expect((await decide("approveAction", published, "admin2")).action?.status).toBe("SUCCEEDED");
    expect((await propose(api, CERTIFICATE)).action.status).toBe("PENDING");
    const again = await publish(fourEyes(200));
    expect(again.action?.arguments.nobodyIsKnownFor).toBeUndefined();
    expect((await decide("approveAction", again, "admin2")).action?.status).toBe("SUCCEEDED");
  });

  it("that forbids everything does not forbid the next one", async () => {
    await putInForce(
      api,
      asking().replace("require: [{ group: approvers, needed: 1 }]", "forbid: true").replace("REQUIRE", "FORBID"),
    );
    expect((await propose(api, CERTIFICATE)).action.status).toBe("BLOCKED");
    await putInForce(api, fourEyes(200));
  });
});

describe("publishing", () => {
  it("on two servers at once puts one document in force, whoever approves which where", async () => {
    const other = await startApi(database.appUrl);
    try {
      const [one, two] = await Promise.all([publish(fourEyes(301)), publish(fourEyes(302), "admin2", other)]);
      // Each is approved twice, on both servers.
      const approved = await Promise.all([
        decide("approveAction", one, "admin2", api),
        decide("approveAction", one, "admin2", other),
        decide("approveAction", two, "admin", other),
        decide("approveAction", two, "admin", api),
      ]);
      expect(approved.filter(({ userErrors }) => userErrors.length === 0)).toHaveLength(1);
      const codes = approved.flatMap(({ userErrors }) => userErrors.map(({ code }) => code));
      expect(codes.filter((code) => !["POLICY_CHANGED", "NOT_PENDING"].includes(code))).toEqual([]);
      const { data } = await api.gql("{verifyLedger{verdict problems{detail}}}", {}, { as: "auditor" });
      expect(data).toEqual({ verifyLedger: { verdict: "INTACT", problems: [] } });
    } finally {
      await other.close();
    }
  });

  it("is decided by nobody twice, nor by whoever asked for it, nor after it was denied", async () => {
    const published = await publish(fourEyes(401));
    expect((await decide("approveAction", published, "admin")).userErrors).toMatchObject([
      { code: "REQUESTER_CANNOT_DECIDE" },
    ]);
    expect((await decide("denyAction", published, "admin2")).action?.status).toBe("DENIED");
    expect((await decide("approveAction", published, "admin2")).userErrors).toHaveLength(1);
    expect((await publish(fourEyes(401), "agent")).userErrors).toMatchObject([{ code: "ADMINISTRATORS_ONLY" }]);
  });

  it("by an agent's proposals, one by one or together, ends BLOCKED for each of them", async () => {
    const own = { platform: "countersign", tool: "publish_policy", repeat: true };
    const inputs = Array.from({ length: 50 }, (_, version) => ({
      ...own,
      idempotencyKey: crypto.randomUUID(),
      arguments: { version, mode: "ACTIVE", publishes: { document: fourEyes(1) } },
    }));
    const { results } = await act<{ results: { action: { status: string } }[] }>(
      api,
      "proposeActions",
      { actions: inputs },
      "agent",
      "results{action{status}}",
    );
    expect(new Set(results.map(({ action }) => action.status))).toEqual(new Set(["BLOCKED"]));
    const { data } = await api.gql<{ policyVersions: { nodes: { state: string }[] } }>(
      "{policyVersions(first:1){nodes{version state}}}",
      {},
      { as: "auditor" },
    );
    expect(data?.policyVersions.nodes).toMatchObject([{ state: "REJECTED" }]);
  });
});

it("a stricter document binds a thousand actions that wait, and a looser one lets them go on as they were asked for", async () => {
  const together = async <Data>(
    mutation: string,
    inputs: readonly object[],
    member: string,
    as: "agent" | "approver",
  ) => {
    const all: Data[] = [];
    for (let at = 0; at < inputs.length; at += 100) {
      const input = { [member]: inputs.slice(at, at + 100) };
      const selection = "results{action{id digest status} userErrors{code}}";
      all.push(...(await act<{ results: Data[] }>(api, mutation, input, as, selection)).results);
    }
    return all;
  };
  type Result = { action: { id: string; digest: string; status: string } | null; userErrors: { code: string }[] };
  await putInForce(api, fourEyes(5_000));
  const proposals = Array.from({ length: 1_000 }, (_, at) => ({
    ...CERTIFICATE,
    arguments: { amount: 1_001 + at },
    idempotencyKey: crypto.randomUUID(),
  }));
  const waiting = await together<Result>("proposeActions", proposals, "actions", "agent");
  expect(waiting.filter(({ action }) => action?.status !== "PENDING")).toEqual([]);
  const decisions = waiting.map(({ action }) => ({ actionId: action?.id, digest: action?.digest, verdict: "APPROVE" }));

  await putInForce(api, fourEyes(1_000));
  const refused = await together<Result>("decideActions", decisions, "decisions", "approver");
  expect(refused).toHaveLength(1_000);
  expect(refused.filter(({ userErrors }) => userErrors[0]?.code !== "POLICY_CHANGED")).toEqual([]);

  await putInForce(api, fourEyes(1_500));
  const decided = await together<Result>("decideActions", decisions, "decisions", "approver");
  expect(decided.filter(({ action }) => action?.status === "APPROVED")).toHaveLength(500);
  expect(decided.slice(500).filter(({ userErrors }) => userErrors[0]?.code !== "POLICY_CHANGED")).toEqual([]);
});
