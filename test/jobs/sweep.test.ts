import { afterAll, beforeAll, expect, it } from "vitest";
import { createSessions } from "../../src/domain/sessions/sessions.ts";
import { startSweep } from "../../src/jobs/sweep.ts";
import { agent, calling, createWorld, LEDGER, type Process, type World, write } from "../domain/support.ts";
import { manipulate } from "../ledger/manipulate-states.ts";
import { recordingLog } from "../support/log.ts";
import { waitUntil } from "../support/wait.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const sessionsOf = ({ ledgers, pool }: Process, sessionTtl = 600) =>
  createSessions({ ledgers, db: pool, region: "eu", sessionTtl });

it("expires everything that is due, with two servers sweeping", async () => {
  const [one, two] = await Promise.all([world.process({ approvalTtl: 1 }), world.process({ approvalTtl: 1 })]);
  const count = 150;
  await Promise.all(Array.from({ length: count }, () => one.actions.propose(calling(agent), write())));
  const log = recordingLog();
  const jobs = [one, two].map((process) =>
    startSweep({ actions: process.actions, sessions: sessionsOf(process), interval: 0.05, log }),
  );
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

it("reports which action cannot be settled, and settles the others", async () => {
  const process = await world.process({ approvalTtl: 1 });
  const { actions, pool } = process;
  const { action } = await actions.propose(calling(agent), write());
  await manipulate(
    world.database.superuserUrl,
    "UPDATE oc_state SET first_seq = -first_seq WHERE kind = 'ACTION' AND id = $1",
    [action.state.id],
  );
  const others = await Promise.all(Array.from({ length: 3 }, () => actions.propose(calling(agent), write())));
  const errors: object[] = [];
  const log = { ...recordingLog(), error: (facts: object) => errors.push(facts) };
  const job = startSweep({ actions, sessions: sessionsOf(process), interval: 0.05, log });
  await waitUntil(async () => {
    const ids = others.map((other) => other.action.state.id);
    const { rows } = await pool.query("SELECT FROM oc_action WHERE id = ANY ($1) AND status = 'EXPIRED'", [ids]);
    return rows.length === others.length && errors.length > 0;
  });
  await job.stop();
  expect(errors[0]).toMatchObject({ failed: 1, ledger: LEDGER, action: action.state.id });
});

it("ends every session that is over once, with two servers sweeping", async () => {
  const [one, two] = await Promise.all([world.process(), world.process()]);
  const count = 100;
  const brief = sessionsOf(one, 1);
  const started = await Promise.all(Array.from({ length: count }, () => brief.start(calling(agent), { alone: true })));
  const lasting = await sessionsOf(one).start(calling(agent), { alone: true });
  const jobs = [one, two].map((process) =>
    startSweep({ actions: process.actions, sessions: sessionsOf(process), interval: 0.05, log: recordingLog() }),
  );
  const left = async () => {
    const { rows } = await one.pool.query<{ id: string }>(
      "SELECT id FROM oc_state WHERE kind = 'SESSION' AND status = 'OPEN'",
    );
    return rows.map(({ id }) => id);
  };
  await waitUntil(async () => (await left()).length <= 1);
  await Promise.all(jobs.map((job) => job.stop()));
  expect(await left()).toEqual([lasting.session.id]);
  const { rows } = await one.pool.query<{ sessions: number; entries: number }>(
    `SELECT count(DISTINCT session_id)::int AS sessions, count(*)::int AS entries FROM oc_audit_log
      WHERE type = 'SESSION_ENDED' AND actor_id = 'countersign' AND session_id = ANY ($1)`,
    [started.map(({ session }) => session.id)],
  );
  expect(rows).toEqual([{ sessions: count, entries: count }]);
});

it("stops only when both kinds have ended, and lets neither wait for the other when one fails", async () => {
  const process = await world.process();
  const sessions = sessionsOf(process);
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  let ended = 0;
  let failures = 0;
  const job = startSweep({
    actions: {
      async settleDue(limit) {
        begun += 1;
        await gate.promise;
        const settled = await process.actions.settleDue(limit);
        ended += 1;
        return settled;
      },
    },
    sessions: {
      settleDue(limit) {
        failures += 1;
        return failures === 3 ? sessions.settleDue(limit) : Promise.reject(new Error("away"));
      },
    },
    interval: 0.02,
    log: recordingLog(),
  });
  await waitUntil(() => begun === 1 && failures > 3);
  const stopping = job.stop().then(() => ended);
  gate.resolve();
  expect(await stopping).toBe(1);
  expect(begun).toBe(1);
});
