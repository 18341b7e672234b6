import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readNotices } from "../../src/domain/channels/notices.ts";
import { dueChannels, nextDue } from "../../src/domain/channels/outbox.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import type { Queryable } from "../../src/ledger/read.ts";
import { unguarded } from "../ledger/manipulate-states.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";

/** What the work on notices reads does not depend on how many wait, or were sent. */

const LEDGER: LedgerId = "acme/eu";
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await withClient(database.superuserUrl, async (client) => {
    await client.query(`
      INSERT INTO oc_work.outbox (ledger, channel, action, first_seq, wanted, not_before)
      SELECT '${LEDGER}', c, gen_random_uuid(), n, 1, t.not_before::timestamptz
        FROM generate_series(1, 10000) n,
             (VALUES ('mail', '-infinity'), ('ops', 'tomorrow'), ('sms', 'today')) AS t(c, not_before)`);
    await client.query(
      unguarded(`
        INSERT INTO oc_state (ledger, kind, id, version, state, status, conversation, first_seq, updated_seq, entries, hash)
        SELECT '${LEDGER}', 'NOTICE', gen_random_uuid() || '/' || c, 1, '{"status":"SENT"}', 'SENT', '', n, n, ARRAY[n], ''
          FROM generate_series(1, 10000) n, (VALUES ('mail'), ('ops')) AS v(c)`),
    );
    await client.query("ANALYZE");
  });
});
afterAll(() => database?.drop());

interface Query {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Pages that `work` reads with its first query, at most, however that is planned. */
async function pages(work: (db: Queryable) => Promise<unknown>): Promise<number> {
  const queries: Query[] = [];
  const db = {
    query: (text: string, values: readonly unknown[]) => {
      queries.push({ text, values });
      return Promise.resolve({ rows: [] });
    },
  };
  await work(db as unknown as Queryable);
  const { text, values } = queries[0]!;
  return withClient(database.appUrl, async (client) => {
    const read: number[] = [];
    for (const mode of ["force_custom_plan", "force_generic_plan"]) {
      await client.query(`SET plan_cache_mode = ${mode}`);
      const { rows } = await client.query<{ "QUERY PLAN": readonly { readonly Plan: Record<string, number> }[] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
        [...values],
      );
      const plan = rows[0]?.["QUERY PLAN"][0]?.Plan;
      read.push(Number(plan?.["Shared Hit Blocks"]) + Number(plan?.["Shared Read Blocks"]));
    }
    return Math.max(...read);
  });
}

it.each<[string, (db: Queryable) => Promise<unknown>]>([
  ["the channels that something waits for", (db) => dueChannels(db, [LEDGER, "globex/eu"])],
  ["what a channel gets next", (db) => nextDue(db, LEDGER, "mail", [])],
  ["what a channel gets next of what waited for its time", (db) => nextDue(db, LEDGER, "sms", [])],
  ["what a channel gets next whose actions all escalate later", (db) => nextDue(db, LEDGER, "ops", [])],
  [
    "the notices of many actions",
    (db) =>
      readNotices(
        db,
        LEDGER,
        Array.from({ length: 20 }, () => randomUUID()),
      ),
  ],
])("looking for %s reads few pages, however much is known", async (_, work) => {
  expect(await pages(work)).toBeLessThan(100);
});
