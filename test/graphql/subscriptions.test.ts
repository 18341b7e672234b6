import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { connect, dataOf, type Message } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose, READ } from "./steps.ts";

let database: TestDatabase;
/** Two servers on one database. */
let api: Api;
let other: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { heartbeat: 0.3 });
  other = await startApi(database.appUrl, { heartbeat: 0.3 });
});

afterAll(async () => {
  await api?.close();
  await other?.close();
  await database?.drop();
});

const head = async () =>
  (await api.gql<{ ledger: { head: { seq: string } } }>("{ledger{head{seq}}}", {}, { as: "auditor" })).data.ledger.head
    .seq;

/** What events hold, as far as tests look into it. */
interface Event {
  readonly pendingApprovals: {
    readonly cursor: string;
    readonly change: string;
    readonly action: { readonly id: string; readonly status: string };
  };
  readonly actionChanged: {
    readonly status: string;
    readonly expiresAt: string | null;
    readonly decisions: readonly object[];
    readonly entries: readonly object[];
    readonly result: unknown;
  };
  readonly auditEntries: {
    readonly cursor: string;
    readonly entry: { readonly seq: string; readonly hash: string; readonly prevHash: string };
  };
}

/** Subscribes; `events` are the payloads' data that came, heartbeats left out. */
async function subscribe(at: Api, as: DemoName, query: string) {
  const client = await connect(at.wsUrl, await at.token(as));
  client.send({ type: "subscribe", id: "1", payload: { query } });
  const isEvent = ({ type, payload }: Message) =>
    type === "next" &&
    !JSON.stringify(payload).includes("HEARTBEAT") &&
    !JSON.stringify(payload).includes('"entry":null');
  return {
    events: () => client.messages.filter(isEvent).map(dataOf<Event>),
    heard: () => client.messages.filter((message) => message.type === "next" && !isEvent(message)).map(dataOf<Event>),
    leave: async () => {
      client.socket.close();
      await client.closed;
    },
  };
}

describe("pendingApprovals", () => {
  it("sends what becomes and ceases to be pending, in order, also from another server", async () => {
    const after = await head();
    const query = `subscription{pendingApprovals(after:"${after}"){cursor change action{id status}}}`;
    const following = await subscribe(other, "approver", query);
    const { action } = await propose(api);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    await expect.poll(() => following.events().length).toBe(2);
    const told = following.events().map(
      ({
        pendingApprovals: {
          change,
          action: { status },
        },
      }) => [change, status],
    );
    expect(told).toEqual([
      ["ADDED", "PENDING"],
      ["REMOVED", "APPROVED"],
    ]);
    await following.leave();

    // Whoever comes back with a cursor misses nothing and sees the same.
    const replayed = await subscribe(api, "approver", query);
    await expect.poll(() => replayed.events().length).toBe(2);
    expect(replayed.events()).toEqual(following.events());
    await replayed.leave();
  });

  it("sends only what the caller can decide, if requested", async () => {
    const after = await head();
    const query = `subscription{pendingApprovals(after:"${after}",onlyDecidable:true){change action{id}}}`;
    const member = await subscribe(api, "member", query);
    const approver = await subscribe(api, "approver", query);
    const { action } = await propose(api);
    await expect.poll(() => approver.events().length).toBe(1);
    await expect.poll(() => member.heard().length).toBeGreaterThan(0);
    expect(member.events()).toEqual([]);
    await act(api, "cancelAction", { actionId: action.id }, "agent");
    await expect
      .poll(() => member.events().map(({ pendingApprovals }) => pendingApprovals.change))
      .toEqual(["REMOVED"]);
    await member.leave();
    await approver.leave();
  });

  it("sends an organization nothing of another, but heartbeats", async () => {
    const outsider = await subscribe(
      api,
      "outsider",
      'subscription{pendingApprovals(after:"0"){cursor change action{id}}}',
    );
    await propose(api);
    await expect.poll(() => outsider.heard().length).toBeGreaterThan(1);
    expect(outsider.events()).toEqual([]);
    expect(outsider.heard()[0]?.pendingApprovals).toMatchObject({ change: "HEARTBEAT", action: null });
    await outsider.leave();
  });
});

describe("a busy ledger without events for a subscriber", () => {
  it("lets it know that it lives, and how far it is", async () => {
    const pending = await subscribe(api, "approver", "subscription{pendingApprovals{cursor change action{id}}}");
    const filtered = await subscribe(
      api,
      "auditor",
      'subscription{auditEntries(filter:{tool:"no such tool"}){cursor entry{seq}}}',
    );
    const cursors = () => [
      pending.heard().map(({ pendingApprovals }) => BigInt(pendingApprovals.cursor)),
      filtered.heard().map(({ auditEntries }) => BigInt(auditEntries.cursor)),
    ];
    // Never quiet for as long as a heartbeat takes, until each has heard three.
    await expect
      .poll(
        async () => {
          await propose(other, READ, "agent", "action{id}");
          return Math.min(...cursors().map((heard) => heard.length));
        },
        { interval: 20, timeout: 30_000 },
      )
      .toBeGreaterThanOrEqual(3);
    for (const heard of cursors()) {
      const [first = 0n] = heard;
      expect(heard.at(-1)).toBeGreaterThan(first);
    }
    expect([...pending.events(), ...filtered.events()]).toEqual([]);
    await pending.leave();
    await filtered.leave();
  });
});

describe("pendingApprovals where two must approve", () => {
  it("removes, for whom it matters, what somebody approved but others still may", async () => {
    const strict = await startApi(database.appUrl, { approvers: 2 });
    const after = await head();
    const query = (options: string) =>
      `subscription{pendingApprovals(after:"${after}"${options}){change action{id status}}}`;
    const mine = await subscribe(strict, "approver", query(",onlyDecidable:true"));
    const others = await subscribe(strict, "approver2", query(",onlyDecidable:true"));
    const all = await subscribe(strict, "approver", query(""));
    const changes = (of: typeof mine) => of.events().map(({ pendingApprovals }) => pendingApprovals.change);
    const { action } = await propose(strict);
    const approve = { actionId: action.id, digest: action.digest };
    const selection = "action{status viewerCanDecide viewerBlockedBecause} userErrors{code}";
    expect(await act(strict, "approveAction", approve, "approver", selection)).toEqual({
      action: { status: "PENDING", viewerCanDecide: false, viewerBlockedBecause: ["ALREADY_VOTED"] },
      userErrors: [],
    });
    await expect.poll(() => changes(mine)).toEqual(["ADDED", "REMOVED"]);
    await expect.poll(() => changes(others)).toEqual(["ADDED", "UPDATED"]);
    await expect.poll(() => changes(all)).toEqual(["ADDED", "UPDATED"]);
    // Whoever approved may still deny, as `viewerCanDecide` says.
    const denied = await act(strict, "denyAction", { ...approve, note: "on second thoughts" }, "approver");
    expect(denied).toMatchObject({ action: { status: "DENIED" }, userErrors: [] });
    await expect.poll(() => changes(others)).toEqual(["ADDED", "UPDATED", "REMOVED"]);
    for (const subscription of [mine, others, all]) await subscription.leave();
    await strict.close();
  });
});

describe("actionChanged", () => {
  it("replays how an action changed, as it stood each time, then follows", async () => {
    const { action, entry } = await propose(api);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    const before = String(BigInt(entry.seq) - 1n);
    const query = `subscription{actionChanged(id:"${action.id}",after:"${before}"){status expiresAt decisions{verdict} entries{type} result}}`;
    const following = await subscribe(other, "agent", query);
    await expect.poll(() => following.events().length).toBe(2);
    const { grant } = await act(api, "claimGrant", { actionId: action.id }, "agent", "grant{token}");
    await act(api, "redeemGrant", { token: grant?.token, digest: action.digest }, "agent");
    await act(api, "completeAction", { actionId: action.id, outcome: "FAILED", result: [1] }, "agent");
    await expect.poll(() => following.events().length).toBe(5);
    const told = following
      .events()
      .map(({ actionChanged: { status, decisions, entries, result } }) => [
        status,
        decisions.length,
        entries.length,
        result,
      ]);
    expect(following.events().map(({ actionChanged: { expiresAt } }) => expiresAt)).toEqual([
      ...Array.from({ length: 4 }, () => expect.any(String)),
      null,
    ]);
    expect(told).toEqual([
      ["PENDING", 0, 1, null],
      ["APPROVED", 1, 2, null],
      ["APPROVED", 1, 3, null],
      ["EXECUTING", 1, 4, null],
      ["FAILED", 1, 5, [1]],
    ]);
    await following.leave();
  });

  it("of an action that is another organization's never comes", async () => {
    const { action } = await propose(api);
    const outsider = await subscribe(
      api,
      "outsider",
      `subscription{actionChanged(id:"${action.id}",after:"0"){status}}`,
    );
    const watcher = await subscribe(
      api,
      "approver",
      `subscription{actionChanged(id:"${action.id}",after:"0"){status}}`,
    );
    await act(api, "cancelAction", { actionId: action.id }, "agent");
    await expect.poll(() => watcher.events().length).toBe(2);
    expect(outsider.events()).toEqual([]);
    await watcher.leave();
    await outsider.leave();
  });
});

describe("auditEntries", () => {
  it("follow in order and without gaps while many write through two servers", async () => {
    const after = await head();
    const following = await subscribe(
      other,
      "auditor",
      `subscription{auditEntries(after:"${after}"){cursor entry{seq prevHash hash}}}`,
    );
    await Promise.all(Array.from({ length: 60 }, (_, at) => propose(at % 2 === 0 ? api : other)));
    await expect.poll(() => following.events().length).toBe(60);
    const entries = following.events().map(({ auditEntries }) => auditEntries.entry);
    expect(entries.map(({ seq }) => BigInt(seq))).toEqual(
      Array.from({ length: 60 }, (_, at) => BigInt(after) + BigInt(at) + 1n),
    );
    for (const [at, entry] of entries.slice(1).entries()) expect(entry.prevHash).toBe(entries[at]?.hash);
    await following.leave();
  });

  it("come filtered as a search would filter them", async () => {
    const after = await head();
    const filter = '{tool:"cancel_reservation",contains:{reservation_id:"Q69X3R"}}';
    const following = await subscribe(
      api,
      "auditor",
      `subscription{auditEntries(after:"${after}",filter:${filter}){entry{tool arguments}}}`,
    );
    await propose(api, { tool: "cancel_reservation", arguments: { reservation_id: "other" } });
    await propose(api, { tool: "cancel_reservation", arguments: { reservation_id: "Q69X3R" } });
    await expect.poll(() => following.events().length).toBe(1);
    await expect.poll(() => following.heard().length).toBeGreaterThan(0);
    expect(following.events()).toEqual([
      { auditEntries: { entry: { tool: "cancel_reservation", arguments: { reservation_id: "Q69X3R" } } } },
    ]);
    await following.leave();
  });
});
