import type { Client } from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { dependenciesOf } from "../../src/facts/dependencies.ts";
import { withClient } from "../support/postgres.ts";
import { actionState, listing, newId, note, openScene, type Scene, sessionStep } from "./scene.ts";

const LEDGER = "plans/eu";
const MANY = 1500;
let scene: Scene;

beforeEach(async () => {
  scene = await openScene();
  await scene.ledgers.ensure(LEDGER);
});
afterEach(() => scene.close());

async function append(client: Client, bodies: readonly UnsealedObject[]): Promise<void> {
  const lines = bodies.map((body) => seal({ ...body, id: uuidv7() }));
  const { rows } = await client.query<{ refusal: string | null }>({
    name: "append",
    text: "SELECT refusal FROM oc_ledger_append($1, $2, $3, $4) ORDER BY ordinal",
    values: [
      LEDGER,
      lines.map(({ body }) => body).join("\n"),
      lines.map(({ payload }) => payload).join("\n"),
      JSON.stringify({
        dependencies: bodies.flatMap((body, index) =>
          dependenciesOf(body).map((dependency) => ({ ...dependency, drafts: [index + 1] })),
        ),
      }),
    ],
  });
  expect(rows.map(({ refusal }) => refusal)).toEqual(bodies.map(() => null));
}

/** Entries of each index of oc_state that this connection has read and not reported yet: earlier ones are among them. */
async function entriesRead(client: Client): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ name: string; read: number }>(
    `SELECT indexrelid::regclass::text AS name, pg_stat_get_xact_tuples_returned(indexrelid)::int AS read
       FROM pg_index WHERE indrelid = 'oc_state'::regclass`,
  );
  return new Map(rows.map(({ name, read }) => [name, read]));
}

/** How many entries of each index of oc_state are read while `bodies` are appended. */
async function readBy(client: Client, bodies: readonly UnsealedObject[]): Promise<Readonly<Record<string, number>>> {
  await client.query("BEGIN");
  const before = await entriesRead(client);
  await append(client, bodies);
  const after = await entriesRead(client);
  await client.query("ROLLBACK");
  return Object.fromEntries([...after].map(([name, read]) => [name, read - (before.get(name) ?? 0)]));
}

// Plans are kept, and tables grow: what was planned for a few rows must not read all of a ledger's later.
describe.each([
  ["was empty", false],
  ["was small", true],
])("an append whose plans were made when the ledger %s", (_, analyzed) => {
  it("looks each thing up by its id, whatever it does with it and in batches of any size", async () => {
    const session = newId();
    const step = (more: UnsealedObject = {}) => note("a step", { session, ...more });
    const proposed = () => note("proposed", actionState(newId(), 1, "PENDING"));
    const actions = Array.from({ length: 40 }, proposed);
    const decided = actions.map((body) => note("decided", actionState(String(body.action), 2, "APPROVED")));
    const claimed = decided.map((body) => note("claimed", actionState(String(body.action), 3, "EXECUTING")));
    await withClient(scene.database.superuserUrl, async (client) => {
      await append(client, [sessionStep(session, 1), ...actions]);
      await append(client, [listing("PRINCIPAL", "first", 1, {})]);
      if (analyzed) await scene.asSuperuser("ANALYZE oc_state");
      const batches: Readonly<Record<string, readonly UnsealedObject[]>> = {
        "one step of a session": [step()],
        "many of it": Array.from({ length: 50 }, () => step()),
        "a new thing of the directory": [listing("PRINCIPAL", "second", 1, {})],
        "new actions in a session": Array.from({ length: 50 }, () => step(actionState(newId(), 1, "PENDING"))),
        "one action that moves on": decided.slice(0, 1),
        "many that move on": decided,
        "many that move on twice": [...decided, ...claimed],
      };
      // Twice: each statement has its plan then, and few rows of transactions that were rolled back lie about.
      for (let time = 0; time < 2; time++) for (const bodies of Object.values(batches)) await readBy(client, bodies);
      for (let made = 0; made < MANY; made += 500) await append(client, Array.from({ length: 500 }, proposed));

      // As soon as autovacuum has looked at them, the plans are made anew.
      if (analyzed) await scene.asSuperuser("ANALYZE oc_state");
      for (const [name, bodies] of Object.entries(batches)) {
        const { oc_state_pkey: byId = 0, ...others } = await readBy(client, bodies);
        // Once to judge it and once to change it, beside older versions of its row: far from all there are.
        expect.soft(byId, name).toBeLessThan(MANY / 2);
        expect.soft(others, name).toEqual(Object.fromEntries(Object.keys(others).map((index) => [index, 0])));
      }
    });
  });
});
