import type { JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, dataOf } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, type Proposed, propose, READ } from "./steps.ts";

/** Whom an identity provider that maps groups and no roles sends. */
const asked: JWTPayload = {
  sub: "asked",
  org: "acme",
  kind: "HUMAN",
  email: "asked@acme.example",
  roles: ["member"],
  groups: ["approvers"],
};

let database: TestDatabase;
let api: Api;
let token: string;
let read: Proposed;
let proposed: Proposed;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { heartbeat: 0.2 });
  token = await api.sign(asked);
  read = await propose(api, READ);
  proposed = await propose(api);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

describe("a person who is an approver by their group alone", () => {
  it("finds what they may have to approve, and what led to it", async () => {
    const { id } = proposed.action;
    const query =
      "query($id:ID!,$chain:UUID!){action(id:$id){id rendered viewerCanDecide entries{type}} pendingApprovals(onlyDecidable:true){nodes{id}} lineage(chainHash:$chain){nodes{chainHash}} auditEntries(filter:{actionId:$id}){nodes{type}}}";
    const { data } = await api.gql(query, { id, chain: proposed.action.chainHash }, { token });
    expect(data).toMatchObject({
      action: { id, viewerCanDecide: true, entries: [{ type: "ACTION_PROPOSED" }] },
      pendingApprovals: { nodes: [{ id }] },
      auditEntries: { nodes: [{ type: "ACTION_PROPOSED" }] },
    });
    const chains = (data as { lineage: { nodes: { chainHash: string }[] } }).lineage.nodes.map(
      (node) => node.chainHash,
    );
    expect(chains.sort()).toEqual([read.action.chainHash, proposed.action.chainHash].sort());
  });

  it("receives what they may have to approve as it is recorded", async () => {
    const client = await connect(api.wsUrl, token);
    const query = 'subscription{pendingApprovals(after:"0",onlyDecidable:true){change action{id}}}';
    client.send({ type: "subscribe", id: "1", payload: { query } });
    const first = await client.next(({ type }) => type === "next");
    expect(dataOf(first)).toEqual({ pendingApprovals: { change: "ADDED", action: { id: proposed.action.id } } });
    client.socket.close();
    await client.closed;
  });

  it("decides it, and nothing that their agent proposed", async () => {
    const own = await propose(api, {}, { token: await api.sign({ ...asked, act: { sub: "their-agent" } }) });
    const decide = ({ action: { id: actionId, digest } }: Proposed) =>
      act(api, "approveAction", { actionId, digest }, { token }, "action{status} userErrors{code}");
    expect(await decide(own)).toMatchObject({ userErrors: [{ code: "REQUESTER_CANNOT_DECIDE" }] });
    expect(await decide(proposed)).toEqual({ action: { status: "APPROVED" }, userErrors: [] });
  });

  it("is nobody special with the same group as an agent, or elsewhere", async () => {
    const query = "query($id:ID!){action(id:$id){id} pendingApprovals{nodes{id}}}";
    const nobody = [
      { ...asked, org: "globex" },
      { sub: "robot", org: "acme", kind: "SERVICE", roles: [], groups: ["approvers"] },
      { ...asked, sub: "noah", groups: [], act: { sub: "grouped-agent", groups: ["approvers"] } },
    ];
    for (const claims of nobody) {
      const { data } = await api.gql(query, { id: proposed.action.id }, { token: await api.sign(claims) });
      expect(data).toEqual({ action: null, pendingApprovals: { nodes: [] } });
    }
  });
});
