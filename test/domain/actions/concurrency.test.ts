import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ActionRefusal } from "../../../src/domain/actions/errors.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import {
  agent,
  approver,
  approver2,
  calling,
  createWorld,
  entriesOf,
  type Process,
  read,
  type World,
  write,
} from "../support.ts";

let world: World;
let one: Process;
let two: Process;

beforeAll(async () => {
  world = await createWorld();
  [one, two] = await Promise.all([world.process(), world.process()]);
});
afterAll(() => world.close());

/** Runs everything at once. Answers how many went through, and the refusal code of each that did not. */
async function race(attempts: readonly (() => Promise<unknown>)[]) {
  const settled = await Promise.allSettled(attempts.map((attempt) => attempt()));
  const refusals = settled.flatMap((outcome) => {
    if (outcome.status === "fulfilled") return [];
    if (outcome.reason instanceof ActionRefusal) return [outcome.reason.code];
    throw outcome.reason;
  });
  return { won: settled.length - refusals.length, refusals };
}

const typesOf = async (id: string) => (await entriesOf(one.pool, id)).map(({ type }) => type);
const count = (types: readonly string[], type: string) => types.filter((each) => each === type).length;

describe("many at once, in two processes", () => {
  it("lets one of two approvers be the one that approved", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { action } = await one.actions.propose(calling(agent), write());
      const ballot = { actionId: action.state.id, digest: termsOf(action.proposal).digest, channel: "API" } as const;
      const { won, refusals } = await race([
        () => one.actions.approve(calling(approver), ballot),
        () => (round % 2 === 0 ? one : two).actions.approve(calling(approver2), ballot),
      ]);
      expect({ won, refusals }).toEqual({ won: 1, refusals: ["NOT_PENDING"] });
      expect(await typesOf(action.state.id)).toEqual(["ACTION_PROPOSED", "ACTION_APPROVED", "DECISION_REFUSED"]);
      const view = await two.actions.load(calling(agent), action.state.id);
      expect(view?.state).toMatchObject({ status: "APPROVED", version: 2, approvals: 1 });
    }
  });

  it("decides between approval, denial and cancellation as if they came one after the other", async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const { action } = await one.actions.propose(calling(agent), write());
      const actionId = action.state.id;
      const ballot = { actionId, digest: termsOf(action.proposal).digest, channel: "API" } as const;
      const attempts = [
        () => one.actions.approve(calling(approver), ballot),
        () => two.actions.deny(calling(approver2), { ...ballot, note: "no" }),
        () => (round % 2 === 0 ? one : two).actions.cancel(calling(agent), { actionId }),
      ];
      const { won, refusals } = await race([...attempts.slice(round % 3), ...attempts.slice(0, round % 3)]);
      const view = await one.actions.load(calling(agent), actionId);
      // What was approved can still be denied; nothing follows a denial or a cancellation.
      expect(refusals).toEqual(won === 2 ? ["NOT_PENDING"] : ["NOT_PENDING", "NOT_PENDING"]);
      const expected = won === 2 ? { status: "DENIED", version: 3 } : { version: 2, entries: { length: 2 } };
      expect(view?.state).toMatchObject(expected);
      outcomes.add(view!.state.status);
    }
    expect([...outcomes].every((status) => ["APPROVED", "DENIED", "CANCELLED"].includes(status))).toBe(true);
  });

  it("spends one grant once of 64 redemptions, and the ledger shows all 64", async () => {
    const { action, grant } = await one.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const { won, refusals } = await race(
      Array.from({ length: 64 }, (_, index) => () => {
        const { actions } = index % 2 === 0 ? one : two;
        return actions.redeemGrant(calling(agent), { token: grant!.token, digest });
      }),
    );
    expect(won).toBe(1);
    expect(refusals).toEqual(Array.from({ length: 63 }, () => "GRANT_SPENT"));
    const types = await typesOf(action.state.id);
    expect(count(types, "GRANT_REDEEMED")).toBe(1);
    expect(count(types, "GRANT_REFUSED")).toBe(63);
    const view = await two.actions.load(calling(agent), action.state.id);
    expect(view?.state).toMatchObject({ status: "EXECUTING", version: 2 });
  });

  it("leaves one good grant of 16 claims", async () => {
    const { action } = await one.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const claims = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        (index % 2 === 0 ? one : two).actions.claimGrant(calling(agent), { actionId: action.state.id }),
      ),
    );
    const { won, refusals } = await race(
      claims.map(
        ({ grant }) =>
          () =>
            one.actions.redeemGrant(calling(agent), { token: grant.token, digest }),
      ),
    );
    expect(won).toBe(1);
    expect(refusals.every((code) => code === "GRANT_VOID")).toBe(true);
  });

  it("takes one outcome of 16 reports", async () => {
    const { action, grant } = await one.actions.propose(calling(agent), read());
    await one.actions.redeemGrant(calling(agent), { token: grant!.token, digest: termsOf(action.proposal).digest });
    const { won, refusals } = await race(
      Array.from({ length: 16 }, (_, index) => () => {
        const { actions } = index % 2 === 0 ? one : two;
        const outcome = index % 4 < 2 ? "SUCCEEDED" : "FAILED";
        return actions.complete(calling(agent), { actionId: action.state.id, outcome });
      }),
    );
    expect(won).toBe(1);
    expect(new Set(refusals)).toEqual(new Set(["NOT_EXECUTING"]));
  });
});
