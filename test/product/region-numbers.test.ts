import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Proxy as DatabaseProxy, startProxy } from "../support/proxy.ts";
import { type Proposed, startTwoRegions, type TwoRegions } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

/** What is counted, simulated and queued in all regions together. */
let regions: TwoRegions;
let proxy: DatabaseProxy;
let ofUs: string;

beforeAll(async () => {
  const behindProxy = async (url: string) => {
    proxy = await startProxy(url);
    return proxy.url;
  };
  regions = await startTwoRegions({ CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1" }, behindProxy);
  ofUs = await regions.token("auditor", ["auditor", "region:us"]);
  const decide = async ({ id, digest }: Proposed["action"], verb: "approve" | "deny") => {
    const Verb = verb === "approve" ? "Approve" : "Deny";
    await regions.app.ask(
      `mutation ($input: ${Verb}ActionInput!) { ${verb}Action(input: $input) { userErrors { code } } }`,
      { input: { actionId: id, digest, note: "looked at" } },
      "approver",
    );
  };
  await decide((await regions.propose("eu")).action, "approve");
  await decide((await regions.propose("us")).action, "deny");
  await decide((await regions.propose("us")).action, "approve");
  await regions.propose("eu");
});

afterAll(async () => {
  await regions?.close();
  await proxy?.close();
});

async function as<Data>(token: string | undefined, query: string, variables: object = {}): Promise<Data> {
  const bearer = token ?? (await regions.app.token("auditor"));
  const { data, errors } = await regions.app.post<Data>(query, variables, bearer);
  if (data === undefined || data === null || errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

interface Oversight {
  readonly proposals: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly medianSecondsToDecide: number | null;
  readonly openedBeforeDeciding: number | null;
  readonly overrides: number;
  readonly load: readonly { readonly approverId: string; readonly decisions: number; readonly denials: number }[];
  readonly separationOfDuties: { readonly decisions: number; readonly violations: number; readonly query: string };
  readonly asOf: readonly { readonly region: string }[];
  readonly unreadRegions: readonly string[];
}

const COUNT = `query ($region: String) { oversight(region: $region, from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z") {
  proposals statuses medianSecondsToDecide openedBeforeDeciding decidedWithinFiveSeconds overrides breakGlass
  load { approverId decisions denials medianSecondsToDecide } separationOfDuties { decisions violations exceptions query }
  unmatchedRules asOf { region } unreadRegions } }`;

const counted = async (region?: string, token?: string) =>
  (await as<{ oversight: Oversight }>(token, COUNT, { region })).oversight;

const DOCUMENT = `policy: 1
catalog:
  platforms: { crm: { region: eu }, sheets: { region: us } }
  tools:
    - { platform: crm, name: update_contact, effect: WRITE }
    - { platform: sheets, name: append_row, effect: WRITE }
rules:
  - { id: none, when: 'tool.effect == "WRITE"', forbid: true, reason: None. }
cases:
  - name: a write
    given: { platform: crm, tool: update_contact }
    expect: { outcome: FORBID, rules: [none] }
`;
const SIMULATE = `query ($document: String!, $region: String, $first: Int, $after: String) {
  simulatePolicy(document: $document, region: $region) { actions complete changed unreadRegions
    changes(first: $first, after: $after) { cursor before after action { id platform proposedAt } explanation { ruleId matched } } } }`;

interface Simulation {
  readonly actions: number;
  readonly complete: boolean;
  readonly changed: number;
  readonly unreadRegions: readonly string[];
  readonly changes: readonly {
    readonly cursor: string;
    readonly action: { readonly id: string; readonly platform: string; readonly proposedAt: string };
    readonly explanation: readonly object[];
  }[];
}

const simulated = async (variables: object = {}, token?: string) =>
  (await as<{ simulatePolicy: Simulation }>(token, SIMULATE, { document: DOCUMENT, ...variables })).simulatePolicy;

describe("without a region", () => {
  it("oversight is the sum of what it is in each", async () => {
    const [all, eu, us] = [await counted(), await counted("eu"), await counted("us")];
    expect(all).toMatchObject({ asOf: [{ region: "eu" }, { region: "us" }], unreadRegions: [], overrides: 1 });
    expect(all.proposals).toEqual({ PERMIT: 0, REQUIRE: 4, FORBID: 0 });
    expect(all.statuses).toEqual({ APPROVED: 2, DENIED: 1, PENDING: 1 });
    expect(all.load).toMatchObject([{ approverId: "approver", decisions: 3, denials: 1, medianSecondsToDecide: null }]);
    expect(all.separationOfDuties).toMatchObject({ decisions: 3, violations: 0 });
    expect(all.separationOfDuties.query).toContain("'acme/eu'");
    expect(all.separationOfDuties.query).toContain("'acme/us'");
    expect(all.medianSecondsToDecide).toBeNull();
    expect(eu.medianSecondsToDecide).toEqual(expect.any(Number));
    expect(us.separationOfDuties.decisions + eu.separationOfDuties.decisions).toBe(3);
    expect(await counted(undefined, ofUs)).toMatchObject({ asOf: [{ region: "us" }], unreadRegions: [], overrides: 1 });
  });

  it("a policy is simulated for what was proposed in each, page by page", async () => {
    const whole = await simulated({ first: 100 });
    expect(whole).toMatchObject({ actions: 4, complete: true, changed: 4, unreadRegions: [] });
    const times = whole.changes.map(({ action }) => action.proposedAt);
    expect(times).toEqual(times.toSorted().reverse());
    expect(whole.changes.map(({ action }) => action.platform)).toEqual(["crm", "sheets", "sheets", "crm"]);
    for (const { explanation } of whole.changes) expect(explanation).toEqual([{ ruleId: "none", matched: true }]);
    const found: string[] = [];
    for (let after: string | undefined; found.length < 4; ) {
      const { changes } = await simulated({ first: 1, after });
      found.push(changes[0]?.action.id ?? "");
      after = changes[0]?.cursor;
    }
    expect(found).toEqual(whole.changes.map(({ action }) => action.id));
    expect(await simulated({ region: "us" })).toMatchObject({ actions: 2, changed: 2 });
    const limited = await simulated({ first: 9 }, ofUs);
    expect(limited.changes.map(({ action }) => action.platform)).toEqual(["sheets", "sheets"]);
  });

  it("what waits for a channel is what waits in each", async () => {
    const webhook = { url: "http://127.0.0.1:9/", signingSecrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] };
    const { configureChannel } = await regions.app.ask<{ configureChannel: object }>(
      `mutation ($input: ConfigureChannelInput!) { configureChannel(input: $input) { userErrors { code message } } }`,
      { input: { name: "events", webhook } },
      "admin",
    );
    expect(configureChannel).toEqual({ userErrors: [] });
    for (const region of ["eu", "us", "us"] as const) await regions.propose(region);
    const queue = async (token?: string) => {
      const { channels } = await as<{ channels: { queue: { waiting: number; unreadRegions: string[] } }[] }>(
        token,
        "{ channels { queue { waiting failures problem unreadRegions } } }",
      );
      return channels[0]?.queue;
    };
    const ofEu = await regions.token("auditor", ["auditor", "region:eu"]);
    const waiting = async () =>
      Promise.all([undefined, ofEu, ofUs].map(async (token) => (await queue(token))?.waiting));
    await waitUntil(async () => {
      const [all = 0, eu = 0, us = 0] = await waiting();
      return eu > 0 && us > eu && all === eu + us;
    });
    expect(await queue(ofUs)).toMatchObject({ unreadRegions: [] });
  });
});

describe("a region that is down", () => {
  it("is left out of what is counted, and named", async () => {
    proxy.swallow();
    await proxy.close();
    expect(await counted()).toMatchObject({ asOf: [{ region: "eu" }], unreadRegions: ["us"], overrides: 0 });
    const { changes, ...rest } = await simulated({ first: 9 });
    expect(rest).toMatchObject({ actions: 3, unreadRegions: ["us"] });
    expect(new Set(changes.map(({ action }) => action.platform))).toEqual(new Set(["crm"]));
    const { channels } = await as<{ channels: object[] }>(
      undefined,
      "{ channels { queue { waiting unreadRegions } } }",
    );
    expect(channels).toEqual([{ queue: { waiting: 1, unreadRegions: ["us"] } }]);
  });
});
