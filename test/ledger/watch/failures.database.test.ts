import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type Pool } from "pg";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createPool } from "../../../src/db/pool.ts";
import type { LedgerId } from "../../../src/facts/entry.ts";
import { Erasable } from "../../../src/facts/erasable.ts";
import type { Watch, WatchOptions } from "../../../src/ledger/watch/watch.ts";
import { silent } from "../../support/log.ts";
import { withClient } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import { createTestWatch } from "../../support/watch.ts";
import { note, openScene, type Scene } from "../scene.ts";

let scene: Scene;
let directory: string;
let superuser: Client;
const watches: Watch[] = [];
const pools: Pool[] = [];

beforeAll(async () => {
  scene = await openScene();
  directory = await mkdtemp(join(tmpdir(), "countersign-watch-"));
  superuser = new Client({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
});
afterEach(async () => {
  await superuser.query("ROLLBACK");
  for (const watch of watches.splice(0)) await watch.stop();
  for (const pool of pools.splice(0)) await pool.end();
});
afterAll(async () => {
  await superuser.end();
  await scene.close();
  await rm(directory, { recursive: true });
});

/** A watch of its own, what it found and what failed. */
function watching(name: string, options: Partial<WatchOptions> = {}) {
  const found: string[] = [];
  const errors: string[] = [];
  const watch = createTestWatch(scene.pool, join(directory, name), {
    onFound: (ledger, { verdict, seq }, by) => void found.push(`${ledger} ${verdict} ${seq} by ${by}`),
    onError: ({ message }, ledger) => void errors.push(`${ledger}: ${message}`),
    ...options,
  });
  watches.push(watch);
  return { watch, found, errors };
}

async function grow(ledger: LedgerId, entries: number): Promise<void> {
  await Promise.all(Array.from({ length: entries }, (_, at) => scene.ledgers.append(ledger, note(`entry ${at}`))));
}
/** By a superuser who takes the triggers off and puts them back. */
const tamper = (sql: string) =>
  withClient(scene.database.superuserUrl, async (client) => {
    await client.query("BEGIN; SET LOCAL allow_system_table_mods = on; SET LOCAL event_triggers = off");
    await client.query("UPDATE pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal");
    await client.query(sql);
    await client.query("UPDATE pg_trigger SET tgenabled = 'A' WHERE NOT tgisinternal; COMMIT");
  });
const change = (ledger: LedgerId, seq: number) =>
  tamper(`UPDATE oc_audit_log SET tool = 'x' WHERE ledger = '${ledger}' AND seq = ${seq}`);
const acknowledge = (ledger: LedgerId, problems: readonly object[]) =>
  scene.ledgers.append(ledger, {
    actor: { id: "admin", kind: "HUMAN", roles: ["admin"], groups: [] },
    type: "LEDGER_ACKNOWLEDGED",
    problems: problems.map((problem) => ({ ...problem })),
    note: new Erasable("restored"),
  });

it("verifies entries while the guards cannot be verified, says so, and admits no ledger until they were", async () => {
  await grow("guards/eu", 5);
  await change("guards/eu", 3);
  // Read by the report of the guards, and by nothing else here.
  await superuser.query("BEGIN; LOCK TABLE pg_catalog.pg_default_acl IN ACCESS EXCLUSIVE MODE");
  const { watch, found } = watching("guards");
  watch.start();
  const admitted = watch.admit("guards/eu");
  await waitUntil(() => found.some((one) => one.startsWith("guards/eu CONTENT_MISMATCH 3")));
  const waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'pg_catalog.pg_default_acl'::regclass";
  await waitUntil(async () => (await scene.asSuperuser(waiting)).rows.length > 0);
  expect((await watch.health("guards/eu")).problems).toContainEqual({
    verdict: "UNVERIFIABLE",
    seq: undefined,
    detail: "the guards are being verified",
  });
  await superuser.query("ROLLBACK");
  await admitted;
  expect((await watch.health("guards/eu")).problems).toMatchObject([{ verdict: "CONTENT_MISMATCH" }]);
});

it("reports guards that cannot be read, and tries again", async () => {
  await grow("retry/eu", 2);
  const closed = createPool({
    connectionString: scene.database.appUrl,
    max: 2,
    applicationName: "closed",
    log: silent,
  });
  await closed.end();
  const { watch, errors } = watching("retry", { patientPool: closed });
  watch.start();
  await waitUntil(() => errors.length > 0);
  await expect(watch.admit("retry/eu")).rejects.toThrow("Cannot use a pool after calling end");
  expect(await watch.health("retry/eu")).toMatchObject({
    condition: "SUSPECT",
    problems: [{ verdict: "UNVERIFIABLE", detail: expect.stringContaining("never were by this server") }],
  });
});

it("verifies whole ledgers on a server that is never at rest, also behind one that fails", async () => {
  await grow("behind/eu", 1_200);
  // Further back than the ends that are verified first.
  await change("behind/eu", 5);
  const { watch, found } = watching("busy", { wholeIntervalMs: 1_000 });
  watch.start();
  const busy = setInterval(() => watch.grown("behind/eu"), 20);
  try {
    await waitUntil(() => found.includes("behind/eu CONTENT_MISMATCH 5 by whole ledger"));
  } finally {
    clearInterval(busy);
  }
});

it("looks at a ledger in which something is wrong for longer than statements may take", async () => {
  await grow("slow/eu", 5);
  await tamper("UPDATE oc_ledger_head SET seq = 9 WHERE ledger = 'slow/eu'");
  const pool = createPool({
    connectionString: scene.database.appUrl,
    max: 2,
    applicationName: "hurried",
    log: silent,
    statementTimeoutMs: 100,
  });
  pools.push(pool);
  const { watch } = watching("slow", { pool });
  // What came last is looked for in all states: here it waits for them.
  await superuser.query("BEGIN; LOCK TABLE oc_state IN ACCESS EXCLUSIVE MODE");
  const health = watch.health("slow/eu");
  const long = `SELECT FROM pg_stat_activity WHERE application_name = 'hurried' AND wait_event_type = 'Lock'
                   AND clock_timestamp() > query_start + interval '1500 ms'`;
  await waitUntil(async () => (await scene.asSuperuser(long)).rows.length > 0);
  await superuser.query("ROLLBACK");
  expect((await health).problems).toMatchObject([{ verdict: "TRUNCATED", seq: 7n }]);
});

it("takes no acknowledgement from an entry that is damaged, and goes on", async () => {
  const ledger = "damaged/eu";
  await grow(ledger, 5);
  await change(ledger, 3);
  const problem = { verdict: "CONTENT_MISMATCH", seq: "3" };
  const ruined = [
    "entry = 'not an entry', hash = sha256('not an entry')",
    `entry = replace(entry, '"ledger":', '"lodger":')`,
    `entry = replace(entry, '"recordedAt":"2', '"recordedAt":"9')`,
    `entry = replace(entry, '"problems":[{', '"problems":[null,{')`,
  ];
  for (const set of ruined) {
    const { seq } = await acknowledge(ledger, [problem]);
    await tamper(`
      ALTER TABLE oc_audit_log DROP CONSTRAINT IF EXISTS oc_audit_log_hash, DROP CONSTRAINT IF EXISTS oc_audit_log_prev_hash;
      UPDATE oc_audit_log SET ${set} WHERE ledger = '${ledger}' AND seq = ${seq}`);
  }
  const { watch, errors } = watching("damaged");
  watch.start();
  await watch.admit(ledger);
  await waitUntil(async () => (await watch.health(ledger)).problems.some(({ seq }) => seq === 3n));
  const named = await watch.toAcknowledge(ledger);
  expect(named).toContainEqual(problem);
  await waitUntil(async () => (await watch.toAcknowledge(ledger)).length > ruined.length);
  await acknowledge(ledger, await watch.toAcknowledge(ledger));
  await watch.acknowledged(ledger);
  expect((await watch.health(ledger)).problems).not.toContainEqual(expect.objectContaining({ seq: 3n }));
  expect(errors).toEqual([]);
});
