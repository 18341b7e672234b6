import type { Queryable } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";

/** What is stored of browser sessions, encrypted, and which server asks a provider. All methods throw LedgerUnavailableError. */
export interface ProviderSessionStore {
  /** `expiresAt`: seconds since the epoch at which the session is over. */
  add(session: string, sealed: string, expiresAt: number): Promise<void>;
  /** What is stored of a session; undefined: nothing. */
  read(session: string): Promise<string | undefined>;
  /** Has `checker` be the only one who asks for `LEASE` seconds. Returns what is stored; undefined: somebody else asks, or nothing is. */
  claim(session: string, checker: string): Promise<string | undefined>;
  /** Lets others ask; `sealed`, if given, replaces what is stored. Does nothing when another server took over. */
  release(session: string, checker: string, sealed?: string): Promise<void>;
  remove(session: string): Promise<void>;
}

/** Seconds that one server may take: longer than its requests to a provider together. */
const LEASE = 45;

export function createProviderSessionStore(db: Queryable): ProviderSessionStore {
  async function sealedBy(text: string, values: readonly unknown[]): Promise<string | undefined> {
    const { rows } = await withLedgerErrors(db.query<{ sealed: string }>(text, [...values]));
    return rows[0]?.sealed;
  }
  return {
    async add(session, sealed, expiresAt) {
      await withLedgerErrors(
        db.query(
          "INSERT INTO oc_work.browser_session (session, sealed, expires_at) VALUES ($1, $2, to_timestamp($3))",
          [session, sealed, expiresAt],
        ),
      );
    },
    read: (session) => sealedBy("SELECT s.sealed FROM oc_work.browser_session s WHERE s.session = $1", [session]),
    claim: (session, checker) =>
      sealedBy(
        `UPDATE oc_work.browser_session s SET checker = $2, busy_until = clock_timestamp() + make_interval(secs => ${LEASE})
          WHERE s.session = $1 AND (s.busy_until IS NULL OR s.busy_until <= clock_timestamp()) RETURNING s.sealed`,
        [session, checker],
      ),
    async release(session, checker, sealed) {
      await withLedgerErrors(
        db.query(
          `UPDATE oc_work.browser_session s SET checker = NULL, busy_until = NULL, sealed = coalesce($3, s.sealed)
            WHERE s.session = $1 AND s.checker = $2`,
          [session, checker, sealed ?? null],
        ),
      );
    },
    async remove(session) {
      await withLedgerErrors(db.query("DELETE FROM oc_work.browser_session s WHERE s.session = $1", [session]));
    },
  };
}

/** Deletes at most `limit` rows of sessions that are over. Returns whether more may be. */
export async function deleteOverSessions(db: Queryable, limit: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `DELETE FROM oc_work.browser_session WHERE session = ANY (ARRAY(
       SELECT s.session FROM oc_work.browser_session s WHERE s.expires_at <= statement_timestamp()
        ORDER BY s.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))`,
    [limit],
  );
  return rowCount === limit;
}
