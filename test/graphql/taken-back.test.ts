import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { act, propose } from "./steps.ts";

/** A yes that does not hold any more, before the action is started. */
const { api } = serveApi();

const SELECTION = "action{status decisions{verdict} entries{type body}} userErrors{code message path}";

async function approved() {
  const { action } = await propose(api);
  await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
  return action;
}
const claim = (actionId: string) => act(api, "claimGrant", { actionId }, "agent", "grant{token} userErrors{code}");
const revoke = (actionId: string, as: Parameters<typeof act>[3] = "approver", note = "not any more") =>
  act(api, "revokeApproval", { actionId, note }, as, SELECTION);

describe("revokeApproval", () => {
  it.each(["approver", "admin", "member"] as const)("is for %s, and voids the grant", async (as) => {
    const action = await approved();
    const { grant } = await claim(action.id);
    expect(await revoke(action.id, as)).toMatchObject({ action: { status: "DENIED" }, userErrors: [] });
    const redeem = { token: grant?.token, digest: action.digest };
    const { userErrors } = await act(api, "redeemGrant", redeem, "agent");
    expect(userErrors).toMatchObject([{ code: "GRANT_INVALID" }]);
    expect((await claim(action.id)).userErrors).toMatchObject([{ code: "NOT_APPROVED" }]);
  });

  it.each(["agent", "approver2", "outsider", "auditor"] as const)("is not for %s", async (as) => {
    const action = await approved();
    const { userErrors } = await revoke(action.id, as);
    expect(userErrors).toMatchObject([{ code: as === "outsider" ? "NOT_FOUND" : "NOT_ALLOWED" }]);
    expect((await claim(action.id)).grant?.token).toEqual(expect.any(String));
  });

  it("records the reason, which must be there", async () => {
    const action = await approved();
    expect((await revoke(action.id, "approver", " ")).userErrors).toMatchObject([
      { code: "INVALID_INPUT", path: ["input", "note"] },
    ]);
    const { action: after } = await revoke(action.id, "approver", "the customer called");
    expect(after?.entries.at(-1)).toMatchObject({
      type: "APPROVAL_REVOKED",
      body: { note: "the customer called" },
    });
  });

  it("is refused once, and of what was never approved or was started", async () => {
    const { action: pending } = await propose(api);
    expect((await revoke(pending.id, "admin")).userErrors).toMatchObject([{ code: "NOT_APPROVED" }]);
    const action = await approved();
    const { grant } = await claim(action.id);
    await act(api, "redeemGrant", { token: grant?.token, digest: action.digest }, "agent");
    expect((await revoke(action.id, "admin")).userErrors).toMatchObject([{ code: "GRANT_SPENT" }]);
    const other = await approved();
    await revoke(other.id, "admin");
    expect((await revoke(other.id, "admin")).userErrors).toMatchObject([{ code: "NOT_APPROVED" }]);
  });

  it("races with the redemption: one of them wins", async () => {
    const races = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const action = await approved();
        const { grant } = await claim(action.id);
        const redeem = { token: grant?.token, digest: action.digest };
        const [redeemed, revoked] = await Promise.all([
          act(api, "redeemGrant", redeem, "agent"),
          revoke(action.id, "admin"),
        ]);
        return [redeemed.userErrors.length, revoked.userErrors.length];
      }),
    );
    for (const [redeemed = 0, revoked = 0] of races) expect(redeemed + revoked).toBe(1);
  });
});

describe("denyAction", () => {
  it("also denies what another approver approved, until it is started", async () => {
    const action = await approved();
    const { grant } = await claim(action.id);
    const denied = { actionId: action.id, digest: action.digest, note: "I know better" };
    expect(await act(api, "denyAction", denied, "approver2", SELECTION)).toMatchObject({
      action: { status: "DENIED", decisions: [{ verdict: "APPROVE" }, { verdict: "DENY" }] },
    });
    const redeem = { token: grant?.token, digest: action.digest };
    expect((await act(api, "redeemGrant", redeem, "agent")).userErrors).toMatchObject([{ code: "GRANT_INVALID" }]);
    // Still not for those who asked for it.
    const own = await approved();
    const { userErrors } = await act(api, "denyAction", { ...denied, actionId: own.id, digest: own.digest }, "member");
    expect(userErrors).toMatchObject([{ code: "REQUESTER_CANNOT_DECIDE" }]);
  });
});

it("leaves the ledger INTACT", async () => {
  expect(await verifyLedger(api.services.pool, "acme/eu")).toMatchObject({ verdict: "INTACT", problems: [] });
});
