import type { Client } from "pg";
import { Client as Connection } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePartitions } from "../../src/jobs/partitions.ts";
import { guardReport } from "../../src/ledger/guards.ts";
import { readEntries, readEntry, readEntryByHash, readEntryPage } from "../../src/ledger/read.ts";
import { readRelated } from "../../src/ledger/related.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { createLedgerSnapshots } from "../../src/ledger/snapshot.ts";
import { newId, note, openScene, type Scene } from "../ledger/scene.ts";
import { dateLedgers, type LedgerClock } from "../support/clock.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

const LEDGER = "slept/eu";
const ENTRIES = 9;
const DAY = 24 * 3600 * 1000;
let scene: Scene;
let superuser: Client;
let clock: LedgerClock;
const chains = Array.from({ length: ENTRIES }, newId);

/** Months that have a partition, in each family. */
async function months(): Promise<Readonly<Record<string, readonly string[]>>> {
  const { rows } = await superuser.query<{ parent: string; names: string[] }>(
    `SELECT inhparent::regclass::text AS parent, array_agg(right(inhrelid::regclass::text, 7) ORDER BY 1) AS names
       FROM pg_inherits WHERE inhparent IN ('oc_audit_log'::regclass, 'oc_audit_payload'::regclass) GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ parent, names }) => [parent, names.toSorted()]));
}

async function stored(): Promise<readonly unknown[]> {
  const { rows } = await superuser.query(
    `SELECT e::text AS entry, p::text AS payload FROM oc_audit_log e JOIN oc_audit_payload p USING (ledger, seq) ORDER BY seq`,
  );
  return rows;
}

/** How many rows the default partitions hold. */
async function strays(): Promise<unknown> {
  const { rows } = await superuser.query(
    "SELECT (SELECT count(*)::int FROM oc_audit_log_default) AS entries, (SELECT count(*)::int FROM oc_audit_payload_default) AS payloads",
  );
  return rows[0];
}

/** Every way to read finds every entry. */
async function expectFound(): Promise<void> {
  const { pool } = scene;
  const all = await searchEntries(pool, LEDGER, {}, { limit: 100 });
  const newest = await searchEntries(pool, LEDGER, {}, { limit: 100, newestFirst: true });
  const seqs = Array.from({ length: ENTRIES + 1 }, (_, n) => BigInt(n + 1));
  expect(all.map(({ seq }) => seq)).toEqual(seqs);
  expect(newest.map(({ seq }) => seq)).toEqual(seqs.toReversed());
  expect((await readEntryPage(pool, LEDGER, 0n)).entries).toEqual(all);
  expect(await readEntries(pool, LEDGER, seqs)).toEqual(all);
  for (const entry of all) {
    expect(await readEntry(pool, LEDGER, entry.seq)).toEqual(entry);
    expect(await readEntryByHash(pool, LEDGER, entry.hash)).toEqual(entry);
    const between = { recordedFrom: entry.recordedAt, recordedTo: entry.recordedAt };
    expect(await searchEntries(pool, LEDGER, between, { limit: 100 })).toContainEqual(entry);
  }
  for (const [at, chain] of chains.entries()) {
    expect(await searchEntries(pool, LEDGER, { chainHash: chain }, { limit: 2 })).toEqual([all[at + 1]]);
    expect((await readRelated(pool, LEDGER, "chain", [chain], 2)).get(chain)).toEqual([all[at + 1]]);
  }
  expect(await verifyLedger(pool, LEDGER)).toMatchObject({ verdict: "INTACT", checkedEntries: BigInt(ENTRIES + 1) });
}

beforeAll(async () => {
  scene = await openScene();
  superuser = new Connection({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
  clock = await dateLedgers(superuser);
});
afterAll(async () => {
  await superuser.end();
  await scene.close();
});

describe("a server whose partitions are months behind", () => {
  it("appends, and its entries are found and verified", async () => {
    // As it is when nothing has made partitions for months: none of this month, nor of the next.
    await superuser.query(`SET countersign.migration = 'on';
      DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT inhrelid::regclass::text FROM pg_inherits
                     WHERE inhparent IN ('oc_audit_log'::regclass, 'oc_audit_payload'::regclass)
                       AND inhrelid::regclass::text !~ '_default$' LOOP EXECUTE 'DROP TABLE ' || name; END LOOP;
      END $$; RESET countersign.migration`);
    for (let n = 0; n < ENTRIES; n++) {
      await clock.set(new Date(Date.now() - (ENTRIES - n) * 12 * DAY));
      await scene.ledgers.append(LEDGER, note(`entry ${n}`, { chain: chains[n]! }));
    }
    await clock.reset();
    expect(await strays()).toEqual({ entries: ENTRIES + 1, payloads: ENTRIES });
    await expectFound();
  });

  it("finds its entries with statements that wait while they are moved", async () => {
    const { pool } = scene;
    const all = await searchEntries(pool, LEDGER, {}, { limit: 100 });
    const seqs = all.map(({ seq }) => seq);
    await superuser.query("BEGIN");
    await superuser.query("SELECT oc_ensure_partition(current_date)");
    const snapshot = createLedgerSnapshots({ pool, ledgers: scene.ledgers })(LEDGER);
    const reads = {
      at: readEntries(pool, LEDGER, seqs),
      byHash: readEntryByHash(pool, LEDGER, all[3]!.hash).then((entry) => [entry]),
      page: readEntryPage(pool, LEDGER, 0n).then(({ entries }) => entries),
      search: searchEntries(pool, LEDGER, {}, { limit: 100 }),
      snapshot: snapshot.head().then(() => readEntries(snapshot, LEDGER, seqs)),
      verification: verifyLedger(pool, LEDGER).then(({ verdict }) => verdict),
    };
    const waiting =
      "SELECT count(DISTINCT pid)::int AS count FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    await waitUntil(async () => (await superuser.query(waiting)).rows[0].count >= Object.keys(reads).length);
    // What was moved is as it was.
    await superuser.query("COMMIT");
    const whole = { at: all, page: all, search: all, snapshot: all, byHash: [all[3]], verification: "INTACT" };
    for (const [name, read] of Object.entries(reads))
      expect(await read, name).toEqual(whole[name as keyof typeof whole]);
    await snapshot.end();
  });

  it("gets them, those of the months it slept through too, and no byte is another", async () => {
    const before = await stored();
    // This month was made by the test before.
    expect(await ensurePartitions(scene.pool)).toBe(2);
    expect(await strays()).toEqual({ entries: 0, payloads: 0 });
    expect(await stored()).toEqual(before);
    const { oc_audit_log: entries, oc_audit_payload: payloads } = await months();
    expect(entries).toEqual(payloads);
    // Of nine entries twelve days apart: three or four months before this one, this one, and the two to come.
    expect(entries?.length).toBeGreaterThanOrEqual(7);
    await expectFound();
    expect(await ensurePartitions(scene.pool)).toBe(0);
  });

  it("has every guard on them", async () => {
    expect((await superuser.query("SELECT * FROM oc_guard.problems()")).rows).toEqual([]);
    expect(await guardReport(scene.pool)).toEqual({ intact: true, eventTriggers: true, problems: [] });
    const message = /append-only/;
    for (const month of (await months()).oc_audit_log ?? []) {
      await expect(superuser.query(`DELETE FROM oc_audit_log_${month}`)).rejects.toThrow(message);
    }
    await scene.ledgers.append(LEDGER, note("one more"));
    expect(await strays()).toEqual({ entries: 0, payloads: 0 });
  });
});
