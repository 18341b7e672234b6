import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codesOf, connect, dataOf, type RawClient } from "../http/client.ts";
import { type Proxy as DatabaseProxy, startProxy } from "../support/proxy.ts";
import { startTwoRegions, type TwoRegions } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

/** Subscriptions that name no region are of all regions of the subscriber, and go on behind a position in each. */
let regions: TwoRegions;
let proxy: DatabaseProxy;
let ofBoth: string;
let ofUs: string;
const clients: RawClient[] = [];

beforeAll(async () => {
  const behindProxy = async (url: string) => {
    proxy = await startProxy(url);
    return proxy.url;
  };
  regions = await startTwoRegions({ HEARTBEAT: "0.5" }, behindProxy);
  ofBoth = await regions.app.token("auditor");
  ofUs = await regions.token("auditor", ["auditor", "region:us"]);
  for (const region of ["eu", "us"] as const) await regions.propose(region);
});

afterAll(async () => {
  for (const { socket } of clients) socket.terminate();
  await regions?.close();
  await proxy?.close();
});

interface Position {
  readonly region: string;
  readonly seq: string;
}

interface Event {
  readonly region: string;
  readonly cursor: string;
  readonly asOf: readonly Position[];
  readonly unreadRegions: readonly string[];
  readonly action?: { readonly id: string; readonly platform: string } | null;
  readonly entry?: { readonly type: string; readonly platform: string | null } | null;
}

const REACHED = "region cursor asOf { region seq } unreadRegions";
const PENDING = `subscription ($positions: [RegionPosition!], $after: Sequence, $region: String) {
  pendingApprovals(positions: $positions, after: $after, region: $region) { ${REACHED} change action { id platform } } }`;

/** Events that came, in order; `told` without heartbeats. */
async function subscribe(token: string, query: string, variables: object = {}) {
  const url = regions.app.url.replace(/^http/, "ws");
  const client = await connect(url, token);
  clients.push(client);
  client.send({ type: "subscribe", id: "1", payload: { query, variables } });
  const all = () =>
    client.messages
      .filter(({ type }) => type === "next")
      .map((one) => Object.values(dataOf<Record<string, Event>>(one))[0]!);
  return {
    all,
    told: () => all().filter(({ action, entry }) => (action ?? entry ?? null) !== null),
    /** Once it is there: positions are those of the beginning. */
    began: () => client.next(({ type }) => type === "next"),
    codes: () => client.messages.filter(({ type }) => type === "next" || type === "error").flatMap(codesOf),
  };
}

async function positions(): Promise<readonly Position[]> {
  const { actions } = await regions.app.ask<{ actions: { asOf: readonly Position[] } }>(
    "{ actions(first: 1) { asOf { region seq } } }",
    {},
    "auditor",
  );
  return actions.asOf;
}

const id = async (region: "eu" | "us") => (await regions.propose(region)).action.id;
const ids = (events: readonly Event[]) => events.map(({ action }) => action?.id);

describe("a subscription that names no region", () => {
  it("is of all of them, each in its order, and says where it is in each", async () => {
    const before = await positions();
    const stream = await subscribe(ofBoth, PENDING);
    await stream.began();
    const proposed = [await id("eu"), await id("us"), await id("us"), await id("eu")];
    await waitUntil(() => stream.told().length === 4);
    const told = stream.told();
    expect(new Set(ids(told))).toEqual(new Set(proposed));
    for (const [region, of] of Object.entries({ eu: [0, 3], us: [1, 2] })) {
      const here = told.filter((event) => event.region === region);
      expect(ids(here), region).toEqual(of.map((at) => proposed[at]));
      for (const event of here) {
        expect(event.asOf).toContainEqual({ region, seq: event.cursor });
        expect(event.asOf.map((one) => one.region).toSorted()).toEqual(["eu", "us"]);
        expect(event.unreadRegions).toEqual([]);
      }
    }
    // What a list was read at, and what an event says, is where to go on: nothing is missing, and nothing comes twice.
    const again = await subscribe(ofBoth, PENDING, { positions: before });
    await waitUntil(() => again.told().length === 4);
    expect(new Set(ids(again.told()))).toEqual(new Set(proposed));
    for (const [at, event] of again.told().entries()) {
      const rest = await subscribe(ofBoth, PENDING, { positions: event.asOf });
      await waitUntil(
        () => rest.told().length === 3 - at && rest.all().some(({ action }) => (action ?? null) === null),
      );
      expect(new Set(ids(rest.told()))).toEqual(new Set(ids(again.told().slice(at + 1))));
    }
  });

  it("is of the one ledger that a single position or a region is in", async () => {
    const home = await subscribe(ofBoth, PENDING, { after: "0" });
    const us = await subscribe(ofBoth, PENDING, { after: "0", region: "us" });
    const over = (stream: typeof us) => stream.all().some(({ action }) => (action ?? null) === null);
    await waitUntil(() => over(home) && over(us));
    expect(new Set(home.all().map(({ region }) => region))).toEqual(new Set(["eu"]));
    expect(new Set(us.all().map(({ region }) => region))).toEqual(new Set(["us"]));
    expect(us.told().length).toBeGreaterThan(0);
    expect(us.told()[0]?.asOf).toEqual([{ region: "us", seq: us.told()[0]?.cursor }]);
  });

  it("leaves out what is not the subscriber's", async () => {
    const stream = await subscribe(ofUs, PENDING);
    await stream.began();
    await id("eu");
    const there = await id("us");
    await waitUntil(() => stream.told().length === 1 && stream.all().length > 2);
    expect(ids(stream.told())).toEqual([there]);
    expect(JSON.stringify(stream.all())).not.toContain('"eu"');
    const [eu, us] = await positions();
    for (const [token, variables, code] of [
      [ofUs, { positions: [eu] }, "REGION_ELSEWHERE"],
      [ofBoth, { positions: [{ region: "xx", seq: "1" }] }, "REGION_ELSEWHERE"],
      [ofBoth, { positions: [us, us] }, "BAD_USER_INPUT"],
      [ofBoth, { positions: [us], after: "1" }, "BAD_USER_INPUT"],
      [ofBoth, { positions: [us], region: "us" }, "BAD_USER_INPUT"],
      [ofBoth, { positions: [{ ...us, seq: "999999" }] }, "CURSOR_EXPIRED"],
    ] as const) {
      const refused = await subscribe(token, PENDING, variables);
      await waitUntil(() => refused.codes().length > 0);
      expect(refused.codes(), JSON.stringify(variables)).toEqual([code]);
    }
  });

  it("tells of entries, and of the health of ledgers, of all regions", async () => {
    const before = await positions();
    const audit = `subscription ($positions: [RegionPosition!]) { auditEntries(positions: $positions, filter: { types: ["ACTION_PROPOSED"] }) {
      ${REACHED} entry { type platform } } }`;
    const entries = await subscribe(ofBoth, audit, { positions: before });
    const health = await subscribe(ofBoth, "subscription { ledgerHealth { ledger } }");
    await id("us");
    await id("eu");
    await waitUntil(() => entries.told().length === 2);
    expect(new Set(entries.told().map(({ entry }) => entry?.platform))).toEqual(new Set(["crm", "sheets"]));
    await waitUntil(() => /acme\/eu.*acme\/us|acme\/us.*acme\/eu/.test(JSON.stringify(health.all())));
    for (const region of ["eu", "us"]) {
      const { auditEntries } = await regions.app.ask<{ auditEntries: { nodes: { body: object }[] } }>(
        `query ($region: String) { auditEntries(region: $region, newestFirst: true, first: 50, filter: { types: ["AUDIT_READ"] }) { nodes { body } } }`,
        { region },
        "admin",
      );
      expect(JSON.stringify(auditEntries.nodes), region).toContain("subscription.auditEntries");
    }
  });
});

describe("a region that cannot be read", () => {
  it("keeps no subscriber from the others, and is told of behind its position once it can be", async () => {
    const before = await positions();
    const missed = await id("us");
    proxy.swallow();
    const { port } = new URL(proxy.url);
    await proxy.close();
    const stream = await subscribe(ofBoth, PENDING, { positions: before });
    const first = await id("eu");
    await waitUntil(() => stream.told().length > 0);
    expect(ids(stream.told())).toEqual([first]);
    expect(stream.told()[0]).toMatchObject({ region: "eu", unreadRegions: ["us"] });
    expect(stream.told()[0]?.asOf).toContainEqual(before.find(({ region }) => region === "us"));
    proxy = await startProxy(regions.us.appUrl, Number(port));
    await waitUntil(() => ids(stream.told()).includes(missed), 60_000);
    await waitUntil(() => stream.all().at(-1)?.unreadRegions.length === 0);
  });
});
