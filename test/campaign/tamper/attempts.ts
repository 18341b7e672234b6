import type { App } from "../../support/app.ts";
import { call, codeOf, proposal, READ } from "./calls.ts";
import type { ActionName, Facts } from "./prepare.ts";

/** Something that a manipulation is to make possible; `run` returns the code that it is refused with, or "succeeded". */
export interface Attempt {
  readonly name: string;
  run(app: App, facts: Facts): Promise<string>;
}

const mutation =
  (name: string, as: "agent" | "approver" | "approver2" | "member", input: (facts: Facts) => object) =>
  async (app: App, facts: Facts): Promise<string> =>
    codeOf(await call(app, as, name, input(facts), "__typename"));

export const claim = (of: ActionName): Attempt => ({
  name: `claim ${of}`,
  run: mutation("claimGrant", "agent", ({ actions }) => ({ actionId: actions[of].id })),
});

/** Spends the grant that was claimed first. */
export const redeem = (of: ActionName): Attempt => ({
  name: `redeem ${of}`,
  run: mutation("redeemGrant", "agent", ({ actions }) => ({ token: actions[of].token, digest: actions[of].digest })),
});

export const approve = (of: ActionName, as: "approver" | "approver2" = "approver"): Attempt => ({
  name: `approve ${of}${as === "approver" ? "" : ` as ${as}`}`,
  run: mutation("approveAction", as, ({ actions }) => ({ actionId: actions[of].id, digest: actions[of].digest })),
});

export const complete = (of: ActionName): Attempt => ({
  name: `complete ${of}`,
  run: mutation("completeAction", "agent", ({ actions }) => ({ actionId: actions[of].id, outcome: "FAILED" })),
});

export const cancel = (of: ActionName): Attempt => ({
  name: `cancel ${of}`,
  run: mutation("cancelAction", "agent", ({ actions }) => ({ actionId: actions[of].id })),
});

/** Another step in the conversation of the open session, or in that of the chain on `reservations`. */
export const step = (where: "session" | "idle"): Attempt => ({
  name: where === "session" ? "act in the session" : "act in the chain",
  run: mutation("proposeAction", "agent", (facts) => proposal({ conversationId: facts[where].conversation })),
});

/** A member does what administrators do. */
export const suspend: Attempt = {
  name: "suspend as member",
  run: mutation("suspendPrincipal", "member", () => ({ principalId: "auditor", reason: "mine now" })),
};

export const useRevokedToken: Attempt = {
  name: "use the revoked token",
  run: async (app, { revoked }) => codeOf(await app.post("{viewer{id}}", {}, revoked.token)),
};

/** Any append: what the next fact is refused with. */
export const append: Attempt = {
  name: "append",
  run: mutation("proposeAction", "agent", () => proposal({ ...READ, arguments: { user_id: "mia" } })),
};
