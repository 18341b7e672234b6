import type { JWTPayload } from "jose";
import { describe, expect, it } from "vitest";
import type { Requirement } from "../../src/domain/policy/evaluate.ts";
import { connect, dataOf } from "../http/client.ts";
import type { Api } from "../http/harness.ts";
import { serveApis } from "../http/served-api.ts";
import { act, propose, type Refusal } from "./steps.ts";

const { start: startOne } = serveApis();

/** A server whose policy requires this of every write. */
async function requiring(...requirements: readonly Partial<Requirement>[]): Promise<Api> {
  const all = requirements.map((one, n) => ({ id: `r${n}`, group: "approvers", needed: 1, ...one }));
  const api = await startOne({ requirements: all });
  return api;
}

interface Decided {
  readonly action: { readonly id: string; readonly status: string } | null;
  readonly entry: { readonly type: string; readonly body: { readonly decision: object } } | null;
  readonly userErrors: readonly Refusal[];
}

const human = (sub: string, more: JWTPayload = {}): JWTPayload => ({
  sub,
  org: "acme",
  kind: "HUMAN",
  email: `${sub}@acme.example`,
  groups: ["approvers"],
  ...more,
});

/** A pending action, and what people say about it. */
async function pending(api: Api) {
  const { action } = await propose(api);
  const say = (mutation: string) => async (who: JWTPayload, note?: string) => {
    const input = { actionId: action.id, digest: action.digest, ...(note === undefined ? {} : { note }) };
    const token = await api.sign(who);
    return act<Decided>(api, mutation, input, { token }, "action{id status} entry{type body} userErrors{code message}");
  };
  const ask = async (who: JWTPayload, selection: string) => {
    const { data } = await api.gql<{ action: Record<string, unknown> | null }>(
      `query($id:ID!){action(id:$id){${selection}}}`,
      { id: action.id },
      { token: await api.sign(who) },
    );
    return data.action;
  };
  return { ...action, approve: say("approveAction"), deny: say("denyAction"), ask };
}

const codes = ({ userErrors }: Decided) => userErrors.map(({ code }) => code);

/** What a verification of everything that was recorded finds. */
async function verified(api: Api): Promise<unknown> {
  const { data } = await api.gql<{ verifyLedger: unknown }>(
    "{ verifyLedger { verdict problems { detail } } }",
    {},
    { as: "auditor" },
  );
  return data.verifyLedger;
}

describe("a requirement with an assurance", () => {
  it("takes no weaker approval, says how to give a better one, and shows what it asks", async () => {
    const api = await requiring({ assurance: "MFA" });
    const action = await pending(api);
    const weak = await action.approve(human("ada"));
    expect(codes(weak)).toEqual(["ASSURANCE_TOO_LOW"]);
    expect(weak.userErrors[0]?.message).toContain("sign in again with a second factor");
    expect(weak.entry).toMatchObject({
      type: "DECISION_REFUSED",
      body: { reason: "ASSURANCE_TOO_LOW", decision: { assurance: "SESSION" } },
    });
    const shown = "viewerCanDecide viewerBlockedBecause policy{requirements{assurance noteRequired ttl ownerConfirms}}";
    expect(await action.ask(human("ada"), shown)).toEqual({
      viewerCanDecide: false,
      viewerBlockedBecause: ["ASSURANCE_TOO_LOW"],
      policy: { requirements: [{ assurance: "MFA", noteRequired: false, ttl: null, ownerConfirms: false }] },
    });
    expect(await action.ask(human("ada", { amr: ["mfa"] }), "viewerCanDecide")).toEqual({ viewerCanDecide: true });
    expect(await action.approve(human("ada", { amr: ["pwd", "otp"] }))).toMatchObject({
      action: { status: "APPROVED" },
    });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("takes a denial however somebody signed in", async () => {
    const action = await pending(await requiring({ assurance: "KEY" }));
    expect(await action.deny(human("ada"), "no")).toMatchObject({ action: { status: "DENIED" } });
  });

  it("leaves the other requirements to those who signed in as these ask", async () => {
    const api = await requiring({ assurance: "MFA" }, { group: "security" });
    const action = await pending(api);
    const both = { groups: ["approvers", "security"] };
    // As one of security: for the approvers it is not enough.
    expect(await action.approve(human("ada", both))).toMatchObject({ action: { status: "PENDING" } });
    expect(codes(await action.approve(human("ben", both)))).toEqual(["ASSURANCE_TOO_LOW"]);
    const counts = "policy{requirements{group have}}";
    const have = [
      { group: "approvers", have: 0 },
      { group: "security", have: 1 },
    ];
    expect(await action.ask(human("ben"), counts)).toEqual({ policy: { requirements: have } });
    expect(await action.approve(human("ben", { ...both, amr: ["hwk", "user"] }))).toMatchObject({
      action: { status: "APPROVED" },
    });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });
});

describe("a requirement with a note", () => {
  it("takes no approval that says nothing", async () => {
    const api = await requiring({ note: true });
    const action = await pending(api);
    expect(await action.ask(human("ada"), "viewerCanDecide policy{requirements{noteRequired}}")).toEqual({
      viewerCanDecide: true,
      policy: { requirements: [{ noteRequired: true }] },
    });
    expect(codes(await action.approve(human("ada")))).toEqual(["NOTE_REQUIRED"]);
    expect(codes(await action.approve(human("ada"), " \n"))).toEqual(["NOTE_REQUIRED"]);
    expect(await action.approve(human("ada"), "the guest called")).toMatchObject({ action: { status: "APPROVED" } });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });
});

describe("a requirement that says who may approve", () => {
  it("takes nobody without one of the roles, and nobody elsewhere", async () => {
    const api = await requiring({
      approver: [{ roles: ["finance", "legal"], regions: ["eu"] }, { roles: ["senior"] }],
    });
    const action = await pending(api);
    const fits = { roles: ["legal", "senior"], region: "eu" };
    for (const other of [
      {},
      { roles: ["legal"], region: "eu" },
      { roles: ["senior"], region: "eu" },
      { ...fits, region: "us" },
      { roles: fits.roles },
    ]) {
      const refused = await action.approve(human("ada", other));
      expect(codes(refused)).toEqual(["NOT_ELIGIBLE"]);
      expect(refused.userErrors[0]?.message).toContain("with the role finance or legal in eu with the role senior");
      expect(codes(await action.deny(human("ada", other), "no"))).toEqual(["NOT_ELIGIBLE"]);
    }
    const shown = "viewerCanDecide policy{requirements{approver{roles regions}}}";
    expect(await action.ask(human("ada", fits), shown)).toEqual({
      viewerCanDecide: true,
      policy: {
        requirements: [
          {
            approver: [
              { roles: ["finance", "legal"], regions: ["eu"] },
              { roles: ["senior"], regions: null },
            ],
          },
        ],
      },
    });
    const yes = await action.approve(human("ada", fits));
    expect(yes).toMatchObject({ action: { status: "APPROVED" }, entry: { body: { decision: { region: "eu" } } } });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("does not record where people are when nobody asks", async () => {
    const action = await pending(await requiring({}));
    const { entry } = await action.approve(human("ada", { region: "eu" }));
    expect(entry?.body.decision).toEqual({ verdict: "APPROVE", channel: "API", assurance: "SESSION" });
  });
});

describe("a requirement that lets the owner confirm", () => {
  const mia = human("mia", { groups: [] });
  const agent: JWTPayload = { ...mia, act: { sub: "mias-agent" } };

  async function proposedBy(api: Api, who: JWTPayload) {
    const { action } = await propose(api, {}, { token: await api.sign(who) });
    return async (by: JWTPayload) =>
      act<Decided>(
        api,
        "approveAction",
        { actionId: action.id, digest: action.digest },
        { token: await api.sign(by) },
        "action{id status} entry{type body} userErrors{code message}",
      );
  }

  it("takes the approval of the person for whom an agent asked, and never the agent's", async () => {
    const api = await requiring({ ownerConfirms: true });
    const approve = await proposedBy(api, agent);
    expect(codes(await approve(agent))).toEqual(["AGENT_CANNOT_DECIDE"]);
    expect(codes(await approve(human("zoe", { groups: [], roles: ["auditor"] })))).toEqual(["NOT_ELIGIBLE"]);
    expect(await approve(mia)).toMatchObject({ action: { status: "APPROVED" } });
    const another = await proposedBy(api, agent);
    expect(await another(human("ada"))).toMatchObject({ action: { status: "APPROVED" } });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("takes nobody's approval of what they proposed themselves", async () => {
    const api = await requiring({ ownerConfirms: true });
    const approve = await proposedBy(api, human("ada"));
    expect(codes(await approve(human("ada")))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
  });

  it("takes no other account of the person, and counts them for no other requirement", async () => {
    const api = await requiring({ ownerConfirms: true }, { group: "security" });
    const member = { ...mia, groups: ["security"] };
    const approve = await proposedBy(api, { ...member, act: { sub: "mias-agent" } });
    const account = { ...human("mia-2", { groups: ["approvers", "security"] }), email: "mia@acme.example" };
    expect(codes(await approve(account))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    expect(await approve(member)).toMatchObject({ action: { status: "PENDING" } });
    expect(codes(await approve(member))).toEqual(["ALREADY_VOTED"]);
    expect(await approve(human("ben", { groups: ["security"] }))).toMatchObject({ action: { status: "APPROVED" } });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("is not there unless the policy says so", async () => {
    const approve = await proposedBy(await requiring({}), {
      ...mia,
      groups: ["approvers"],
      act: { sub: "mias-agent" },
    });
    expect(codes(await approve({ ...mia, groups: ["approvers"] }))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
  });
});

describe("a requirement that escalates", () => {
  const manager = human("max", { groups: ["managers"] });

  it("lets the other group decide from its time on, and shows both from the start", async () => {
    const api = await requiring({ escalation: { at: "2026-01-01T00:00:00.000000Z", group: "managers" } });
    const action = await pending(api);
    expect(await action.ask(manager, "viewerCanDecide policy{requirements{escalatesAt escalatesTo}}")).toEqual({
      viewerCanDecide: true,
      policy: { requirements: [{ escalatesAt: "2026-01-01T00:00:00.000000Z", escalatesTo: "managers" }] },
    });
    const yes = await action.approve(manager);
    expect(yes).toMatchObject({
      action: { status: "APPROVED" },
      entry: { body: { decision: { asOf: expect.stringMatching(/^2\d{3}-/) } } },
    });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("lets nobody of the other group decide before", async () => {
    const api = await requiring({ escalation: { at: "2999-01-01T00:00:00.000000Z", group: "managers" } });
    const action = await pending(api);
    expect(await action.ask(manager, "viewerCanDecide viewerBlockedBecause")).toEqual({
      viewerCanDecide: false,
      viewerBlockedBecause: ["NOT_ELIGIBLE"],
    });
    const refused = await action.approve(manager);
    expect(codes(refused)).toEqual(["NOT_ELIGIBLE"]);
    expect(refused.userErrors[0]?.message).toContain("managers can from 2999-01-01");
    expect(codes(await action.deny(manager, "no"))).toEqual(["NOT_ELIGIBLE"]);
    expect(await action.approve(human("ada"))).toMatchObject({ action: { status: "APPROVED" } });
    expect(await verified(api)).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("is seen in the lists of those who may decide", async () => {
    const api = await requiring({ escalation: { at: "2026-01-01T00:00:00.000000Z", group: "managers" } });
    const { id } = await pending(api);
    const query = "{ pendingApprovals(onlyDecidable: true) { nodes { id } } }";
    const { data } = await api.gql<{ pendingApprovals: { nodes: { id: string }[] } }>(
      query,
      {},
      { token: await api.sign(manager) },
    );
    expect(data.pendingApprovals.nodes.map((node) => node.id)).toContain(id);
  });
});

describe("a subscription to what one can decide", () => {
  it("adds an action once it has escalated, though no entry says so", async () => {
    const at = new Date(Date.now() + 4_000).toISOString().replace("Z", "000Z");
    const requirements = [{ id: "r", group: "approvers", needed: 1, escalation: { at, group: "managers" } }];
    const api = await startOne({ requirements, heartbeat: 0.2 });
    const client = await connect(api.wsUrl, await api.sign(human("max", { groups: ["managers"] })));
    const query = "subscription{pendingApprovals(onlyDecidable:true){change cursor action{id viewerCanDecide}}}";
    client.send({ type: "subscribe", id: "1", payload: { query } });
    await client.next(({ type }) => type === "next");
    const { id } = await pending(api);
    const event = await client.next(({ type, payload }) => type === "next" && JSON.stringify(payload).includes(id));
    expect(dataOf(event)).toMatchObject({
      pendingApprovals: { change: "ADDED", action: { id, viewerCanDecide: true } },
    });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(at));
    client.socket.close();
    await client.closed;
  });
});

describe("a requirement with a time to live", () => {
  it("ends the action at the shortest one, and never later than the server's setting", async () => {
    const secondsOf = async (...ttls: readonly number[]) => {
      const { expiresAt, policy, ask } = await pending(
        await requiring(...ttls.map((ttl, n) => ({ ttl, group: `g${n}` }))),
      );
      const entries = (await ask(human("ada"), "entries{recordedAt}"))?.entries as readonly { recordedAt: string }[];
      const seconds = (Date.parse(String(expiresAt)) - Date.parse(String(entries[0]?.recordedAt))) / 1_000;
      return { seconds: Math.round(seconds), policy };
    };
    expect((await secondsOf(600, 120)).seconds).toBeLessThanOrEqual(120);
    const { seconds } = await secondsOf(86_400);
    expect(seconds).toBeGreaterThan(3_000);
    expect(seconds).toBeLessThanOrEqual(3_600);
  });
});
