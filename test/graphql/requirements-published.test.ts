import type { JWTPayload } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { act, propose, type Refusal } from "./steps.ts";

const { api } = serveApi();

/** A policy whose tools need one approval each, with more asked of it; `money` is what is asked of the last one. */
const document = (money: string) => `
policy: 1
catalog:
  platforms: { crm: { region: eu } }
  tools:
${["escalates", "nobody", "ghosts", "confirm", "money"].map((name) => `    - { platform: crm, name: ${name}, effect: WRITE }`).join("\n")}
rules:
  - { id: escalates, when: tool.name == "escalates", require: [{ group: approvers, needed: 1, ttl: 30m, escalate: { after: 10m, to: managers } }], reason: r }
  - { id: nobody, when: tool.name == "nobody", require: [{ group: phantoms, needed: 1, escalate: { after: 10m, to: managers } }], reason: r }
  - { id: ghosts, when: tool.name == "ghosts", require: [{ group: ghosts, needed: 1 }], reason: r }
  - { id: confirm, when: tool.name == "confirm", require: [{ group: assistants, needed: 1, ownerConfirms: true }], reason: r }
  - { id: money, when: tool.name == "money", require: [{ group: approvers, needed: 1, ${money} }], reason: r }
cases:
${["escalates", "nobody", "ghosts", "confirm", "money"].map((name) => `  - { name: ${name}, given: { platform: crm, tool: ${name} }, expect: { outcome: REQUIRE, rules: [${name}] } }`).join("\n")}
`;

async function publish(text: string): Promise<void> {
  const query =
    "mutation($input:PublishPolicyInput!){publishPolicy(input:$input){action{id digest} userErrors{code message}}}";
  const { data } = await api.gql<{
    publishPolicy: { action: { id: string; digest: string } | null; userErrors: readonly Refusal[] };
  }>(query, { input: { document: text, note: "what approvals need" } }, { as: "admin" });
  expect(data.publishPolicy.userErrors).toEqual([]);
  const { id: actionId, digest } = data.publishPolicy.action ?? {};
  const done = await act(api, "approveAction", { actionId, digest }, "admin2", "action{status} userErrors{code}");
  expect(done).toMatchObject({ action: { status: "SUCCEEDED" } });
}

beforeAll(async () => {
  await api.gql("{ viewer { id } }", {}, { as: "admin2" });
  await publish(document("assurance: MFA, note: true"));
});

const human = (sub: string, groups: readonly string[], more: JWTPayload = {}): JWTPayload => ({
  sub,
  org: "acme",
  kind: "HUMAN",
  email: `${sub}@acme.example`,
  groups,
  ...more,
});

interface Decided {
  readonly action: { readonly status: string } | null;
  readonly userErrors: readonly Refusal[];
}

async function proposed(tool: string) {
  const { action } = await propose(api, { platform: "crm", tool });
  const { id: actionId, digest } = action;
  return {
    ...action,
    approve: async (who: JWTPayload, note?: string) =>
      act<Decided>(
        api,
        "approveAction",
        { actionId, digest, ...(note === undefined ? {} : { note }) },
        { token: await api.sign(who) },
        "action{status} userErrors{code message}",
      ),
    /** Claims the grant and spends it. Returns the code of the refusal, if there is one. */
    run: async () => {
      const selection = "grant{token} userErrors{code}";
      const { grant, userErrors } = await act(api, "claimGrant", { actionId }, "agent", selection);
      if (grant === null) return userErrors[0]?.code;
      const redeemed = await act(api, "redeemGrant", { token: grant.token, digest }, "agent");
      return redeemed.userErrors[0]?.code ?? redeemed.action?.status;
    },
    requirement: async () => {
      const query =
        "query($id:ID!){action(id:$id){policy{requirements{group unreached escalatesAt escalatesTo ttl assurance noteRequired}} entries{recordedAt}}}";
      const { data } = await api.gql<{
        action: {
          policy: { requirements: readonly { escalatesAt: string | null; unreached: boolean }[] };
          entries: readonly { recordedAt: string }[];
        };
      }>(query, { id: actionId }, { as: "auditor" });
      const [requirement] = data.action.policy.requirements;
      return { ...requirement, proposedAt: String(data.action.entries[0]?.recordedAt) };
    },
  };
}

const codes = ({ userErrors }: Decided) => userErrors.map(({ code }) => code);
const manager = human("max", ["managers"]);
const minutes = (from: string, to: unknown) => Math.round(Math.abs(Date.parse(String(to)) - Date.parse(from)) / 60_000);

describe("requirements of a published policy", () => {
  it("escalate after their time, end at theirs, and are met by those asked first", async () => {
    // Somebody of the group was seen: else it would escalate at once.
    const first = await proposed("money");
    await first.approve(human("ada", ["approvers"]));
    const action = await proposed("escalates");
    const { proposedAt, escalatesAt, ...rest } = await action.requirement();
    expect(rest).toMatchObject({ group: "approvers", escalatesTo: "managers", ttl: 1_800 });
    await expect.poll(async () => (await action.requirement()).unreached, { timeout: 20_000 }).toBe(false);
    expect(minutes(proposedAt, escalatesAt)).toBe(10);
    expect(minutes(proposedAt, action.expiresAt)).toBe(30);
    expect(codes(await action.approve(manager))).toEqual(["NOT_ELIGIBLE"]);
    expect(await action.approve(human("ada", ["approvers"]))).toMatchObject({ action: { status: "APPROVED" } });
    expect(await action.run()).toBe("EXECUTING");
  });

  it("escalate at once where nobody is known who could approve, and say so", async () => {
    const action = await proposed("nobody");
    const { proposedAt, escalatesAt, unreached } = await action.requirement();
    expect({ unreached, minutes: minutes(proposedAt, escalatesAt) }).toEqual({ unreached: true, minutes: 0 });
    expect(await action.approve(manager)).toMatchObject({ action: { status: "APPROVED" } });
    expect(await action.run()).toBe("EXECUTING");
  });

  it("say that nobody is known until somebody was seen", async () => {
    const action = await proposed("ghosts");
    expect((await action.requirement()).unreached).toBe(true);
    const ghost = human("gus", ["ghosts"]);
    const other = await proposed("money");
    expect(codes(await other.approve(ghost))).not.toEqual([]);
    expect(await propose(api, { platform: "crm", tool: "ghosts" }, { token: await api.sign(ghost) })).toBeDefined();
    await expect.poll(async () => (await action.requirement()).unreached, { timeout: 20_000 }).toBe(false);
  });

  it("let the person confirm for whom an agent asked, also when the grant is spent", async () => {
    const action = await proposed("confirm");
    expect((await action.requirement()).unreached).toBe(false);
    expect(await action.approve(human("member", [], { roles: ["member"] }))).toMatchObject({
      action: { status: "APPROVED" },
    });
    expect(await action.run()).toBe("EXECUTING");
  });

  it("bind what waits, and what was approved, once a stricter policy is published", async () => {
    const ada = human("ada", ["approvers"], { amr: ["mfa"] });
    const [waits, approved, loosened] = [await proposed("money"), await proposed("money"), await proposed("money")];
    expect(await approved.approve(ada, "fine")).toMatchObject({ action: { status: "APPROVED" } });
    await publish(document("assurance: KEY, note: true"));
    expect(codes(await waits.approve(ada, "fine"))).toEqual(["POLICY_CHANGED"]);
    expect(await approved.run()).toBe("POLICY_CHANGED");
    await publish(document("assurance: SESSION"));
    // What was asked for holds.
    expect(codes(await loosened.approve(human("ada", ["approvers"])))).toEqual(["ASSURANCE_TOO_LOW"]);
    expect(codes(await loosened.approve(ada))).toEqual(["NOTE_REQUIRED"]);
    expect(await loosened.approve(ada, "fine")).toMatchObject({ action: { status: "APPROVED" } });
    expect(await loosened.run()).toBe("EXECUTING");
  });

  it("leave a ledger that verifies", async () => {
    const { data } = await api.gql("{ verifyLedger { verdict problems { detail } } }", {}, { as: "auditor" });
    expect(data).toEqual({ verifyLedger: { verdict: "INTACT", problems: [] } });
  });
});
