import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { restsOf } from "../../src/facts/rests.ts";
import { withClient } from "../support/postgres.ts";
import { listing, newId, note, openScene, type Scene, sessionStep } from "./scene.ts";

const LEDGER = "plans/eu";
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

/** How often appending `bodies` together looked into each of `indexes`. */
async function looks(bodies: readonly UnsealedObject[], ...indexes: readonly string[]): Promise<readonly number[]> {
  const lines = bodies.map((body) => seal({ ...body, id: uuidv7() }));
  return withClient(scene.database.superuserUrl, async (client) => {
    await client.query("BEGIN");
    const { rows: answers } = await client.query<{ refusal: string | null }>(
      "SELECT refusal FROM oc_ledger_append($1, $2, $3, $4)",
      [
        LEDGER,
        lines.map(({ body }) => body).join("\n"),
        lines.map(({ payload }) => payload).join("\n"),
        bodies.map((body) => JSON.stringify({ rests: restsOf(body) })).join("\n"),
      ],
    );
    expect(answers.map(({ refusal }) => refusal)).toEqual(bodies.map(() => null));
    const { rows } = await client.query<{ scans: number }>(
      "SELECT pg_stat_get_xact_numscans(name::regclass)::int AS scans FROM unnest($1::text[]) AS name",
      [indexes],
    );
    await client.query("ROLLBACK");
    return rows.map(({ scans }) => scans);
  });
}

// Plans are kept, and tables grow: with a thousand times as many rows of the ledger, another index is a thousand times slower.
it("looks a session and a thing of the directory up by its id, also with plans of a time when there was one", async () => {
  const session = newId();
  await scene.ledgers.append(LEDGER, sessionStep(session, 1));
  await scene.ledgers.append(LEDGER, listing("PRINCIPAL", "first", 1, {}));
  await scene.asSuperuser("ANALYZE oc_state");
  const step = () => note("a step", { session });
  const others = ["oc_state_session", "oc_state_session_actor", "oc_state_due", "oc_state_directory"];
  for (const bodies of [[step()], [step(), step()], [listing("PRINCIPAL", "second", 1, {})]]) {
    const [byId, ...byOther] = await looks(bodies, "oc_state_pkey", ...others);
    expect(byId).toBeGreaterThanOrEqual(bodies.length);
    expect(byOther).toEqual(others.map(() => 0));
  }
});
