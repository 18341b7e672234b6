import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { withClient, withDatabase } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import { agent, approver, calling, createWorld, type Process, read, type World, write } from "../support.ts";

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
      await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [
        world.database.name,
      ]);
      const renamed = await client.query(sql).catch((error: unknown) => error);
      return !(renamed instanceof Error && "code" in renamed && renamed.code === "55006");
    });
  });
}
const hide = () => beside(`ALTER DATABASE ${world.database.name} RENAME TO ${away()}`);
const show = () => beside(`ALTER DATABASE ${away()} RENAME TO ${world.database.name}`);

describe("without a database", () => {
  it("nothing happens, everybody is told to come back, and then it works", async () => {
    const { actions } = process;
    const { action } = await actions.propose(calling(agent), write());
    const ballot = { actionId: action.state.id, digest: termsOf(action.proposal).digest, channel: "API" } as const;
    const input = read({ conversationId: "fresh" });
    await hide();
    for (const attempt of [
      () => actions.propose(calling(agent), input),
      () => actions.propose(calling(agent), write()),
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
});
