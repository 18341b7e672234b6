import type { Pool } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { settleDue } from "../../src/domain/actions/settle-due.ts";
import { createCommit } from "../../src/domain/commit.ts";
import { createChainProofs } from "../../src/domain/lineage/proof.ts";
import { readRoutes } from "../../src/domain/lineage/routes.ts";
import { settleDueSessions } from "../../src/domain/sessions/settle-due.ts";
import { UNGUARD_STATES } from "../ledger/manipulate-states.ts";
import { withClient } from "../support/postgres.ts";
import { createWorld, type Process, type World } from "./support.ts";

let world: World;
let process: Process;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
});
afterAll(() => world.close());

interface Query {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A query that returns no rows here has one for each question in the product. */
function nothingFound(error: unknown): void {
  if (!String(error).includes("returned no row")) throw error;
}

/** What `work` asks the database. */
async function asked(work: (db: Pool) => Promise<unknown>): Promise<Query> {
  const queries: Query[] = [];
  const db = {
    query: (query: string | Query, values: readonly unknown[] = []) => {
      queries.push(typeof query === "string" ? { text: query, values } : query);
      return Promise.resolve({ rows: [] });
    },
  };
  await work(db as unknown as Pool);
  const [query] = queries;
  if (query === undefined) throw new Error("nothing was asked");
  return query;
}

const MANY = `
  INSERT INTO oc_state (ledger, kind, id, version, state, status, expires_at, actor_id, conversation, first_seq, updated_seq,
                        entries, hash)
  SELECT 'acme/eu', k.kind, gen_random_uuid(), 1, k.state::jsonb, k.state::jsonb ->> 'status', k.expires_at, 'agent', '', n, n,
         ARRAY[n], ''
    FROM generate_series(1000, 21000) n,
         (VALUES ('SESSION', '{"status":"OPEN"}', now() + interval '1 day'),
                 ('ACTION', '{"status":"PENDING","approvals":0}', now() + interval '1 day'),
                 ('CHAIN', '{"status":"OPEN","number":1,"platform":"crm"}', NULL)) AS k(kind, state, expires_at);
  ANALYZE`;

/** Pages that answering `query` reads when everything is in order and nothing is due. */
async function pages({ text, values }: Query, mode: string): Promise<number> {
  return withClient(world.database.superuserUrl, async (client) => {
    await client.query(`BEGIN; ${UNGUARD_STATES}; ${MANY}; SET LOCAL plan_cache_mode = ${mode}`);
    const { rows } = await client.query<{ "QUERY PLAN": readonly { readonly Plan: Record<string, number> }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      [...values],
    );
    await client.query("ROLLBACK");
    const plan = rows[0]?.["QUERY PLAN"][0]?.Plan;
    return Number(plan?.["Shared Hit Blocks"]) + Number(plan?.["Shared Read Blocks"]);
  });
}

it.each<[string, (db: Pool) => Promise<unknown>]>([
  [
    "sessions that are over",
    (db) => settleDueSessions({ db, commit: createCommit({ ledgers: process.ledgers, attribute: "none" }) }, 64),
  ],
  [
    "actions that are over",
    (db) => settleDue({ db, executor: { apply: () => Promise.reject(new Error("none")) } }, 64),
  ],
  [
    "the chains of many conversations",
    (db) => {
      const key = { ledger: "acme/eu", principalId: "agent", onBehalfOfId: "" } as const;
      const ofConversation = (n: number) => ({ key: { ...key, conversation: `${n}` }, platform: "crm", writes: true });
      return readRoutes(
        { db, proofs: createChainProofs(db, process.ledgers) },
        Array.from({ length: 20 }, (_, n) => ofConversation(n)),
      ).catch(nothingFound);
    },
  ],
])("looking for %s reads few pages when there are none, however many are known", async (_, work) => {
  const query = await asked(work);
  for (const mode of ["force_custom_plan", "force_generic_plan"]) expect(await pages(query, mode)).toBeLessThan(150);
});
