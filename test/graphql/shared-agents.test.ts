import type { JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, dataOf } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, type Proposed, propose, READ } from "./steps.ts";

/** One agent account that acts for two people, as a token says each time (RFC 8693, 4.1). */
const PEOPLE = ["mia", "noah"] as const;
type Person = (typeof PEOPLE)[number];

const person = (id: string): JWTPayload => ({
  sub: id,
  org: "acme",
  kind: "HUMAN",
  name: id,
  email: `${id}@acme.example`,
  roles: ["member"],
  groups: [],
});
const agentFor = (id: string): JWTPayload => ({
  ...person(id),
  act: { sub: "shared-agent", name: "Shared agent", roles: ["agent"], groups: [] },
});

let database: TestDatabase;
let api: Api;
const tokens = new Map<string, string>();
const proposed = new Map<Person, Proposed>();

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { heartbeat: 0.2 });
  for (const id of PEOPLE) {
    tokens.set(id, await api.sign(person(id)));
    tokens.set(`agent for ${id}`, await api.sign(agentFor(id)));
    proposed.set(id, await propose(api, { arguments: { for: id } }, as(`agent for ${id}`)));
  }
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const as = (name: string) => ({ token: tokens.get(name) ?? "" });
const of = (name: Person): Proposed => proposed.get(name) as Proposed;
const other = (name: Person): Person => (name === "mia" ? "noah" : "mia");

describe.each([
  ["mia", "mia"],
  ["agent for mia", "mia"],
  ["noah", "noah"],
  ["agent for noah", "noah"],
] as const)("%s", (caller, name) => {
  it("finds by id what was done for them, and not what the same agent did for somebody else", async () => {
    const query =
      "query($action:ID!,$uuid:ID!,$entry:ID!){byId:action(id:$action){id} byUuid:action(id:$uuid){id} node(id:$action){id} entry:node(id:$entry){id}}";
    const ask = async ({ action, entry }: Proposed) =>
      (await api.gql(query, { action: action.id, uuid: action.uuid, entry: entry.id }, as(caller))).data;
    const { action, entry } = of(name);
    const own = { id: action.id };
    expect(await ask(of(name))).toEqual({ byId: own, byUuid: own, node: own, entry: { id: entry.id } });
    expect(await ask(of(other(name)))).toEqual({ byId: null, byUuid: null, node: null, entry: null });
  });

  it("has only those on lists", async () => {
    const list = { nodes: [{ id: of(name).action.id }] };
    const lists = ["all:actions", "some:actions(status:[PENDING,DENIED])", "pendingApprovals"];
    const { data } = await api.gql(`{${lists.map((field) => `${field}{nodes{id}}`).join(" ")}}`, {}, as(caller));
    expect(data).toEqual({ all: list, some: list, pendingApprovals: list });
  });

  it("receives only those", async () => {
    const foreign = of(other(name));
    const client = await connect(api.wsUrl, as(caller).token);
    const subscribe = (id: string, query: string) => client.send({ type: "subscribe", id, payload: { query } });
    subscribe("changed", `subscription{actionChanged(id:"${foreign.action.id}",after:"0"){id}}`);
    subscribe("pending", 'subscription{pendingApprovals(after:"0"){change action{id}}}');
    type Told = { readonly pendingApprovals: { readonly change: string; readonly action: { id: string } | null } };
    // The heartbeat comes behind everything that was there to tell.
    await client.next((message) => message.id === "pending" && JSON.stringify(message).includes("HEARTBEAT"));
    const told = client.messages.filter(({ id, type }) => id === "pending" && type === "next").map(dataOf<Told>);
    expect(told.flatMap(({ pendingApprovals: { action } }) => action?.id ?? [])).toEqual([of(name).action.id]);
    expect(client.messages.filter(({ id }) => id === "changed")).toEqual([]);
    client.socket.close();
    await client.closed;
  });

  it("cannot act on the others", async () => {
    const { id: actionId, digest } = of(other(name)).action;
    for (const [mutation, input] of [
      ["cancelAction", { actionId }],
      ["claimGrant", { actionId }],
      ["completeAction", { actionId, outcome: "SUCCEEDED" }],
      ["approveAction", { actionId, digest }],
    ] as const) {
      const answer = await act(api, mutation, input, as(caller), "action{id} entry{id} userErrors{code}");
      expect(answer, mutation).toMatchObject({ action: null, entry: null, userErrors: [{ code: expect.any(String) }] });
    }
    const { data } = await api.gql("query($id:ID!){action(id:$id){status}}", { id: actionId }, { as: "auditor" });
    expect(data).toEqual({ action: { status: "PENDING" } });
  });
});

describe("a search", () => {
  it.each([
    ['{actorId:"shared-agent"}', ["mia", "noah"]],
    ['{actorId:"mia"}', []],
    ['{onBehalfOfId:"mia"}', ["mia"]],
    ['{actorId:"shared-agent",onBehalfOfId:"noah"}', ["noah"]],
    ['{actorEmail:"NOAH@acme.example"}', ["noah"]],
  ])("for %s distinguishes the people that an agent acts for", async (filter, people) => {
    type Found = { auditEntries: { nodes: { actor: { onBehalfOf: { id: string } } }[] } };
    const query = `{auditEntries(filter:${filter.replace("}", ',types:["ACTION_PROPOSED"]}')}){nodes{actor{onBehalfOf{id}}}}}`;
    const { data } = await api.gql<Found>(query, {}, { as: "auditor" });
    expect(data.auditEntries.nodes.map(({ actor }) => actor.onBehalfOf.id)).toEqual(people);
  });
});

describe("a list", () => {
  type Page = { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };

  async function pages(field: string, first: number, caller: Parameters<Api["gql"]>[2]): Promise<Page[]> {
    const found: Page[] = [];
    for (let after: string | null = null; ; ) {
      const query = `query($first:Int,$after:String){page:${field.replace("ARGS", "first:$first,after:$after")}{nodes{id} pageInfo{hasNextPage endCursor}}}`;
      const { data }: { data: { page: Page } } = await api.gql(query, { first, after }, caller);
      found.push(data.page);
      if (!data.page.pageInfo.hasNextPage) return found;
      after = data.page.pageInfo.endCursor;
    }
  }
  const many = async (count: number, step: () => Promise<Proposed>) => {
    for (let at = 0; at < count; at += 20) await Promise.all(Array.from({ length: Math.min(20, count - at) }, step));
  };

  it("has full pages of what is theirs, however much of others lies between", async () => {
    for (let at = 0; at < 3; at++) {
      await many(30, () => propose(api, READ, as("agent for noah"), "action{id}"));
      await propose(api, READ, as("agent for mia"), "action{id}");
      await propose(api, READ, as("mia"), "action{id}");
    }
    for (const field of ["actions(ARGS)", "actions(status:[ALLOWED,PENDING],ARGS)"]) {
      expect((await pages(field, 3, as("mia"))).map(({ nodes }) => nodes.length)).toEqual([3, 3, 1]);
      expect((await pages(field, 2, as("agent for mia"))).map(({ nodes }) => nodes.length)).toEqual([2, 2]);
    }
  });

  it("reads the content of actions only when it is selected, and then once", async () => {
    const payloads = async (selection: string) => {
      api.queries();
      const { errors } = await api.gql(`{actions(first:3){nodes{${selection}}}}`, {}, as("mia"));
      expect(errors).toBeUndefined();
      // A snapshot locks the table of payloads, which reads nothing of it.
      return api.sent.filter((text) => text.includes("payload") && !text.includes("LOCK TABLE")).length;
    };
    expect(
      await payloads("id uuid status platform tool effect region digest policy{outcome} chainHash expiresAt"),
    ).toBe(0);
    expect(await payloads("arguments userRequest rationale rendered requestedBy{id} client{name}")).toBe(1);
  });

  it("of what the caller can decide knows a person by their address, which only the payload has", async () => {
    const twin = {
      ...person("mia-2"),
      email: "MIA@acme.example",
      roles: ["approver"],
      groups: ["approvers"],
    };
    const token = await api.sign(twin);
    const query = `{action(id:"${of("mia").action.id}"){viewerCanDecide viewerBlockedBecause}
      pendingApprovals(onlyDecidable:true first:100){nodes{id}}}`;
    type Seen = {
      readonly action: {
        readonly viewerCanDecide: boolean;
        readonly viewerBlockedBecause: readonly string[];
      };
      readonly pendingApprovals: {
        readonly nodes: readonly { readonly id: string }[];
      };
    };
    const { data } = await api.gql<Seen>(query, {}, { token });
    expect(data.action).toEqual({
      viewerCanDecide: false,
      viewerBlockedBecause: ["REQUESTER_CANNOT_DECIDE"],
    });
    const ids = data.pendingApprovals.nodes.map(({ id }) => id);
    expect(ids).not.toContain(of("mia").action.id);
    expect(ids).toContain(of("noah").action.id);
  });

  it("of what the caller can decide goes on behind any number of what they cannot", async () => {
    tokens.set("agent for approver", await api.sign(agentFor("approver")));
    const decidable = await pages("pendingApprovals(onlyDecidable:true,ARGS)", 500, { as: "approver" });
    const expected = decidable.flatMap(({ nodes }) => nodes);
    expect(expected.length).toBeGreaterThan(0);
    await many(1_100, () => propose(api, {}, as("agent for approver"), "action{id}"));
    const found = await pages("pendingApprovals(onlyDecidable:true,ARGS)", 2, { as: "approver" });
    expect(found[0]).toMatchObject({ nodes: [], pageInfo: { hasNextPage: true, endCursor: expect.any(String) } });
    expect(found.flatMap(({ nodes }) => nodes)).toEqual(expected);
  });
});
