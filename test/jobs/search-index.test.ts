import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startSearchIndex } from "../../src/jobs/search-index.ts";
import { SEGMENT } from "../../src/ledger/search/bits.ts";
import { note, openScene, type Scene } from "../ledger/scene.ts";
import { recordingLog } from "../support/log.ts";
import { waitUntil } from "../support/wait.ts";

const LEDGER = "indexed/eu";
let scene: Scene;
let superuser: Client;

beforeAll(async () => {
  scene = await openScene();
  superuser = new Client({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
});
afterAll(async () => {
  await superuser.end();
  await scene.close();
});

async function appendSegment(): Promise<void> {
  await Promise.all(Array.from({ length: Number(SEGMENT) }, (_, n) => scene.ledgers.append(LEDGER, note(`note ${n}`))));
}

async function segments(): Promise<number> {
  const { rows } = await superuser.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM oc_work.search_segment WHERE ledger = $1 AND bits IS NOT NULL",
    [LEDGER],
  );
  return rows[0]?.count ?? 0;
}

/** Ends the connections of the database that have read segments last, and returns how many there were. */
async function cutIndexing(): Promise<number> {
  const { rows } = await superuser.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'search_segment'`,
  );
  return rows.length;
}

it("builds the search index in a thread, goes on after its connection was lost, and ends", async () => {
  const log = recordingLog();
  const job = startSearchIndex({ pool: scene.pool, log });
  try {
    await appendSegment();
    await waitUntil(async () => (await segments()) === 1);
    await waitUntil(async () => (await cutIndexing()) > 0);
    await appendSegment();
    await waitUntil(async () => (await segments()) === 2);
    expect(log.messages).toContain("a job failed and will be tried again");
  } finally {
    await job.stop();
  }
  const left = await superuser.query(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'search_segment' AND pid <> pg_backend_pid()",
  );
  expect(left.rows.length).toBe(0);
});
