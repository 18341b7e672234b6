import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Acted, act, propose, type Refusal } from "./steps.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { requirements: [{ id: "two", group: "legal", needed: 2 }] });
});

afterAll(async () => {
  const verified = await verifyLedger(api.services.pool, "acme/eu");
  await api?.close();
  await database?.drop();
  expect(verified).toMatchObject({ verdict: "INTACT", problems: [] });
});

type Token = { readonly token: string };
type Action = Awaited<ReturnType<typeof propose>>["action"];

async function person(roles: readonly string[], groups: readonly string[] = [], more: object = {}): Promise<Token> {
  const id = `person-${randomUUID()}`;
  const claims = { sub: id, org: "acme", kind: "HUMAN", name: id, email: `${id}@acme.example`, email_verified: true };
  return { token: await api.sign({ ...claims, roles: [...roles], groups: [...groups], ...more }) };
}

const SELECTION = `action{status expiresAt breakGlass{by{id} reason review reviewedBy{id} note}} entry{type recordedAt}
  userErrors{code path}`;

interface Broken extends Omit<Acted, "action"> {
  readonly action: {
    readonly status: string;
    readonly expiresAt: string | null;
    readonly breakGlass: object | null;
  } | null;
  readonly entry: { readonly type: string; readonly recordedAt: string } | null;
}

const breakGlass = (by: Token, { id, digest }: Action, more: object = {}) =>
  act<Broken>(api, "breakGlass", { actionId: id, digest, reason: "the bank is on fire", ...more }, by, SELECTION);
const review = (by: Token, { id }: Action, more: object = {}) =>
  act<Broken>(
    api,
    "reviewBreakGlass",
    { actionId: id, justified: true, note: "it was on fire", ...more },
    by,
    SELECTION,
  );
const codes = ({ userErrors }: { readonly userErrors: readonly Refusal[] }) => userErrors.map(({ code }) => code);

const pending = async () => (await propose(api)).action;
const readers = ["approver", "break-glass"];

describe("breakGlass", () => {
  it("approves alone, for a short time, and is marked until another person has looked into it", async () => {
    const [breaker, action] = [await person(readers), await pending()];
    const broken = await breakGlass(breaker, action);
    expect(broken).toMatchObject({
      userErrors: [],
      entry: { type: "ACTION_BROKEN_GLASS" },
      action: { status: "APPROVED", breakGlass: { reason: "the bank is on fire", review: "UNREVIEWED", note: null } },
    });
    const lasts = Date.parse(broken.action!.expiresAt!) - Date.parse(broken.entry!.recordedAt);
    expect(lasts).toBeLessThanOrEqual(900_000);
    expect(codes(await breakGlass(breaker, action))).toEqual(["NOT_PENDING"]);
    const { grant } = await act<Acted>(
      api,
      "claimGrant",
      { actionId: action.id },
      "agent",
      "grant{token} userErrors{code}",
    );
    const redeemed = { token: grant!.token, digest: action.digest };
    expect(await act(api, "redeemGrant", redeemed, "agent")).toMatchObject({ action: { status: "EXECUTING" } });
    expect(codes(await review(breaker, action))).toEqual(["NOT_ALLOWED"]);
    expect(codes(await review(await person(["auditor"]), action))).toEqual(["NOT_ALLOWED"]);
    expect(codes(await review(await person(["admin"]), action, { note: " " }))).toEqual(["INVALID_INPUT"]);
    const both = await Promise.all([
      review(await person(["admin"]), action),
      review(await person([], ["legal"]), action),
    ]);
    expect(both.map(codes).sort()).toEqual([[], ["ALREADY_REVIEWED"]]);
    const { data } = await api.gql<{ action: object }>(
      "query($id:ID!){action(id:$id){status breakGlass{review note reviewedBy{id}}}}",
      { id: action.id },
      await person(["auditor"]),
    );
    expect(data.action).toMatchObject({
      status: "EXECUTING",
      breakGlass: { review: "JUSTIFIED", note: "it was on fire" },
    });
  });

  it("is for people with the role who did not ask for it, and of what waits", async () => {
    const action = await pending();
    const refused = async (by: Token, more: object = {}) => codes(await breakGlass(by, action, more))[0];
    expect(await refused(await person(["approver"], ["legal"]))).toBe("NOT_ELIGIBLE");
    expect(await refused(await person(["admin"]))).toBe("NOT_ELIGIBLE");
    const breaker = await person(readers);
    expect(await refused(breaker, { reason: " \n" })).toBe("INVALID_INPUT");
    expect(await refused(breaker, { reason: "x".repeat(10_001) })).toBe("INVALID_INPUT");
    expect(await refused(breaker, { digest: `sha256:${"0".repeat(64)}` })).toBe("DIGEST_MISMATCH");
    // Nobody knows whether who has no verified address is the person who asked.
    expect(await refused(await person(readers, [], { email_verified: false }))).toBe("NOT_ELIGIBLE");
    expect(await refused({ token: await api.token("agent", { roles: readers }) })).toBe("AGENT_CANNOT_DECIDE");
    expect(await refused({ token: await api.token("member", { roles: readers }) })).toBe("REQUESTER_CANNOT_DECIDE");
    expect(await refused({ token: await api.token("outsider", { roles: readers }) })).toBe("NOT_FOUND");
    expect(codes(await review(await person(["admin"]), action))).toEqual(["NO_BREAK_GLASS"]);
    const [one, other] = await Promise.all([breakGlass(breaker, action), breakGlass(await person(readers), action)]);
    expect([one, other].map(codes).sort()).toEqual([[], ["NOT_PENDING"]]);
  });

  it("is denied by an approver, taken back, and void when who did it is suspended", async () => {
    const [denied, revoked, voided] = [await pending(), await pending(), await pending()];
    const breaker = await person(readers);
    for (const action of [denied, revoked, voided]) expect(codes(await breakGlass(breaker, action))).toEqual([]);
    const denial = { actionId: denied.id, digest: denied.digest, note: "no fire" };
    expect(await act(api, "denyAction", denial, await person([], ["legal"]))).toMatchObject({
      action: { status: "DENIED" },
    });
    const back = { actionId: revoked.id, note: "no fire" };
    expect(await act(api, "revokeApproval", back, breaker)).toMatchObject({ action: { status: "DENIED" } });
    const { sub } = JSON.parse(Buffer.from(breaker.token.split(".")[1]!, "base64url").toString()) as { sub: string };
    const admin = { token: await api.token("admin") };
    await act(api, "suspendPrincipal", { principalId: sub, reason: "arson" }, admin, "userErrors{code}");
    const { data } = await api.gql<{ action: object }>(
      "query($id:ID!){action(id:$id){status}}",
      { id: voided.id },
      admin,
    );
    expect(data.action).toEqual({ status: "DENIED" });
  });
});
