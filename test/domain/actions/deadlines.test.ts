import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProposeResult } from "../../../src/domain/actions/actions.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import {
  agent,
  approver,
  calling,
  createWorld,
  entriesOf,
  outsider,
  type Process,
  read,
  refusalOf,
  type World,
  write,
} from "../support.ts";

let world: World;
let one: Process;
let two: Process;
const BRIEF = { approvalTtl: 1, executionTtl: 1 };

beforeAll(async () => {
  world = await createWorld();
  [one, two] = await Promise.all([world.process(BRIEF), world.process(BRIEF)]);
});
afterAll(() => world.close());

/** Waits, on the database's clock, until the action's deadline has passed. */
async function untilDue(deadline: Date | null): Promise<void> {
  expect(deadline).not.toBeNull();
  await one.pool.query("SELECT pg_sleep_until($1)", [new Date(Number(deadline) + 1)]);
}

function lastDeadline(results: readonly ProposeResult[]): Date {
  return new Date(Math.max(...results.map(({ action }) => Number(action.state.expiresAt))));
}

describe("a deadline", () => {
  it("refuses decisions at once, before anything has swept, and then expires the action", async () => {
    const { action } = await one.actions.propose(calling(agent), write());
    const ballot = { actionId: action.state.id, digest: termsOf(action.proposal).digest, channel: "API" } as const;
    await untilDue(action.state.expiresAt);
    expect((await refusalOf(one.actions.approve(calling(approver), ballot))).code).toBe("EXPIRED");
    expect((await refusalOf(two.actions.cancel(calling(agent), ballot))).code).toBe("EXPIRED");
    expect(one.actions.blockedBecause(action, approver)).toEqual(["EXPIRED"]);

    expect(await one.actions.settleDue(10)).toEqual({ found: 1, expired: 1, ambiguous: 0 });
    const view = await one.actions.load(calling(agent), action.state.id);
    expect(view?.state).toMatchObject({ status: "EXPIRED", version: 2, expiresAt: null });
    const last = (await entriesOf(one.pool, action.state.id)).at(-1);
    expect(last).toMatchObject({ type: "ACTION_EXPIRED", body: { actor: { id: "countersign", kind: "SERVICE" } } });
    expect(await one.actions.settleDue(10)).toEqual({ found: 0, expired: 0, ambiguous: 0 });
  });

  it("makes an execution nobody reported ambiguous, for good", async () => {
    const { action, grant } = await one.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const { action: running } = await one.actions.redeemGrant(calling(agent), { token: grant!.token, digest });
    await untilDue(running.state.expiresAt);
    expect(await one.actions.settleDue(10)).toEqual({ found: 1, expired: 0, ambiguous: 1 });
    const actionId = action.state.id;
    const late = await refusalOf(one.actions.complete(calling(agent), { actionId, outcome: "SUCCEEDED" }));
    expect(late).toMatchObject({ code: "NOT_EXECUTING", action: { state: { status: "AMBIGUOUS" } } });
    expect((await refusalOf(one.actions.redeemGrant(calling(agent), { token: grant!.token, digest }))).code).toBe(
      "GRANT_SPENT",
    );
  });

  it("takes a late report as long as nothing else was recorded", async () => {
    const { action, grant } = await one.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const { action: running } = await one.actions.redeemGrant(calling(agent), { token: grant!.token, digest });
    await untilDue(running.state.expiresAt);
    const told = await one.actions.complete(calling(agent), { actionId: action.state.id, outcome: "SUCCEEDED" });
    expect(told.action.state.status).toBe("SUCCEEDED");
    expect(told.entry.body.latencyMs).toBeGreaterThanOrEqual(1000);
  });

  it("is settled once however many sweep, in every organization", async () => {
    const stranger = calling({ ...agent, organization: outsider.organization });
    const proposals = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        one.actions.propose(index % 4 === 0 ? stranger : calling(agent), write()),
      ),
    );
    await untilDue(lastDeadline(proposals));
    const sweeps = await Promise.all([one, two, one, two].map(({ actions }) => actions.settleDue(100)));
    expect(sweeps.reduce((sum, { expired }) => sum + expired, 0)).toBe(40);
    for (const { action } of proposals) {
      const { ledger, id } = action.state;
      const types = (await entriesOf(one.pool, id, ledger)).map(({ type }) => type);
      expect(types).toEqual(["ACTION_PROPOSED", "ACTION_EXPIRED"]);
    }
  });

  it("leaves the rest of a large backlog to the next sweep", async () => {
    const proposals = await Promise.all(Array.from({ length: 5 }, () => one.actions.propose(calling(agent), write())));
    await untilDue(lastDeadline(proposals));
    const found = [];
    for (let round = 0; round < 3; round += 1) found.push((await one.actions.settleDue(2)).found);
    expect(found).toEqual([2, 2, 1]);
  });
});
