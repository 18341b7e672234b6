import { randomUUID } from "node:crypto";
import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/** Which ledgers this server works on: each is one server's at a time. All throw LedgerUnavailableError. */
export interface Leases {
  /**
   * Takes those of `ledgers` that no other server has, and keeps those that this one has. Returns the position of each, up to where its
   * entries were looked at.
   */
  take(ledgers: readonly LedgerId[]): Promise<ReadonlyMap<LedgerId, bigint>>;
  /** Leaves all to other servers. */
  release(): Promise<void>;
}

// One that is new here begins where its first channel was configured. A lease is written again once a third of it is over.
const TAKE = `
  INSERT INTO oc_work.notice_work AS w (ledger, position, holder, held_until)
  SELECT l.id, coalesce((SELECT min(s.first_seq) FROM oc_state s WHERE s.ledger = l.id AND s.kind = 'CHANNEL'), 0), $2,
         clock_timestamp() + $3 * interval '1 second'
    FROM unnest($1::text[]) AS l(id) ORDER BY l.id
  ON CONFLICT (ledger) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
   WHERE w.held_until IS NULL OR w.held_until <= clock_timestamp()
      OR (w.holder = excluded.holder AND w.held_until <= clock_timestamp() + $3 * interval '0.67 second')`;
const HELD = `
  SELECT w.ledger, w.position FROM oc_work.notice_work w
   WHERE w.ledger = ANY ($1::text[]) AND w.holder = $2 AND w.held_until > clock_timestamp()`;
const RELEASE = "UPDATE oc_work.notice_work SET held_until = NULL WHERE holder = $1";

/** @param seconds after which another server takes over from one that does not respond */
export function createLeases({ db, seconds }: { readonly db: Queryable; readonly seconds: number }): Leases {
  const holder = randomUUID();
  return {
    async take(ledgers) {
      if (ledgers.length === 0) return new Map();
      await withLedgerErrors(db.query(TAKE, [ledgers, holder, seconds]));
      const { rows } = await withLedgerErrors(
        db.query<{ ledger: LedgerId; position: string }>(HELD, [ledgers, holder]),
      );
      return new Map(rows.map(({ ledger, position }) => [ledger, BigInt(position)]));
    },
    async release() {
      await withLedgerErrors(db.query(RELEASE, [holder]));
    },
  };
}
