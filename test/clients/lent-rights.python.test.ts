import type { JWTPayload } from "jose";
import { describe, expect, it } from "vitest";
import type { Requirement } from "../../src/domain/policy/evaluate.ts";
import { type Acted, act, propose, type Refusal } from "../graphql/steps.ts";
import { connect } from "../http/client.ts";
import type { Api } from "../http/harness.ts";
import { serveApis } from "../http/served-api.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { readLines, verifyInPython } from "./in-python.ts";

/** Rights that were lent, where it depends on time and region who may approve: used over the API, and verified by both verifiers. */
const LEDGER = "acme/eu";
const { database, start: startOne, started } = serveApis();

/** A server whose policy asks approvers in the EU of every write, and managers once it escalates. */
async function escalating(at: string): Promise<Api> {
  const escalation = { at, group: "managers" };
  const one: Requirement = { id: "r", group: "approvers", needed: 1, approver: [{ regions: ["eu"] }], escalation };
  const api = await startOne({ requirements: [one], heartbeat: 0.2 });
  return api;
}

type Token = { readonly token: string };
async function person(api: Api, sub: string, more: JWTPayload = {}): Promise<Token> {
  const claims = { sub, org: "acme", kind: "HUMAN", roles: ["member"], groups: [], region: "eu", ...more };
  const token = await api.sign({ ...claims, email: `${sub}@acme.example`, email_verified: true });
  await act(api, "startSession", {}, { token }, "userErrors{code}");
  return { token };
}

/** A right that `from` lends `to` as a member of `group`. */
async function lend(api: Api, from: string, to: string, group: string): Promise<void> {
  const input = { toPrincipalId: to, group, endsAt: new Date(Date.now() + 86_400_000).toISOString() };
  const by = await person(api, from, { groups: [group] });
  const { userErrors } = await act<Acted>(api, "delegateApprovals", input, by, "userErrors{code message}");
  expect(userErrors).toEqual([]);
}

interface Decided {
  readonly action: object | null;
  readonly userErrors: readonly Refusal[];
}
const approve = (api: Api, by: Token, { id, digest }: { readonly id: string; readonly digest: string }) =>
  act<Decided>(
    api,
    "approveAction",
    { actionId: id, digest },
    by,
    "action{status decisions{delegatedBy{id}}} userErrors{code}",
  );

describe("a right that was lent", () => {
  it("is used after an escalation, and by whoever is where approvers have to be", async () => {
    const api = await escalating("2026-01-01T00:00:00.000000Z");
    const [asked, escalated] = [(await propose(api)).action, (await propose(api)).action];
    const deputy = await person(api, "deputy");
    const elsewhere = await person(api, "elsewhere", { region: "us" });
    await lend(api, "approver-1", "deputy", "approvers");
    await lend(api, "approver-1", "elsewhere", "approvers");
    expect(await approve(api, elsewhere, asked)).toMatchObject({ userErrors: [{ code: "NOT_ELIGIBLE" }] });
    expect(await approve(api, deputy, asked)).toEqual({
      action: { status: "APPROVED", decisions: [{ delegatedBy: { id: "approver-1" } }] },
      userErrors: [],
    });
    const other = await person(api, "other-deputy");
    await lend(api, "manager-1", "other-deputy", "managers");
    expect(await approve(api, other, escalated)).toEqual({
      action: { status: "APPROVED", decisions: [{ delegatedBy: { id: "manager-1" } }] },
      userErrors: [],
    });
  });

  it("is no right before the escalation", async () => {
    const api = await escalating("2999-01-01T00:00:00.000000Z");
    const deputy = await person(api, "early-deputy");
    await lend(api, "manager-2", "early-deputy", "managers");
    expect(await approve(api, deputy, (await propose(api)).action)).toMatchObject({
      userErrors: [{ code: "NOT_ELIGIBLE" }],
    });
  });

  it("brings an action once it has escalated", async () => {
    const at = new Date(Date.now() + 5_000).toISOString().replace("Z", "000Z");
    const api = await escalating(at);
    const { token } = await person(api, "third-deputy");
    await lend(api, "manager-3", "third-deputy", "managers");
    const client = await connect(api.wsUrl, token);
    const query = "subscription{pendingApprovals(onlyDecidable:true){change action{id viewerCanDecide}}}";
    client.send({ type: "subscribe", id: "1", payload: { query } });
    await client.next(({ type }) => type === "next");
    const { action } = await propose(api);
    await client.next(({ type, payload }) => type === "next" && JSON.stringify(payload).includes(action.id));
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(at));
    expect(await approve(api, { token }, action)).toMatchObject({ action: { status: "APPROVED" } });
    client.socket.close();
    await client.closed;
  });

  it("leaves a ledger that both verifiers find intact", async () => {
    const { pool } = started[0]?.services ?? {};
    if (pool === undefined) throw new Error("no server was started");
    expect(await verifyLedger(pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    const report = await verifyInPython(LEDGER, await readLines(database.superuserUrl, LEDGER));
    expect(report).toMatchObject({ verdict: "INTACT", problems: [] });
  });
});
