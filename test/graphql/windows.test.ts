import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { act, propose } from "./steps.ts";

const { api, database } = serveApi();
let other: Api;

const DOCUMENT = `
policy: 1
catalog:
  platforms:
    crm: { region: eu }
  tools:
    - { platform: crm, name: get_user_details, effect: READ }
    - { platform: crm, name: send_certificate, effect: WRITE }
    - { platform: crm, name: close_account, effect: WRITE }
measures:
  - { name: amount, path: amount }
rules:
  - { id: writes, when: 'tool.effect == "WRITE"', permit: true, reason: Writes are permitted. }
  - id: three-an-hour
    when: tool.name == "close_account" && count("1h", "agent", "tool") > 3
    require: [{ group: approvers, needed: 1 }]
    reason: More than three an hour need a person.
  - id: budget
    when: sum("24h", "amount", "organization") > 1000.0
    forbid: true
    reason: The organization gives away 1,000 a day at most.
cases:
  - { name: the third, given: { platform: crm, tool: close_account, windows: { 'count("1h", "agent", "tool")': 2 } }, expect: { outcome: PERMIT } }
  - { name: the fourth, given: { platform: crm, tool: close_account, windows: { 'count("1h", "agent", "tool")': 3 } }, expect: { outcome: REQUIRE, rules: [writes, three-an-hour] } }
  - { name: too much, given: { platform: crm, tool: send_certificate, arguments: { amount: 101 }, windows: { 'sum("24h", "amount", "organization")': 900 } }, expect: { outcome: FORBID, rules: [writes, budget] } }
`;

interface Published {
  readonly action: { readonly id: string; readonly digest: string };
  readonly userErrors: readonly object[];
}
const versionOn = async (on: Api) =>
  (await on.gql<{ policy: { version: number } }>("{ policy { version } }", {}, { as: "auditor" })).data?.policy.version;

beforeAll(async () => {
  other = await startApi(database.appUrl);
  await api.gql("{ viewer { id } }", {}, { as: "admin2" });
  const input = { document: DOCUMENT, note: "limits" };
  const { action, userErrors } = await act<Published>(
    api,
    "publishPolicy",
    input,
    "admin",
    "action{id digest} userErrors{code message}",
  );
  expect(userErrors).toEqual([]);
  await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "admin2");
  await waitUntil(async () => (await versionOn(api)) === 2 && (await versionOn(other)) === 2);
});
afterAll(() => other?.close());

const SELECTION = `action{id status policy{reason matchedRules{ruleId outcome because}
  explanation{ruleId matched values error}}} entry{body}`;
const close = (on: Api) => propose(on, { platform: "crm", tool: "close_account", arguments: {} }, "agent", SELECTION);
const send = (amount: unknown, on: Api = api) =>
  propose(on, { platform: "crm", tool: "send_certificate", arguments: { amount } }, "agent", SELECTION);
const counted = (all: readonly { readonly action: { readonly status: string } }[]) =>
  Object.fromEntries([...Map.groupBy(all, ({ action }) => action.status)].map(([status, of]) => [status, of.length]));

describe("a policy with windows", () => {
  it("lets three of twenty pass that two servers get at the same moment", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => close(n % 2 === 0 ? api : other)));
    expect(counted(all)).toEqual({ ALLOWED: 3, PENDING: 17 });
    const pending = all.find(({ action }) => action.status === "PENDING");
    expect(pending?.action.policy).toMatchObject({ reason: "More than three an hour need a person." });
    const values = all.map(({ action }) => {
      const { explanation } = action.policy as { explanation: { ruleId: string; values: Record<string, number> }[] };
      return explanation.find(({ ruleId }) => ruleId === "three-an-hour")?.values['count("1h", "agent", "tool")'];
    });
    // Each has a place of its own. Agents are shown the rules that matched.
    const places = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
    expect(places).toEqual(Array.from({ length: 17 }, (_, n) => n + 4));
  });

  it("gives away no more than it says, and says how much that is", async () => {
    const all = await Promise.all(Array.from({ length: 12 }, (_, n) => send("249.99", n % 2 === 0 ? api : other)));
    expect(counted(all)).toEqual({ ALLOWED: 4, BLOCKED: 8 });
    const refused = all.find(({ action }) => action.status === "BLOCKED");
    const because = { 'sum("24h", "amount", "organization")': "1249.95" };
    expect(refused?.action.policy).toMatchObject({ matchedRules: [{ ruleId: "budget", because }, {}] });
    const passed = all.find(({ action }) => action.status === "ALLOWED");
    expect(passed?.entry).toMatchObject({ body: { measures: { amount: "249.99" } } });
    expect((await send(0.04)).action.status).toBe("ALLOWED");
    expect((await send("0.000000000000000001")).action.status).toBe("ALLOWED");
    expect((await send(1)).action.status).toBe("BLOCKED");
  });

  it.each(["abc", -5, null, [1], { of: 1 }, "NaN", "9".repeat(40)])("forbids where %j is an amount", async (amount) => {
    const { action, entry } = await send(amount, other);
    expect(action.status).toBe("BLOCKED");
    expect(action.policy).toMatchObject({ explanation: [{}, { ruleId: "budget", matched: true, values: {} }] });
    expect(entry).toMatchObject({ body: { policy: { rules: [{ ruleId: "budget", failed: true }, {}] } } });
    expect(entry).not.toHaveProperty("body.measures");
  });

  it("explains what it would say now, and leaves the ledger intact", async () => {
    const query = `query($input: ExplainPolicyInput!) { explainPolicy(input: $input) { outcome explanation { ruleId values } } }`;
    const input = { platform: "crm", tool: "close_account", arguments: {}, asPrincipalId: "agent" };
    const { data } = await api.gql(query, { input }, { as: "admin" });
    expect(data).toMatchObject({ explainPolicy: { outcome: "REQUIRE" } });
    const verified = await api.gql("{ verifyLedger { verdict } }", {}, { as: "auditor" });
    expect(verified.data).toEqual({ verifyLedger: { verdict: "INTACT" } });
  });
});
