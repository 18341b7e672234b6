import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { ChainProofs } from "./proof.ts";

/**
 * Whose steps, in which conversation. `onBehalfOfId` is "" where the caller acts for nobody, `conversation` where it names
 * none.
 */
export interface RouteKey {
  readonly ledger: LedgerId;
  readonly principalId: string;
  readonly onBehalfOfId: string;
  readonly conversation: string;
}

/** The latest chain of a key. Chains of one key are numbered from 1 without gaps. */
export interface CurrentChain {
  readonly number: number;
  readonly chain: string;
  readonly platform: string;
  /** When the principal's latest entry in it was recorded; what others did about it keeps no chain alive. */
  readonly lastSeen: Date;
}

/** The chain a write may have drawn from, and when that chain was last read. */
export interface Source {
  readonly chain: string;
  readonly platform: string;
  readonly readAt: Date;
}

export interface Route {
  readonly now: Date;
  readonly current: CurrentChain | undefined;
  readonly source: Source | undefined;
}

/** How many chains back a source is looked for. Further back there is always something, and it explains nothing. */
export const SOURCE_REACH = 200;

/** What is asked, in SQL. */
interface Terms {
  readonly ledger: string;
  readonly principal: string;
  readonly person: string;
  readonly conversation: string;
  readonly platform: string;
  readonly writes: string;
}

/** The latest `limit` chains of the key, newest first. */
const latest = ({ ledger, principal, person, conversation }: Terms, limit: number) => `
              SELECT k.id::uuid AS chain, (k.state ->> 'number')::integer AS number, k.state ->> 'platform' AS platform, k.first_seq
                FROM oc_state k
               WHERE k.kind = 'CHAIN' AND k.ledger = ${ledger}
                 AND ARRAY[k.actor_id, k.on_behalf_of_id, k.conversation] = ARRAY[${principal}, nullif(${person}, ''), ${conversation}]
               ORDER BY k.first_seq DESC LIMIT ${limit}`;

const COLUMNS = `clock_timestamp() AS now, c.number, c.chain, c.last_seen,
           s.chain AS source_chain, s.number AS source_number, s.read_at AS source_read_at`;

/** The chains `c` and `s` that COLUMNS names. */
function joins(terms: Terms): string {
  const { ledger, principal, person, platform, writes } = terms;
  return `
      LEFT JOIN LATERAL (
             SELECT k.number, k.chain, k.platform,
                    oc_last_step(${ledger}, k.chain, k.first_seq, ${principal}, ${person}) AS last_seen
               FROM (${latest(terms, 1)}) k) c ON true
      LEFT JOIN LATERAL (
             SELECT k.chain, k.number, k.platform, r.read_at
               FROM (${latest(terms, SOURCE_REACH)}) k
              CROSS JOIN LATERAL (SELECT oc_last_step(${ledger}, k.chain, k.first_seq, ${principal}, ${person}, 'READ') AS read_at
                                  OFFSET 0) r
              WHERE ${writes} AND k.platform <> ${platform} AND r.read_at IS NOT NULL
              ORDER BY k.first_seq DESC LIMIT 1) s ON true`;
}

const ROUTE = {
  name: "oc_route",
  text: `SELECT ${COLUMNS} FROM (SELECT 1) one ${joins({
    ledger: "$1",
    principal: "$2",
    person: "$3",
    conversation: "$4",
    platform: "$5",
    writes: "$6::boolean",
  })}`,
};

// One statement, so that all routes are of one moment. JSON, not arrays, for the reason given in domain/sessions/attribution.ts.
const ROUTES = {
  name: "oc_routes",
  text: `
    SELECT q.n, ${COLUMNS}
      FROM json_to_recordset($1::json)
           AS q(n integer, ledger text, principal text, person text, conversation text, platform text, writes boolean) ${joins(
             {
               ledger: "q.ledger",
               principal: "q.principal",
               person: "q.person",
               conversation: "q.conversation",
               platform: "q.platform",
               writes: "q.writes",
             },
           )}`,
};

interface RouteRow {
  readonly now: Date;
  readonly number: number | null;
  readonly chain: string | null;
  readonly last_seen: Date | null;
  readonly source_chain: string | null;
  readonly source_number: number | null;
  readonly source_read_at: Date | null;
}

/** Where routes are read from. */
export interface RouteSource {
  readonly db: Queryable;
  /** What rows say of chains is compared with their entries. */
  readonly proofs: ChainProofs;
}

/**
 * The current chain of `key`, and for a step on `platform` that writes, the latest chain on another platform that holds a
 * read. One round trip.
 */
export async function readRoute(
  { db, proofs }: RouteSource,
  key: RouteKey,
  platform: string,
  writes: boolean,
): Promise<Route> {
  const values = [key.ledger, key.principalId, key.onBehalfOfId, key.conversation, platform, writes];
  const { rows } = await withLedgerErrors(db.query<RouteRow>({ ...ROUTE, values }));
  if (rows[0] === undefined) throw new Error("a query over one row returned none");
  return toRoute(proofs, key, platform, rows[0]);
}

/** A question of `readRoutes`; its members are the parameters of `readRoute`. */
export interface Asked {
  readonly key: RouteKey;
  readonly platform: string;
  readonly writes: boolean;
}

/** The same for several keys and platforms, all at one moment, in their order. One round trip. */
export async function readRoutes({ db, proofs }: RouteSource, asked: readonly Asked[]): Promise<readonly Route[]> {
  const questions = asked.map(({ key, platform, writes }, n) => {
    const { ledger, principalId: principal, onBehalfOfId: person, conversation } = key;
    return { n, ledger, principal, person, conversation, platform, writes };
  });
  const query = db.query<RouteRow & { n: number }>({ ...ROUTES, values: [JSON.stringify(questions)] });
  const { rows } = await withLedgerErrors(query);
  const found = new Map(rows.map((row) => [row.n, row]));
  return Promise.all(
    asked.map(({ key, platform }, n) => {
      const row = found.get(n);
      if (row === undefined) throw new Error(`a query over ${asked.length} rows returned no row ${n}`);
      return toRoute(proofs, key, platform, row);
    }),
  );
}

/** The platforms are those of the entries that began the chains. */
async function toRoute(proofs: ChainProofs, key: RouteKey, platform: string, row: RouteRow): Promise<Route> {
  const { now, number, chain, source_chain, source_number, source_read_at } = row;
  const route: { now: Date; current: CurrentChain | undefined; source: Source | undefined } = {
    now,
    current: undefined,
    source: undefined,
  };
  if (number !== null && chain !== null) {
    const { platform } = await proofs.prove(key, chain, number);
    route.current = { number, chain, platform, lastSeen: row.last_seen ?? now };
  }
  if (source_chain !== null && source_number !== null && source_read_at !== null) {
    const of = await proofs.prove(key, source_chain, source_number);
    if (of.platform !== platform) route.source = { chain: source_chain, platform: of.platform, readAt: source_read_at };
  }
  return route;
}
