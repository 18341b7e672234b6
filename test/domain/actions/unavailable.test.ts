import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actionIdOf } from "../../../src/domain/actions/action-id.ts";
import { createActions } from "../../../src/domain/actions/actions.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import { loadCatalog } from "../../../src/domain/policy/catalog.ts";
import { createPolicy } from "../../../src/domain/policy/evaluate.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { isSigned } from "../../support/ledgers.ts";
import { withClient, withDatabase } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import { agent, approver, calling, createWorld, entriesOf, type Process, read, type World, write } from "../support.ts";

let world: World;
let process: Process;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
});
afterAll(() => world.close());

const away = () => `${world.database.name}_away`;

/** Runs `sql` beside the database, once nobody is connected to it. */
async function beside(sql: string): Promise<void> {
  await withClient(withDatabase(world.database.superuserUrl, "postgres"), async (client) => {
    await waitUntil(async () => {
      // Whoever waits for a lock goes before whoever holds it, and so never gets it.
      await client.query(
        `SELECT pg_terminate_backend(pid)
           FROM (SELECT pid FROM pg_stat_activity WHERE datname = $1
                  ORDER BY wait_event_type IS NOT DISTINCT FROM 'Lock' DESC OFFSET 0) connected`,
        [world.database.name],
      );
      const renamed = await client.query(sql).catch((error: unknown) => error);
      return !(renamed instanceof Error && "code" in renamed && renamed.code === "55006");
    });
  });
}
const hide = () => beside(`ALTER DATABASE ${world.database.name} RENAME TO ${away()}`);
const show = () => beside(`ALTER DATABASE ${away()} RENAME TO ${world.database.name}`);

describe("without a database", () => {
  it("nothing is recorded, every call is to be retried, and then succeeds", async () => {
    const { actions } = process;
    const { action } = await actions.propose(calling(agent), write());
    const ballot = { actionId: action.state.id, digest: termsOf(action.proposal).digest, channel: "API" } as const;
    const input = read({ conversationId: "fresh" });
    await hide();
    for (const attempt of [
      () => actions.propose(calling(agent), input),
      () => actions.propose(calling(agent), write()),
      () => actions.proposeTogether(calling(agent), [write(), input, read()]),
      () => actions.approve(calling(approver), ballot),
      () => actions.load(calling(agent), ballot.actionId),
      () => actions.settleDue(10),
    ]) {
      await expect(attempt()).rejects.toThrow(LedgerUnavailableError);
    }
    await show();
    expect((await actions.propose(calling(agent), input)).grant).toBeDefined();
    expect((await actions.approve(calling(approver), ballot)).action.state.status).toBe("APPROVED");
  });

  it("nothing of a batch is recorded, and repeating it records all of it in one transaction", async () => {
    const { actions, pool } = process;
    const inputs = [read(), write(), read({ conversationId: "another" }), { ...write(), tool: "" }];
    // Its chains are known, so that what fails is the append.
    await actions.proposeTogether(
      calling(agent),
      inputs.map((input) => ({ ...input, idempotencyKey: randomUUID() })),
    );
    const entries = async () =>
      (await pool.query<{ count: string }>("SELECT count(*) FROM oc_audit_log")).rows[0]?.count;
    const before = Number(await entries());
    await hide();
    const failed = expect(actions.proposeTogether(calling(agent), inputs));
    await failed.rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE", outcome: "NOTHING" });
    await show();
    expect(Number(await entries())).toBe(before);
    const outcomes = await actions.proposeTogether(calling(agent), inputs);
    expect(outcomes[3]).toMatchObject({ code: "INVALID_INPUT" });
    expect(Number(await entries())).toBe(before + 3);
    const again = await actions.proposeTogether(calling(agent), inputs);
    expect(again.map((one) => "entry" in one && one.entry?.hash)).toEqual(
      outcomes.map((one) => "entry" in one && one.entry?.hash),
    );
  });

  it("a batch of which some is recorded has an unknown outcome, and repeating it gives all", async () => {
    const { actions } = process;
    const old = (await actions.propose(calling(agent), write())).action.state.id;
    let parts = 0;
    const failing = createActions({
      // The database goes away after the batch, before what it supersedes is cancelled.
      ledgers: {
        ...process.ledgers,
        append: () => Promise.reject(new LedgerUnavailableError("away", 1)),
        appendTogether: (...facts) => {
          parts += 1;
          return process.ledgers.appendTogether(...facts);
        },
      },
      isSigned,
      pool: process.pool,
      policy: createPolicy(await loadCatalog()),
      keys: world.keys,
      config: { region: "eu", approvalTtl: 600, grantTtl: 600, executionTtl: 600, chainIdle: 1800 },
    });
    const inputs = [read(), write({ supersedes: old })];
    const failed = expect(failing.proposeTogether(calling(agent), inputs));
    await failed.rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE", outcome: "UNKNOWN" });
    expect(parts).toBe(1);
    const outcomes = await actions.proposeTogether(calling(agent), inputs);
    expect(outcomes).toMatchObject([{ action: { state: { version: 1 } } }, { action: { state: { version: 1 } } }]);
    expect((await actions.load(calling(agent), old))?.state.status).toBe("CANCELLED");
  });

  it("an action that was to be superseded is still there, and repeating the call supersedes it", async () => {
    const { actions } = process;
    const old = (await actions.propose(calling(agent), write())).action.state.id;
    const input = write({ supersedes: old });
    const id = actionIdOf(agent, input.idempotencyKey);
    const holder = new Client({ connectionString: world.database.superuserUrl });
    const ended = new Promise((resolve) => holder.once("end", resolve));
    // Its end is part of the plan.
    holder.on("error", () => undefined);
    await holder.connect();
    await holder.query("BEGIN");
    await holder.query("SELECT FROM oc_state WHERE kind = 'ACTION' AND id = $1 FOR UPDATE", [old]);
    const cutShort = expect(actions.propose(calling(agent), input)).rejects.toThrow("repeat the call");
    const statusOf = async (id: string) => (await actions.load(calling(agent), id))?.state.status;
    await waitUntil(async () => (await statusOf(id)) === "PENDING");
    // Only what waits for the lock already is sure never to get it.
    await withClient(world.database.superuserUrl, async (client) => {
      const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await waitUntil(async () => (await client.query(waiting)).rowCount === 1);
    });
    await hide();
    await Promise.all([cutShort, ended]);
    await show();
    expect([await statusOf(old), await statusOf(id)]).toEqual(["PENDING", "PENDING"]);

    const { entry } = await actions.propose(calling(agent), input);
    expect([await statusOf(old), await statusOf(id)]).toEqual(["CANCELLED", "PENDING"]);
    const [, cancelled] = await entriesOf(process.pool, old);
    expect(cancelled?.body).toMatchObject({ reason: "SUPERSEDED", supersededBy: id });
    expect(cancelled!.seq).toBeGreaterThan(entry.seq);
  });
});
