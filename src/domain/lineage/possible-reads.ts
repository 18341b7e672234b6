import { ledgerOf } from "../../facts/entry.ts";
import { textOf } from "../../facts/members.ts";
import { provenEntry } from "../../ledger/proof.ts";
import type { EntryRow, Queryable } from "../../ledger/read.ts";
import type { Principal } from "../identity/principal.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/** A read that a principal may have drawn a write from: where it is recorded, and nothing of what was read. */
export interface ReadMarker {
  readonly platform: string;
  readonly region: string;
  readonly ledger: string;
  /** Where it is in a region of several: the routing chain that read, and how many reads of it there are. */
  readonly chain?: string | undefined;
  readonly reads?: number | undefined;
  /** Position and hash (64 hex digits) of its proposal; undefined where that is recorded together with the write. */
  readonly seq?: string | undefined;
  readonly hash?: string | undefined;
}

export interface PossibleReads {
  /** The latest of each platform and region, and of each routing chain where there are several regions. */
  readonly known: readonly ReadMarker[];
  /** Regions that could not be asked: each may hold a read of any of its platforms. */
  readonly unread: readonly string[];
}

/** Where reads of an organization are recorded. */
export interface ReadSource {
  readonly region: string;
  /** Undefined: it cannot be asked by this server, or not now. */
  readonly db: Queryable | undefined;
}

/**
 * What `principal`, acting for whom it does, read within the session window, in every region. Conversations are not told apart: callers name
 * them as they like. `regions`: those of the platforms there are. A region that cannot be asked is named; where it is the only one, nothing
 * could be recorded either: throws LedgerUnavailableError.
 */
export type FindReads = (principal: Principal, regions: readonly string[]) => Promise<PossibleReads>;

export interface PossibleReadsOptions {
  readonly sources: () => readonly ReadSource[];
  /** Whether actions of regions without a source are recorded in those there are. */
  readonly isOneRegion: boolean;
  /** How many seconds old a read may be. */
  readonly sessionWindow: number;
}

/** Milliseconds that a region has to respond, and for which one that did not is not asked again. */
const PATIENCE = 2_000;
const REST = 1_000;
/** Routing chains of one principal and region. */
const MOST_CHAINS = 50;

// Without payloads: nothing of what was read is looked at.
const READS = {
  name: "oc_possible_reads",
  text: `
    SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash, e.payload
      FROM oc_latest_reads($1, $2, $3, clock_timestamp() - make_interval(secs => $4)) AS r(seq)
     CROSS JOIN LATERAL oc_entries_at($1, ARRAY[r.seq], false) e`,
};

// Beside these, the latest of each routing chain, as far as a thousand entries go back. A read and its completion are two.
const READS_OF_CHAINS = {
  name: "oc_possible_reads_of_chains",
  text: `
    WITH recent AS (
      SELECT a.chain, a.seq, a.action_id, a.type = 'ACTION_PROPOSED' AS is_proposed
        FROM oc_recent_reads($1, $2, $3, clock_timestamp() - make_interval(secs => $4), 0, 1000) AS r(seq)
        JOIN oc_audit_log a ON a.ledger = $1 AND a.seq = r.seq AND a.recorded_at >= clock_timestamp() - make_interval(secs => $4)),
    latest AS (
      SELECT coalesce(max(seq) FILTER (WHERE is_proposed), max(seq)) AS seq, count(DISTINCT action_id)::integer AS reads
        FROM recent GROUP BY chain ORDER BY 1 DESC LIMIT ${MOST_CHAINS}),
    found AS (
      SELECT seq, reads FROM latest
      UNION ALL
      SELECT r.seq, 1 FROM oc_latest_reads($1, $2, $3, clock_timestamp() - make_interval(secs => $4)) AS r(seq)
       WHERE r.seq NOT IN (SELECT seq FROM latest))
    SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash, e.payload, found.reads
      FROM found CROSS JOIN LATERAL oc_entries_at($1, ARRAY[found.seq], false) e ORDER BY e.seq`,
};
type ReadRow = EntryRow & { readonly reads?: number };

export function createPossibleReads({ sources, isOneRegion, sessionWindow }: PossibleReadsOptions): FindReads {
  async function readIn({ region, db }: ReadSource, principal: Principal): Promise<readonly ReadMarker[]> {
    if (db === undefined) throw new Error("the region cannot be asked");
    const ledger = ledgerOf(principal.organization, region);
    const values = [ledger, principal.id, principal.onBehalfOf?.id ?? "", sessionWindow];
    const query = db.query<ReadRow>({ ...(isOneRegion ? READS : READS_OF_CHAINS), values });
    const { rows } = await (isOneRegion ? query : inTime(query));
    return rows.map((row) => {
      const { seq, hash, body } = provenEntry(ledger, row);
      const place = { platform: textOf(body.platform), region: textOf(body.region), ledger, seq: String(seq), hash };
      return row.reads === undefined ? place : { ...place, chain: textOf(body.chain), reads: row.reads };
    });
  }

  /** Until when regions are not asked, as of `performance.now()`: nobody waits behind others for one that is down. */
  const resting = new Map<string, number>();

  async function ask(source: ReadSource, principal: Principal): Promise<readonly ReadMarker[]> {
    const { region } = source;
    if (performance.now() < (resting.get(region) ?? 0)) throw new Error("the region did not respond a moment ago");
    try {
      return await readIn(source, principal);
    } catch (error) {
      resting.set(region, performance.now() + REST);
      throw error;
    }
  }

  return async (principal, regions) => {
    const asked = sources();
    if (isOneRegion) {
      const all = await withLedgerErrors(Promise.all(asked.map((source) => readIn(source, principal))));
      return { known: all.flat(), unread: [] };
    }
    const found = await Promise.allSettled(asked.map((source) => ask(source, principal)));
    const silent = asked.filter((_, n) => found[n]?.status === "rejected").map(({ region }) => region);
    const unknown = regions.filter((name) => asked.every(({ region }) => region !== name));
    return {
      known: found.flatMap((result) => (result.status === "fulfilled" ? result.value : [])),
      unread: [...new Set([...silent, ...unknown])].sort(),
    };
  };
}

function inTime<Result>(work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no response within ${PATIENCE} ms`)), PATIENCE);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}
