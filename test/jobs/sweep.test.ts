import { afterAll, beforeAll, expect, it } from "vitest";
import { startSweep } from "../../src/jobs/sweep.ts";
import { agent, calling, createWorld, LEDGER, type World, write } from "../domain/support.ts";
import { recordingLog } from "../support/log.ts";
import { withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

it("expires everything that is due, with two servers sweeping", async () => {
  const [one, two] = await Promise.all([world.process({ approvalTtl: 1 }), world.process({ approvalTtl: 1 })]);
  const count = 150;
  await Promise.all(Array.from({ length: count }, () => one.actions.propose(calling(agent), write())));
  const log = recordingLog();
  const jobs = [one, two].map(({ actions }) => startSweep({ actions, interval: 0.05, log }));
  const expired = async () => {
    const { rows } = await one.pool.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM oc_audit_log WHERE type = 'ACTION_EXPIRED'",
    );
    return rows[0]?.n ?? 0;
  };
  await waitUntil(async () => (await expired()) >= count);
  await Promise.all(jobs.map((job) => job.stop()));
  expect(await expired()).toBe(count);
  const { rows } = await one.pool.query("SELECT DISTINCT status FROM oc_action");
  expect(rows).toEqual([{ status: "EXPIRED" }]);
});

it("says which action cannot be settled, and settles the others", async () => {
  const { actions, pool } = await world.process({ approvalTtl: 1 });
  const { action } = await actions.propose(calling(agent), write());
  await withClient(world.database.superuserUrl, (client) =>
    client.query("UPDATE oc_action SET proposed_seq = -proposed_seq WHERE id = $1", [action.state.id]),
  );
  const others = await Promise.all(Array.from({ length: 3 }, () => actions.propose(calling(agent), write())));
  const errors: object[] = [];
  const log = { ...recordingLog(), error: (facts: object) => errors.push(facts) };
  const job = startSweep({ actions, interval: 0.05, log });
  await waitUntil(async () => {
    const ids = others.map((other) => other.action.state.id);
    const { rows } = await pool.query("SELECT FROM oc_action WHERE id = ANY ($1) AND status = 'EXPIRED'", [ids]);
    return rows.length === others.length && errors.length > 0;
  });
  await job.stop();
  expect(errors[0]).toMatchObject({ failed: 1, ledger: LEDGER, action: action.state.id });
});
