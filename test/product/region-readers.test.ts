import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countersign } from "../cli/run.ts";
import { type Proposed, startTwoRegions, type TwoRegions } from "../support/two-regions.ts";

/** Who may read and work in some regions alone, by the roles `region:<region>`. */
let regions: TwoRegions;
let eu: Proposed["action"];
let us: Proposed["action"];
/** Auditors whose tokens limit them. */
let ofEu: string;
let ofUs: string;
let ofBoth: string;

beforeAll(async () => {
  regions = await startTwoRegions();
  eu = (await regions.propose("eu")).action;
  us = (await regions.propose("us")).action;
  const token = (...roles: string[]) => regions.token("auditor", ["auditor", "admin", ...roles]);
  [ofEu, ofUs, ofBoth] = await Promise.all([token("region:eu"), token("region:us"), token("region:eu", "region:us")]);
});

afterAll(() => regions?.close());

const NOT_HERE = [{ extensions: { code: "REGION_ELSEWHERE" } }];

interface Page {
  readonly nodes: readonly { readonly platform: string; readonly type: string }[];
  readonly asOf: readonly { readonly region: string }[];
  readonly unreadRegions: readonly string[];
}

async function read<Data = Record<string, unknown>>(token: string, query: string, variables: object = {}) {
  const { data, errors } = await regions.app.post<Data>(query, variables, token);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data as Data;
}

const refusedTo = async (token: string, query: string, variables: object = {}) =>
  (await regions.app.post(query, variables, token)).errors;

const LISTS = `{
  actions(first: 100) { nodes { platform } asOf { region } unreadRegions }
  pendingApprovals(first: 100) { nodes { platform } asOf { region } unreadRegions }
  auditEntries(first: 100, filter: { types: ["ACTION_PROPOSED"] }) { nodes { platform } asOf { region } unreadRegions } }`;

describe("a reader who is limited to regions", () => {
  it.each([
    ["the home region", () => ofEu, ["crm"], ["eu"]],
    ["another region", () => ofUs, ["sheets"], ["us"]],
    ["both", () => ofBoth, ["crm", "sheets"], ["eu", "us"]],
    ["none", () => regions.app.token("auditor"), ["crm", "sheets"], ["eu", "us"]],
  ])("finds in lists what is of %s, and of the rest not even that it was read", async (_, token, platforms, names) => {
    const lists = await read<Record<string, Page>>(await token(), LISTS);
    for (const [name, { nodes, asOf, unreadRegions }] of Object.entries(lists)) {
      expect(new Set(nodes.map(({ platform }) => platform)), name).toEqual(new Set(platforms));
      expect(
        asOf.map(({ region }) => region),
        name,
      ).toEqual(names);
      expect(unreadRegions, name).toEqual([]);
    }
  });

  it("gets the ledger of their region where none is named, and no other by name", async () => {
    const asked = `query ($region: String) { ledger(region: $region) { id head { seq } }
      verifyLedger(region: $region) { verdict } auditEntry(region: $region, seq: "1") { type }
      oversight(region: $region, from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z") { asOf { ledger } }
      undeliveredNotices(region: $region) { asOf { ledger } } }`;
    expect(await read(ofUs, asked)).toMatchObject({
      ledger: { id: "acme/us" },
      verifyLedger: { verdict: "INTACT" },
      auditEntry: { type: "LEDGER_CREATED" },
      oversight: { asOf: [{ ledger: "acme/us" }] },
      undeliveredNotices: { asOf: [{ ledger: "acme/us" }] },
    });
    for (const [token, region] of [
      [ofUs, "eu"],
      [ofEu, "us"],
    ] as const) {
      const errors = (await refusedTo(token, asked, { region })) ?? [];
      expect(errors.length).toBeGreaterThan(0);
      // Told like a region that there is not.
      const nowhere = (await refusedTo(token, asked, { region: "xx" })) ?? [];
      const told = (list: typeof errors) =>
        list.map(({ message, extensions }) => [message.replace(`"${region}"`, '"xx"'), extensions?.code]);
      expect(told(errors)).toEqual(told(nowhere));
    }
    const subscribed = await refusedTo(ofEu, 'subscription { pendingApprovals(region: "us") { change } }');
    expect(subscribed).toMatchObject(NOT_HERE);
  });

  it("finds nothing of another region by any id, and decides nothing there", async () => {
    const entryId = `query ($id: ID!) { action(id: $id) { entries { id } } }`;
    for (const [token, hidden, region] of [
      [ofUs, eu, "eu"],
      [ofEu, us, "us"],
    ] as const) {
      const { action } = await read<{ action: { entries: { id: string }[] } }>(ofBoth, entryId, { id: hidden.id });
      const found = await read(
        token,
        `query ($id: ID!, $entry: ID!, $uuid: ID!) {
          action(id: $id) { id } bare: action(id: $uuid) { id } node(id: $id) { id } entry: node(id: $entry) { id }
          waitForDecision(id: $id, seconds: 0) { id }
          auditEntries(filter: { actionId: $id }) { nodes { type } asOf { region } } }`,
        { id: hidden.id, uuid: hidden.uuid, entry: action.entries[0]?.id },
      );
      expect(found, region).toMatchObject({ action: null, bare: null, node: null, entry: null, waitForDecision: null });
      expect((found.auditEntries as Page).nodes).toEqual([]);
      expect((found.auditEntries as Page).asOf).not.toContainEqual({ region });
      const approver = await regions.token("approver", ["approver", token === ofUs ? "region:us" : "region:eu"]);
      const decided = await read(
        approver,
        `mutation ($one: ApproveActionInput!, $many: DecideActionsInput!) {
          approveAction(input: $one) { action { id } userErrors { code } }
          decideActions(input: $many) { results { action { id } userErrors { code } } } }`,
        {
          one: { actionId: hidden.id, digest: hidden.digest },
          many: { decisions: [{ actionId: hidden.id, digest: hidden.digest, verdict: "APPROVE" }] },
        },
      );
      const refused = { action: null, userErrors: [{ code: "NOT_FOUND" }] };
      expect(decided).toEqual({ approveAction: refused, decideActions: { results: [refused] } });
    }
  });

  it("shows nothing of it from what is of the whole organization", async () => {
    const { channels, policyVersions, principals } = await read<Record<string, object>>(
      ofUs,
      `{ channels { name } policyVersions { nodes { version } } principals { nodes { id } } }`,
    );
    expect({ channels, policyVersions }).toEqual({ channels: [], policyVersions: { nodes: [{ version: 1 }] } });
    expect(JSON.stringify(principals)).toContain("auditor");
    const started = await read<{ startSession: { session: { entries: { nodes: object[] } } } }>(
      ofUs,
      `mutation { startSession(input: {}) { session { id entries { nodes { type action { id } } } } } }`,
    );
    expect(started.startSession.session.entries.nodes).toEqual([{ type: "SESSION_STARTED", action: null }]);
  });

  it("proposes and publishes in their regions alone, for a person as well as for an agent", async () => {
    const agent = await regions.token("agent", ["agent", "region:eu"]);
    expect(await regions.propose("us", {}, agent)).toMatchObject({
      action: null,
      userErrors: [{ code: "REGION_ELSEWHERE" }],
    });
    expect(await regions.propose("eu", {}, agent)).toMatchObject({ action: { status: "PENDING" }, userErrors: [] });
    const { publishPolicy } = await read<{ publishPolicy: object }>(
      ofUs,
      `mutation { publishPolicy(input: { document: "policy: 1\\ncatalog: { platforms: {}, tools: [] }\\nrules: []\\n", note: "x" }) {
        action { id } userErrors { code } } }`,
    );
    expect(publishPolicy).toMatchObject({ action: null, userErrors: [{ code: "REGION_ELSEWHERE" }] });
  });

  it("exports and verifies over the API what is of their region", async () => {
    const as = (token: string) => ({ DATA_DIR: regions.app.dataDir, COUNTERSIGN_TOKEN: token });
    const exported = await countersign(["export", "--url", regions.app.url, "--to", "1"], as(ofUs));
    expect(JSON.parse(exported.stdout)).toMatchObject({ ledger: "acme/us", seq: "1" });
    for (const command of ["export", "verify"]) {
      const refused = await countersign([command, "--url", regions.app.url, "--region", "us"], as(ofEu));
      expect(refused.code, command).not.toBe(0);
      expect(refused.stderr, command).toContain("does not serve region");
      expect(refused.stdout, command).not.toContain("acme/us");
    }
  });
});

describe("an administrator", () => {
  const SET = `mutation ($input: SetPrincipalRolesInput!) { setPrincipalRoles(input: $input) {
    entry { type body } userErrors { code message } } }`;
  const set = async (token: string, principalId: string, roles: readonly string[]) =>
    (await read<{ setPrincipalRoles: object }>(token, SET, { input: { principalId, roles } })).setPrincipalRoles;

  it("limits a person and an agent to regions, which is recorded and ends what they had open", async () => {
    const token = await regions.token("approver2", ["approver"]);
    const before = await read<Record<string, Page>>(token, LISTS);
    expect(before.actions?.asOf).toHaveLength(2);
    const opened = await fetch(regions.app.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: 'subscription { pendingApprovals(region: "us") { change } }' }),
    });
    const admin = await regions.app.token("admin");
    const changed = await set(admin, "approver2", ["approver", "region:eu"]);
    expect(changed).toMatchObject({ entry: { type: "PRINCIPAL_ROLES_CHANGED" }, userErrors: [] });
    expect(await opened.text()).toContain("UNAUTHENTICATED");
    const after = await read<Record<string, Page>>(token, LISTS);
    expect(after.actions?.asOf).toEqual([{ region: "eu" }]);
    expect(await set(admin, "approver2", ["approver"])).toMatchObject({ userErrors: [] });
    expect((await read<Record<string, Page>>(token, LISTS)).actions?.asOf).toHaveLength(2);

    // Whatever agents do for a person, they do where that person may.
    expect(await set(admin, "member", ["region:us"])).toMatchObject({ userErrors: [] });
    expect(await regions.propose("eu")).toMatchObject({ userErrors: [{ code: "REGION_ELSEWHERE" }] });
    expect(await set(admin, "member", [])).toMatchObject({ userErrors: [] });
    expect(await regions.propose("eu")).toMatchObject({ userErrors: [] });
  });

  it("who is limited opens no other region to anybody", async () => {
    for (const [roles, code] of [
      [["auditor"], "ADMINISTRATORS_ONLY"],
      [["auditor", "region:us"], "ADMINISTRATORS_ONLY"],
      [["auditor", "region:eu", "region:us"], "ADMINISTRATORS_ONLY"],
      [["auditor", "region:EU"], "INVALID_INPUT"],
    ] as const) {
      expect(await set(ofEu, "member", roles), String(roles)).toMatchObject({ userErrors: [{ code }] });
    }
    expect(await set(ofEu, "member", ["auditor", "region:eu"])).toMatchObject({ userErrors: [] });
  });
});
