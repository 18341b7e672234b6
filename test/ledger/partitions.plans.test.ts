import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadActions } from "../../src/domain/actions/loading/store.ts";
import { createChainProofs } from "../../src/domain/lineage/proof.ts";
import { readRoute } from "../../src/domain/lineage/routes.ts";
import { readOversight } from "../../src/domain/oversight/oversight.ts";
import { readDirectoryChanges } from "../../src/ledger/directory-entries.ts";
import { exportLines } from "../../src/ledger/export.ts";
import { type Queryable, readEntries, readEntry, readEntryByHash, readEntryPage } from "../../src/ledger/read.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { dateLedgers } from "../support/clock.ts";
import { actionState, newId, note, openScene, type Scene } from "./scene.ts";

const LEDGER = "old/eu";
const MONTHS = 24;
let scene: Scene;
let client: Client;
let hash: string;
const actions = Array.from({ length: MONTHS }, newId);

beforeAll(async () => {
  scene = await openScene();
  client = new Client({ connectionString: scene.database.superuserUrl });
  await client.connect();
  await client.query(`SET countersign.migration = 'on'; SET ROLE oc_owner;
    SELECT oc_make_month(family, first_day)
      FROM unnest(ARRAY['oc_audit_log', 'oc_audit_payload']) AS family, generate_series(1, ${MONTHS}) AS back,
           LATERAL (SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => back))::date) AS m(first_day);
    RESET ROLE; RESET countersign.migration`);
  const clock = await dateLedgers(client);
  const { rows } = await client.query<{ at: Date }>(
    `SELECT date_trunc('month', now(), 'UTC') - make_interval(months => back) + interval '10 days' AS at
       FROM generate_series(${MONTHS}, 1, -1) AS back`,
  );
  for (const [at, { at: instant }] of rows.entries()) {
    await clock.set(instant);
    const body = note("old", { ...actionState(actions[at]!, 1, "PENDING"), type: "ACTION_PROPOSED" });
    hash = (await scene.ledgers.append(LEDGER, body)).hash;
  }
  await clock.reset();
  await scene.asSuperuser("ANALYZE");
  await client.query("SET ROLE oc_app; SET jit = off");
});
afterAll(async () => {
  await client.end();
  await scene.close();
});

/** How often this transaction has looked into each partition so far, by an index or row by row. */
async function looks(): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ name: string; looks: number }>(
    `SELECT i.inhrelid::regclass::text AS name,
            (pg_stat_get_xact_numscans(i.inhrelid)
              + coalesce((SELECT sum(pg_stat_get_xact_numscans(x.indexrelid)) FROM pg_index x WHERE x.indrelid = i.inhrelid), 0))::int AS looks
       FROM pg_inherits i WHERE i.inhparent IN ('oc_audit_log'::regclass, 'oc_audit_payload'::regclass)`,
  );
  return new Map(rows.map(({ name, looks: count }) => [name, count]));
}

/** The partitions that `work` looks into, with the plans it has after many runs. */
async function opened(work: (db: Queryable) => Promise<unknown>): Promise<readonly string[]> {
  for (let time = 0; time < 6; time++) await work(client);
  await client.query("BEGIN");
  const before = await looks();
  await work(client);
  const after = await looks();
  await client.query("ROLLBACK");
  return [...after].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name);
}

type Asked = string | { readonly text: string; readonly values?: unknown[] };

/** How many partitions the statements of `work` name in their plans. */
async function planned(work: (db: Queryable) => Promise<unknown>): Promise<number> {
  const names = new Set<string>();
  const query = async (asked: Asked, given: unknown[] = []) => {
    const { text, values = [] } = typeof asked === "string" ? { text: asked, values: given } : asked;
    const { rows } = await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
    for (const row of rows) {
      for (const [name] of row["QUERY PLAN"].matchAll(/ on oc_audit_(?:log|payload)_(?:\d{4}_\d\d|default)/g))
        names.add(name);
    }
    return client.query(text, values);
  };
  await work({ query } as unknown as Queryable);
  return names.size;
}

const middle = BigInt(MONTHS / 2);

describe("a ledger of many months", () => {
  // Of each month: the partition of entries and, where payloads are read, theirs.
  it.each<[string, number, (db: Queryable) => Promise<unknown>]>([
    ["an entry by position", 2, (db) => readEntry(db, LEDGER, middle)],
    ["entries by position", 4, (db) => readEntries(db, LEDGER, [3n, 9n])],
    ["a position without an entry", 2, (db) => readEntry(db, LEDGER, 10_000n)],
    ["the last entry by its hash", 2, (db) => readEntryByHash(db, LEDGER, hash)],
    ["the end of the ledger", 2, (db) => readEntryPage(db, LEDGER, BigInt(MONTHS))],
    ["changes of a directory", 2, (db) => readDirectoryChanges(db, [{ ledger: LEDGER, after: BigInt(MONTHS) }]).next()],
    ["an action", 1, (db) => loadActions(db, LEDGER, [actions[5]!])],
    ["two actions", 2, (db) => loadActions(db, LEDGER, [actions[5]!, actions[9]!])],
    ["a line of the export", 1, (db) => exportLines(db, LEDGER, { fromSeq: middle, toSeq: middle }).next()],
    [
      "where a principal was last",
      0,
      (db) => {
        const key = { ledger: LEDGER, principalId: "a", onBehalfOfId: "", conversation: "" } as const;
        return readRoute({ db, proofs: createChainProofs(db, scene.ledgers) }, key, "crm", true);
      },
    ],
  ])("opens the partitions of the months alone: %s", async (_name, most, work) => {
    expect((await opened(work)).length).toBeLessThanOrEqual(most);
    // The functions plan by themselves, once a connection; the statement that calls them names no partition.
    expect(await planned(work)).toBe(0);
  });

  it("plans a page of the newest entries over few partitions, and of a time over those of that time", async () => {
    const newest = { limit: 2, newestFirst: true };
    expect(await planned((db) => searchEntries(db, LEDGER, {}, newest))).toBeLessThanOrEqual(4);
    const types = ["ACTION_PROPOSED"];
    expect(await planned((db) => searchEntries(db, LEDGER, { types, text: "old" }, newest))).toBeLessThanOrEqual(4);
    const recorded = (await readEntry(scene.pool, LEDGER, middle))!.recordedAt;
    const then = { recordedFrom: recorded, recordedTo: recorded };
    expect(await planned((db) => searchEntries(db, LEDGER, then, newest))).toBeLessThanOrEqual(2);
  });

  it("counts how people oversaw a time over the partitions of that time", async () => {
    const day = Date.parse((await readEntry(scene.pool, LEDGER, middle))!.recordedAt);
    const at = (days: number) => new Date(day + days * 86_400_000).toISOString();
    const count = (db: Queryable) => readOversight(db, LEDGER, { from: at(-1), to: at(1) });
    expect(await count(client)).toMatchObject({ proposals: { UNKNOWN: 1 }, statuses: { PENDING: 1 } });
    expect((await opened(count)).length).toBeLessThanOrEqual(1);
  });

  it("finds what is far back, in whatever order it is asked for", async () => {
    for (const newestFirst of [true, false]) {
      const found = await searchEntries(scene.pool, LEDGER, { actionId: actions[1]! }, { limit: 5, newestFirst });
      expect(found.map(({ body }) => body.action)).toEqual([actions[1]]);
    }
    const page = { limit: 100, newestFirst: true };
    const all = await searchEntries(scene.pool, LEDGER, { types: ["ACTION_PROPOSED"] }, page);
    expect(all.map(({ body }) => body.action)).toEqual(actions.toReversed());
  });
});
