import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Proposed, startTwoRegions, type TwoRegions } from "../support/two-regions.ts";

/** One idempotency key names one proposal, whichever region the server records it in. */
let regions: TwoRegions;

beforeAll(async () => {
  regions = await startTwoRegions();
});

afterAll(() => regions?.close());

async function actionsIn(region: "eu" | "us"): Promise<number> {
  const { auditEntries } = await regions.app.ask<{ auditEntries: { nodes: object[] } }>(
    `query ($region: String) { auditEntries(region: $region, first: 100, filter: { types: ["ACTION_PROPOSED"] }) { nodes { seq } } }`,
    { region },
    "auditor",
  );
  return auditEntries.nodes.length;
}

const REUSED = { action: null, userErrors: [{ code: "IDEMPOTENCY_KEY_REUSED", path: ["input", "idempotencyKey"] }] };

it("is refused for a proposal of another region, and names the first one still", async () => {
  const idempotencyKey = randomUUID();
  const first = await regions.propose("eu", { idempotencyKey });
  expect(first).toMatchObject({ action: { status: "PENDING" }, userErrors: [] });
  const before = await actionsIn("us");
  expect(await regions.propose("us", { idempotencyKey })).toMatchObject(REUSED);
  expect(await actionsIn("us")).toBe(before);
  expect(await regions.propose("eu", { idempotencyKey })).toMatchObject({ action: { id: first.action.id } });
  // Somebody else's key is another one.
  const other = await regions.token("member", ["member"]);
  expect(await regions.propose("us", { idempotencyKey }, other)).toMatchObject({ userErrors: [] });
});

it("is refused within one call as well, and keeps no other proposal from being made", async () => {
  const [idempotencyKey, single] = [randomUUID(), randomUUID()];
  const crm = { platform: "crm", tool: "update_contact", arguments: {}, repeat: true };
  const sheets = { platform: "sheets", tool: "append_row", arguments: {}, repeat: true };
  const actions = [
    { ...crm, idempotencyKey },
    { ...sheets, idempotencyKey },
    { ...sheets, idempotencyKey: single },
    { ...crm, idempotencyKey },
  ];
  const { proposeActions } = await regions.app.ask<{ proposeActions: { results: Proposed[] } }>(
    `mutation ($input: ProposeActionsInput!) { proposeActions(input: $input) { results { action { id } userErrors { code path } } } }`,
    { input: { actions } },
    "agent",
  );
  const [first, second, third, fourth] = proposeActions.results;
  expect(first).toMatchObject({ action: {}, userErrors: [] });
  const path = ["input", "actions", "1", "idempotencyKey"];
  expect(second).toEqual({ action: null, userErrors: [{ code: "IDEMPOTENCY_KEY_REUSED", path }] });
  expect(third).toMatchObject({ action: {}, userErrors: [] });
  expect(fourth?.action).toEqual(first?.action);
  expect(await regions.propose("eu", { idempotencyKey: single })).toMatchObject(REUSED);
});

it("names the same action after the catalog has moved its platform", async () => {
  const idempotencyKey = randomUUID();
  const first = await regions.propose("eu", { idempotencyKey });
  const document = `policy: 1
catalog:
  platforms: { crm: { region: us }, sheets: { region: us } }
  tools:
    - { platform: crm, name: update_contact, effect: WRITE }
    - { platform: sheets, name: append_row, effect: WRITE }
rules:
  - { id: all, when: 'tool.effect == "WRITE"', require: [{ group: approvers, needed: 1 }], reason: Somebody looks. }
cases:
  - name: a write
    given: { platform: crm, tool: update_contact }
    expect: { outcome: REQUIRE, rules: [all] }
`;
  const { publishPolicy } = await regions.app.ask<{ publishPolicy: { action: { id: string; digest: string } } }>(
    `mutation ($input: PublishPolicyInput!) { publishPolicy(input: $input) { action { id digest } userErrors { message } } }`,
    { input: { document, note: "It moves." } },
    "admin",
  );
  const { id: actionId, digest } = publishPolicy.action;
  const { approveAction } = await regions.app.ask<{ approveAction: object }>(
    `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } userErrors { code } } }`,
    { input: { actionId, digest } },
    "admin2",
  );
  expect(approveAction).toMatchObject({ action: { status: "SUCCEEDED" }, userErrors: [] });
  const before = await actionsIn("us");
  expect(await regions.propose("eu", { idempotencyKey })).toMatchObject({
    action: { id: first.action.id },
    userErrors: [],
  });
  expect(await actionsIn("us")).toBe(before);
  const moved = await regions.propose("eu");
  expect(Buffer.from(moved.action.id, "base64url").toString()).toContain(":acme/us:");
});
