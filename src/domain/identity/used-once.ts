import { createHash } from "node:crypto";
import DataLoader from "dataloader";
import { LRUCache } from "lru-cache";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/** Something that may be used once: a proof of a key, the nonce of a signature, the state of a sign-in. */
export interface Use {
  /** Its kind, and the organization, agent or issuer whose capacity it counts towards. */
  readonly scope: string;
  /** The thumbprint of the key that it was made with; empty when there is none. */
  readonly holder: string;
  /** Unique for the holder: a text of any length. */
  readonly id: string;
  /** Seconds since the epoch from which no server accepts it, by this server's clock. */
  readonly until: number;
  /** Seconds since the epoch at which it was made, as far as it says so. */
  readonly madeAt?: number | undefined;
}

/**
 * FIRST: it was not used before, and will be refused from now on. USED: it was. OVER: it cannot be accepted any more, by the
 * database's clock. FULL: too much is remembered of its scope or its holder, so it cannot be accepted now.
 */
export type Used = "FIRST" | "USED" | "OVER" | "FULL";

/** What was used once, remembered in the database for all servers of an installation. */
export interface UsedOnce {
  /** Of all servers that ask at once, one gets FIRST. Throws LedgerUnavailableError. */
  use(use: Use): Promise<Used>;
  /** Forgets a use that came to nothing, so that it does not count towards a capacity. Throws LedgerUnavailableError. */
  forget(use: Use): Promise<void>;
}

/** How much is remembered, in rows. */
export interface UsedOnceCapacity {
  readonly scope: number;
  /** Less than that of a scope, so that one holder cannot use up the capacity of the scope. */
  readonly holder: number;
}

export interface UsedOnceOptions {
  readonly db: Queryable;
  readonly capacity?: UsedOnceCapacity;
  /** Milliseconds for which the count of a scope or a holder is used, with what this server added. */
  readonly counted?: number;
}

const CAPACITY: UsedOnceCapacity = { scope: 400_000, holder: 200_000 };
const COUNTED = 1_000;
/** Uses of one statement at most. */
const MAX_BATCH = 512;
/** Seconds by which the clocks of servers and database may differ without anything being accepted twice. */
const CLOCK_SKEW = 60;

// One statement decides. A use that is in the table, and not over, conflicts. `statement_timestamp()` is one instant for the whole
// statement, so nothing is both alive and replaced as over. Whether it is still alive is asked again once the row is there: the
// statement may have waited, and what kept the use out may have been deleted as over meanwhile. Rows are inserted in one order, so
// that two servers never wait for each other.
const USE = `
  WITH given AS (
    SELECT g.n, g.scope, g.holder, decode(g.id, 'hex') AS id, to_timestamp(g.until) AS expires_at
      FROM json_to_recordset($1::json) AS g(n integer, scope text, holder text, id text, until double precision)
  ), inserted AS (
    INSERT INTO oc_work.used_once AS u (scope, holder, id, expires_at)
    SELECT g.scope, g.holder, g.id, g.expires_at FROM given g WHERE g.expires_at > statement_timestamp()
     ORDER BY g.scope, g.holder, g.id
    ON CONFLICT (scope, holder, id) DO UPDATE SET expires_at = excluded.expires_at
     WHERE u.expires_at <= statement_timestamp()
    RETURNING u.scope, u.holder, u.id, u.expires_at > clock_timestamp() AS alive
  )
  SELECT g.n, CASE WHEN i.alive THEN 'FIRST'
                   WHEN i.alive IS NULL AND g.expires_at > statement_timestamp() THEN 'USED'
                   ELSE 'OVER' END AS used
    FROM given g LEFT JOIN inserted i USING (scope, holder, id)`;

const COUNT = `
  SELECT g.n, CASE WHEN g.holder IS NULL
              THEN (SELECT count(*) FROM (SELECT FROM oc_work.used_once u WHERE u.scope = g.scope LIMIT g.capacity) c)
              ELSE (SELECT count(*) FROM (SELECT FROM oc_work.used_once u WHERE u.scope = g.scope AND u.holder = g.holder
                                           LIMIT g.capacity) c) END::integer AS rows
    FROM json_to_recordset($1::json) AS g(n integer, scope text, holder text, capacity integer)`;

const FORGET = "DELETE FROM oc_work.used_once u WHERE u.scope = $1 AND u.holder = $2 AND u.id = decode($3, 'hex')";

// Two servers that do this at once share the work: neither waits for a row that the other deletes.
const DELETE_OVER = `
  DELETE FROM oc_work.used_once WHERE ctid = ANY (ARRAY(
    SELECT u.ctid FROM oc_work.used_once u WHERE u.expires_at <= statement_timestamp()
     ORDER BY u.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))`;

interface Counted {
  rows: number;
}

export function createUsedOnce({ db, capacity = CAPACITY, counted = COUNTED }: UsedOnceOptions): UsedOnce {
  /** Rows of scopes and holders, those added here included. */
  const counts = new LRUCache<string, Counted>({ max: 10_000, ttl: counted });
  let running: Promise<unknown> = Promise.resolve();

  const capacitiesOf = ({ scope, holder }: Use) => [
    { key: JSON.stringify([scope]), scope, holder: null, capacity: capacity.scope },
    { key: JSON.stringify([scope, holder]), scope, holder, capacity: capacity.holder },
  ];

  /** How many rows the scopes and holders have, by key. Those that were not counted lately are counted. */
  async function count(uses: readonly Use[]): Promise<ReadonlyMap<string, Counted>> {
    const wanted = new Map(uses.flatMap(capacitiesOf).map((one) => [one.key, one]));
    const found = new Map<string, Counted>();
    for (const key of wanted.keys()) {
      const known = counts.get(key);
      if (known !== undefined) found.set(key, known);
    }
    const unknown = [...wanted.values()].filter(({ key }) => !found.has(key));
    if (unknown.length === 0) return found;
    const asked = JSON.stringify(unknown.map(({ key: _, ...one }, n) => ({ n, ...one })));
    const { rows } = await withLedgerErrors(db.query<{ n: number; rows: number }>(COUNT, [asked]));
    for (const { n, rows: count } of rows) {
      const key = unknown[n]?.key ?? "";
      const one = { rows: count };
      counts.set(key, one);
      found.set(key, one);
    }
    return found;
  }

  /** Counts a use; false when a capacity is used up. */
  function take(use: Use, found: ReadonlyMap<string, Counted>): boolean {
    const capacities = capacitiesOf(use).map(({ key, capacity: most }) => ({ of: found.get(key), most }));
    if (capacities.some(({ of, most }) => of === undefined || of.rows >= most)) return false;
    for (const { of } of capacities) if (of !== undefined) of.rows += 1;
    return true;
  }

  async function run(uses: readonly Use[]): Promise<Used[]> {
    const found = await count(uses);
    const results = new Array<Used>(uses.length).fill("USED");
    const first = new Map<string, number>();
    for (const [n, use] of uses.entries()) {
      const key = JSON.stringify([use.scope, use.holder, use.id]);
      // Of equal uses the first decides; the others come after it.
      if (first.has(key)) continue;
      if (take(use, found)) first.set(key, n);
      else results[n] = "FULL";
    }
    const asked = [...first.values()].flatMap((n) => {
      const use = uses[n];
      return use === undefined ? [] : [{ ...use, n, id: digestOf(use.id), until: use.until + CLOCK_SKEW }];
    });
    if (asked.length === 0) return results;
    const { rows } = await withLedgerErrors(db.query<{ n: number; used: Used }>(USE, [JSON.stringify(asked)]));
    for (const { n, used } of rows) results[n] = used;
    return results;
  }

  // Uses that come while a statement runs share the next one; there is no timer.
  const loader = new DataLoader<Use, Used>(
    (uses) => {
      const using = run(uses);
      running = using.catch(() => undefined);
      return using;
    },
    { cache: false, maxBatchSize: MAX_BATCH, batchScheduleFn: (begin) => void running.then(() => setImmediate(begin)) },
  );

  return {
    use: (use) => loader.load(use),
    async forget({ scope, holder, id }) {
      await withLedgerErrors(db.query(FORGET, [scope, holder, digestOf(id)]));
    },
  };
}

/** Deletes at most `limit` uses that are over. Returns whether more may be. */
export async function deleteOver(db: Queryable, limit: number): Promise<boolean> {
  const { rowCount } = await db.query(DELETE_OVER, [limit]);
  return rowCount === limit;
}

function digestOf(id: string): string {
  return createHash("sha256").update(id).digest("hex");
}
