import type { JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, dataOf, type RawClient } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, type Proposed, propose, READ } from "./steps.ts";

/** People of groups that policy asks and that read nothing else. */
const person = (sub: string, ...groups: readonly string[]): JWTPayload => ({
  sub,
  org: "acme",
  kind: "HUMAN",
  email: `${sub}@acme.example`,
  roles: ["member"],
  groups: [...groups],
});

let database: TestDatabase;
let api: Api;
let fiona: string;
let liam: string;
let flora: string;
let read: Proposed;
let proposed: Proposed;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, {
    requirements: [
      { id: "money", group: "finance", needed: 2 },
      { id: "law", group: "legal", needed: 1 },
    ],
  });
  fiona = await api.sign(person("fiona", "finance"));
  flora = await api.sign(person("flora", "finance"));
  liam = await api.sign(person("liam", "legal"));
  read = await propose(api, READ);
  proposed = await propose(api);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

/** The first `count` events of a subscription. */
async function eventsOf<Event>(client: RawClient, id: string, count: number): Promise<Event[]> {
  const events = () => client.messages.filter((message) => message.type === "next" && message.id === id);
  await client.next(() => events().length >= count);
  return events()
    .slice(0, count)
    .map(dataOf<Event>);
}

const QUERY = `query($id:ID!){
  action(id:$id){id viewerCanDecide entries{type}}
  node(id:$id){id}
  actions{nodes{id}}
  allowed:actions(status:[PENDING,ALLOWED]){nodes{id}}
  pendingApprovals{nodes{id}}
  decidable:pendingApprovals(onlyDecidable:true){nodes{id}}
  auditEntries{nodes{type action{id}}}
  about:auditEntries(filter:{actionId:$id}){nodes{type}}}`;

describe("a person in a group that an action's requirements name", () => {
  it("reads that action, wherever it is shown, and no other", async () => {
    const { id } = proposed.action;
    const only = { nodes: [{ id }] };
    for (const token of [fiona, liam]) {
      const { data, errors } = await api.gql(QUERY, { id }, { token });
      expect(errors).toBeUndefined();
      expect(data).toEqual({
        action: { id, viewerCanDecide: true, entries: [{ type: "ACTION_PROPOSED" }] },
        node: { id },
        actions: only,
        allowed: only,
        pendingApprovals: only,
        decidable: only,
        auditEntries: { nodes: [{ type: "ACTION_PROPOSED", action: { id } }] },
        about: { nodes: [{ type: "ACTION_PROPOSED" }] },
      });
      const other = await api.gql("query($id:ID!){action(id:$id){id}}", { id: read.action.id }, { token });
      expect(other.data).toEqual({ action: null });
    }
  });

  it("follows it", async () => {
    const client = await connect(api.wsUrl, fiona);
    const query = 'subscription{pendingApprovals(after:"0",onlyDecidable:true){change action{id}}}';
    client.send({ type: "subscribe", id: "1", payload: { query } });
    const first = await client.next(({ type }) => type === "next");
    expect(dataOf(first)).toEqual({ pendingApprovals: { change: "ADDED", action: { id: proposed.action.id } } });
    client.socket.close();
    await client.closed;
  });

  it("is nobody special elsewhere, in another group, or as an agent or a service", async () => {
    const { id } = proposed.action;
    const others = [
      { ...person("fiona", "finance"), org: "globex" },
      person("sam", "sales"),
      { ...person("robot", "finance"), kind: "SERVICE" },
      { ...person("noah"), act: { sub: "grouped-agent", groups: ["finance"] } },
    ];
    for (const claims of others) {
      const { data } = await api.gql(
        "query($id:ID!){action(id:$id){id} actions{nodes{id}} pendingApprovals{nodes{id}}}",
        { id },
        { token: await api.sign(claims) },
      );
      expect(data).toEqual({ action: null, actions: { nodes: [] }, pendingApprovals: { nodes: [] } });
    }
  });
});

describe("requirements of a policy", () => {
  const HAVE = "action{status policy{requirements{id needed have}}} userErrors{code}";
  const have = (money: number, law: number) => ({
    requirements: [
      { id: "money", needed: 2, have: money },
      { id: "law", needed: 1, have: law },
    ],
  });

  it("have the approvals of people of their own group, as the decision counts them", async () => {
    const { id: actionId, digest } = proposed.action;
    const approve = (token: string) => act(api, "approveAction", { actionId, digest }, { token }, HAVE);
    const shown = async () => {
      const query = "query($id:ID!){action(id:$id){policy{requirements{id needed have}}}}";
      return (await api.gql<{ action: { policy: unknown } }>(query, { id: actionId }, { token: fiona })).data.action
        .policy;
    };
    expect(await shown()).toEqual(have(0, 0));
    expect(await approve(fiona)).toEqual({ action: { status: "PENDING", policy: have(1, 0) }, userErrors: [] });
    expect(await shown()).toEqual(have(1, 0));
    expect(await approve(liam)).toEqual({ action: { status: "PENDING", policy: have(1, 1) }, userErrors: [] });
    expect(await approve(flora)).toEqual({ action: { status: "APPROVED", policy: have(2, 1) }, userErrors: [] });
    expect(await shown()).toEqual(have(2, 1));
  });

  it("have in an event what they had at that entry", async () => {
    const client = await connect(api.wsUrl, fiona);
    const query = `subscription($id:ID!){actionChanged(id:$id,after:"0"){status policy{requirements{have}}}}`;
    client.send({ type: "subscribe", id: "1", payload: { query, variables: { id: proposed.action.id } } });
    const seen = await eventsOf(client, "1", 4);
    const event = (status: string, money: number, law: number) => ({
      actionChanged: { status, policy: { requirements: [{ have: money }, { have: law }] } },
    });
    expect(seen).toEqual([
      event("PENDING", 0, 0),
      event("PENDING", 1, 0),
      event("PENDING", 1, 1),
      event("APPROVED", 2, 1),
    ]);
    client.socket.close();
    await client.closed;
  });
});

describe("a list of what the caller can decide", () => {
  it("takes as many statements for a page as for one action, however many of them have approvals", async () => {
    const statements = async (first: number) => {
      api.queries();
      const query = "query($first:Int){pendingApprovals(onlyDecidable:true,first:$first){nodes{uuid}}}";
      const { data } = await api.gql<{ pendingApprovals: { nodes: unknown[] } }>(query, { first }, { token: flora });
      expect(data.pendingApprovals.nodes).toHaveLength(first);
      return api.queries();
    };
    for (let at = 0; at < 12; at++) {
      const { id: actionId, digest } = (await propose(api)).action;
      await act(api, "approveAction", { actionId, digest }, { token: fiona });
    }
    const one = await statements(1);
    expect(await statements(12)).toBe(one);
  });

  it("follows with statements for many events together, not for each", async () => {
    const client = await connect(api.wsUrl, flora);
    const follow = async (id: string, after: string, events: number) => {
      const query = "subscription($after:Sequence!){pendingApprovals(after:$after,onlyDecidable:true){cursor change}}";
      api.queries();
      client.send({ type: "subscribe", id, payload: { query, variables: { after } } });
      const seen = await eventsOf<{ pendingApprovals: { cursor: string } }>(client, id, events);
      const sent = api.sent.filter((text) => !text.includes("'SESSION'")).length;
      client.send({ type: "complete", id });
      return { cursors: seen.map(({ pendingApprovals }) => pendingApprovals.cursor), sent };
    };
    const all = await follow("1", "0", 26);
    const last = await follow("2", all.cursors.at(-2) ?? "0", 1);
    // On a busy machine they come in several parts.
    expect(all.sent).toBeLessThan(last.sent + 13);
    client.socket.close();
    await client.closed;
  });
});
