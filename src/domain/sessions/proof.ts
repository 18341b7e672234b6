import { isDeepStrictEqual } from "node:util";
import { LRUCache } from "lru-cache";
import type { LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenState, STORED_STATE, type StoredState } from "../../ledger/proof.ts";
import { type EntryRow, POSITION_COLUMNS, type Queryable } from "../../ledger/read.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/**
 * The row `s` of an open session as text: its id, a space, and what changes whenever the row does: `xmin` is the transaction that
 * wrote this version of it, whoever that was. Searches return it, so that a row that was proven once is not read again.
 */
export const SESSION_MARK = "s.id || ' ' || s.xmin::text || ' ' || encode(s.hash, 'hex')";

export function idOfMark(mark: string): string {
  return mark.slice(0, mark.indexOf(" "));
}

/** Rows that are remembered as proven, and for how many milliseconds: after that, an end that changed no row is noticed. */
const MAX_PROVEN = 10_000;
const PROVEN_FOR = 60_000;

// LIMIT makes each session a separate lookup: a join planned while the table is small would later read all of it.
const READ = {
  name: "oc_prove_sessions",
  text: `
    SELECT s.*, ${POSITION_COLUMNS}
      FROM unnest($2::text[]) AS k(id)
     CROSS JOIN LATERAL (
             SELECT ${STORED_STATE}, ${SESSION_MARK} AS mark, s.actor_id, s.on_behalf_of_id, s.conversation,
                    oc_session_has_ended(s.ledger, s.id::uuid, s.first_seq) AS has_ended
               FROM oc_state s WHERE s.ledger = $1 AND s.kind = 'SESSION' AND s.id = k.id LIMIT 1) s
      LEFT JOIN LATERAL oc_entries_at($1, ARRAY[s.updated_seq]) e ON true`,
};

interface Row extends StoredState, Omit<EntryRow, "entry"> {
  /** null where there is none at the position that the row names. */
  readonly entry: string | null;
  readonly mark: string;
  readonly actor_id: string | null;
  readonly on_behalf_of_id: string | null;
  readonly conversation: string;
  readonly has_ended: boolean;
}

export interface SessionProofs {
  /**
   * Whether the rows of open sessions are what their entries say; false when one has changed since it was found. One query, of at
   * most as many rows as there are marks. Throws LedgerDamagedError, LedgerUnavailableError.
   */
  prove(ledger: LedgerId, marks: Iterable<string>): Promise<boolean>;
}

export function createSessionProofs(db: Queryable, { damaged }: Pick<Ledgers, "damaged">): SessionProofs {
  const proven = new LRUCache<string, true>({ max: MAX_PROVEN, ttl: PROVEN_FOR });

  async function proveAll(ledger: LedgerId, marks: readonly string[]): Promise<boolean> {
    const rows = await read(db, ledger, marks);
    // The end of a session may have been recorded after its row was read, which then is another one.
    const ended = marks.filter((mark) => rows.get(mark)?.has_ended === true);
    const still = ended.length === 0 ? undefined : await read(db, ledger, ended);
    for (const mark of marks) {
      const row = rows.get(mark);
      if (row === undefined || (row.has_ended && still?.has(mark) !== true)) return false;
      proveOne(ledger, row);
      proven.set(`${ledger} ${mark}`, true);
    }
    return true;
  }

  return {
    async prove(ledger, marks) {
      const unknown = [...marks].filter((mark) => !proven.has(`${ledger} ${mark}`));
      if (unknown.length === 0) return true;
      try {
        return await proveAll(ledger, unknown);
      } catch (error) {
        throw error instanceof LedgerDamagedError ? damaged(error) : error;
      }
    },
  };
}

function proveOne(ledger: LedgerId, row: Row): void {
  const fault = (what: string) => new LedgerDamagedError(ledger, `the row of SESSION ${row.id} in oc_state ${what}`);
  if (row.has_ended) throw fault("says OPEN, and its entries that it ended");
  const { entry } = row;
  const started = entry === null ? undefined : provenEntry(ledger, { ...row, entry });
  provenState(ledger, "SESSION", row, started);
  if (started?.type !== "SESSION_STARTED") throw fault("names an entry that started no session");
  const { id, onBehalfOf } = actorOf(started);
  const of = [id, onBehalfOf?.id ?? null, started.body.conversation ?? ""];
  if (!isDeepStrictEqual(of, [row.actor_id, row.on_behalf_of_id, row.conversation])) {
    throw fault("says that somebody else started it");
  }
}

/** The rows of open sessions by their marks; without those that have changed. */
async function read(db: Queryable, ledger: LedgerId, marks: readonly string[]): Promise<ReadonlyMap<string, Row>> {
  const { rows } = await withLedgerErrors(db.query<Row>({ ...READ, values: [ledger, marks.map(idOfMark)] }));
  const asked = new Set(marks);
  return new Map(rows.flatMap((row) => (asked.has(row.mark) ? [[row.mark, row]] : [])));
}
