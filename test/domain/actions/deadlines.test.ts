import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProposeResult } from "../../../src/domain/actions/actions.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import { manipulate } from "../../ledger/manipulate-states.ts";
import { verifyLedger } from "../../support/ledgers.ts";
import { withClient } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import {
  agent,
  approver,
  calling,
  createWorld,
  entriesOf,
  LEDGER,
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
    expect(await one.actions.blockedBecause(action, calling(approver))).toEqual(["EXPIRED"]);

    expect(await one.actions.settleDue(10)).toEqual({ expired: 1, ambiguous: 0, failed: [], more: false });
    const view = await one.actions.load(calling(agent), action.state.id);
    expect(view?.state).toMatchObject({ status: "EXPIRED", version: 2, expiresAt: null });
    const last = (await entriesOf(one.pool, action.state.id)).at(-1);
    expect(last).toMatchObject({ type: "ACTION_EXPIRED", body: { actor: { id: "countersign", kind: "SERVICE" } } });
    expect(await one.actions.settleDue(10)).toEqual({ expired: 0, ambiguous: 0, failed: [], more: false });
  });

  it("refuses what was decided in time and waited too long to be recorded", async () => {
    const { action } = await one.actions.propose(calling(agent), write());
    const { id: actionId } = action.state;
    const decision = { actionId, digest: termsOf(action.proposal).digest, channel: "API", note: "no" } as const;
    const attempts = await withClient(world.database.superuserUrl, async (holder) => {
      await holder.query("BEGIN");
      await holder.query("SELECT FROM oc_ledger_head FOR UPDATE");
      const made = [
        refusalOf(one.actions.approve(calling(approver), decision)),
        refusalOf(two.actions.deny(calling(approver), decision)),
      ];
      await waitUntil(async () => {
        const { rows } = await holder.query(
          "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        return rows.length === 2;
      });
      await holder.query("SELECT pg_sleep_until($1)", [new Date(Number(action.state.expiresAt) + 1)]);
      await holder.query("COMMIT");
      return Promise.all(made);
    });
    expect(attempts.map(({ code }) => code)).toEqual(["EXPIRED", "EXPIRED"]);
    const types = (await entriesOf(one.pool, actionId)).map(({ type }) => type);
    expect(types).toEqual(["ACTION_PROPOSED", "DECISION_REFUSED", "DECISION_REFUSED"]);
    expect(await one.actions.settleDue(10)).toMatchObject({ expired: 1 });
  });

  it("makes an execution nobody reported ambiguous, until somebody says what came of it", async () => {
    const { action, grant } = await one.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const { action: running } = await one.actions.redeemGrant(calling(agent), { token: grant!.token, digest });
    await untilDue(running.state.expiresAt);
    expect(await one.actions.settleDue(10)).toEqual({ expired: 0, ambiguous: 1, failed: [], more: false });
    const actionId = action.state.id;
    expect((await refusalOf(one.actions.redeemGrant(calling(agent), { token: grant!.token, digest }))).code).toBe(
      "GRANT_SPENT",
    );
    const late = await one.actions.complete(calling(agent), { actionId, outcome: "SUCCEEDED" });
    expect(late).toMatchObject({ action: { state: { status: "SUCCEEDED" } }, entry: { body: { late: true } } });
    // Since the redemption, whatever was recorded in between.
    const started = Date.parse(running.state.startedAt!.toISOString());
    expect(late.entry.body.latencyMs).toBeGreaterThan(Number(running.state.expiresAt) - started);
    const again = one.actions.complete(calling(agent), { actionId, outcome: "FAILED" });
    expect((await refusalOf(again)).code).toBe("NOT_EXECUTING");
    const { verdict } = await verifyLedger(one.pool, LEDGER);
    expect(verdict).toBe("INTACT");
  });

  it("is moved by the agent that carries the action out, up to the limit of an execution", async () => {
    const patient = await world.process({ executionTtl: 600, executionLimit: 1_000 });
    const { action, grant } = await patient.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const actionId = action.state.id;
    const early = patient.actions.extend(calling(agent), { actionId, seconds: 700 });
    expect((await refusalOf(early)).code).toBe("NOT_EXECUTING");
    await patient.actions.redeemGrant(calling(agent), { token: grant!.token, digest });
    const extended = await patient.actions.extend(calling(agent), { actionId, seconds: 900 });
    expect(extended).toMatchObject({ action: { state: { status: "EXECUTING", version: 3 } } });
    expect(extended.entry.type).toBe("EXECUTION_EXTENDED");
    for (const [seconds, code] of [
      [0, "INVALID_INPUT"],
      [600, "INVALID_INPUT"],
      [1_001, "EXECUTION_LIMIT"],
    ] as const) {
      expect((await refusalOf(patient.actions.extend(calling(agent), { actionId, seconds }))).code).toBe(code);
    }
    expect((await refusalOf(patient.actions.extend(calling(approver), { actionId, seconds: 950 }))).code).toBe(
      "NOT_ALLOWED",
    );
    const { entry } = await patient.actions.complete(calling(agent), { actionId, outcome: "SUCCEEDED" });
    expect(entry.body.late).toBeUndefined();
    expect((await verifyLedger(one.pool, LEDGER)).verdict).toBe("INTACT");
  });

  it("takes a late report as long as nothing else was recorded", async () => {
    const { action, grant } = await one.actions.propose(calling(agent), read());
    const { digest } = termsOf(action.proposal);
    const redeemed = await one.actions.redeemGrant(calling(agent), { token: grant!.token, digest });
    const deadline = redeemed.action.state.expiresAt;
    await untilDue(deadline);
    const told = await one.actions.complete(calling(agent), { actionId: action.state.id, outcome: "SUCCEEDED" });
    expect(told.action.state.status).toBe("SUCCEEDED");
    expect(told.entry.body.late).toBe(true);
    // The deadline was set when the redemption was decided, a moment before it was recorded.
    expect(told.entry.body.latencyMs).toBeGreaterThan(Number(deadline) - Date.parse(redeemed.entry.recordedAt));
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
    const rounds = [];
    for (let round = 0; round < 3; round += 1) {
      const { expired, more } = await one.actions.settleDue(2);
      rounds.push([expired, more]);
    }
    expect(rounds).toEqual([
      [2, true],
      [2, true],
      [1, false],
    ]);
  });

  it("is settled although earlier ones cannot be, in this run and the next", async () => {
    const propose = () => one.actions.propose(calling(agent), write());
    const broken = [await propose(), await propose(), await propose()];
    const first = await propose();
    const ids = broken.map(({ action }) => action.state.id);
    // Their proposals are where nobody finds them, and back again.
    const tamper = () =>
      manipulate(
        world.database.superuserUrl,
        "UPDATE oc_state SET first_seq = -first_seq WHERE kind = 'ACTION' AND id = ANY ($1::text[])",
        [ids],
      );
    await tamper();
    await untilDue(lastDeadline([...broken, first]));
    const run = await one.actions.settleDue(1);
    expect(run).toMatchObject({ expired: 1, ambiguous: 0 });
    expect(run.failed.map(({ id }) => id)).toEqual(ids);
    const second = await propose();
    await untilDue(second.action.state.expiresAt);
    expect(await two.actions.settleDue(2)).toMatchObject({ expired: 1, failed: { length: 3 }, more: false });
    await tamper();
    expect(await one.actions.settleDue(10)).toMatchObject({ expired: 3, failed: [] });
  });
});
