import { escapeLiteral, type Pool } from "pg";
import { createSnapshot } from "../db/snapshot.ts";
import type { Turns } from "../db/turns.ts";
import type { LedgerHead, LedgerId } from "../facts/entry.ts";
import type { Ledgers } from "./ledger.ts";
import type { Queryable } from "./read.ts";

/** Reads of one ledger that all see it as it was at the first of them. */
export interface LedgerSnapshot extends Queryable {
  /** Where the ledger ended at that moment. */
  head(): Promise<LedgerHead>;
  /** Whether anything was read: it has a connection, or waits for one. */
  hasBegun(): boolean;
  /** Returns the connection to the pool. Later reads reject. Never rejects; idempotent. */
  end(): Promise<void>;
}

export interface LedgerSnapshotsOptions {
  /** A separate pool: while holding a snapshot, code may wait for a connection of another pool, but never the reverse. */
  readonly pool: Pool;
  readonly ledgers: Pick<Ledgers, "ensure">;
  /** How long one may be open. */
  readonly maxSeconds?: number;
  /** Whose turn it is to take a connection, by organization; omitted: whoever comes first. */
  readonly turns?: Turns | undefined;
  /** Bytes that may be read in one. */
  readonly maxBytes?: number | undefined;
}

const MAX_SECONDS = 30;

/** Makes snapshots. Nothing is read, and no connection taken, before the first read of one. */
export function createLedgerSnapshots(
  options: LedgerSnapshotsOptions,
): (ledger: LedgerId, principal?: string) => LedgerSnapshot {
  const { pool, ledgers, maxSeconds = MAX_SECONDS, maxBytes, turns } = options;
  return (ledger, principal = "") => {
    const snapshot = createSnapshot<LedgerHead>(pool, {
      maxSeconds,
      maxBytes,
      turn: turns && (() => turns.take(ledger, principal)),
      tables: ["oc_audit_log", "oc_audit_payload"],
      statement: `SELECT seq, encode(hash, 'hex') AS hash FROM oc_ledger_head WHERE ledger = ${escapeLiteral(ledger)}`,
      read({ rows }) {
        const [head] = rows as readonly { readonly seq: string; readonly hash: string }[];
        // The first read of an organization creates its ledger.
        if (head === undefined) return ledgers.ensure(ledger).then(() => undefined);
        return { seq: BigInt(head.seq), hash: head.hash };
      },
    });
    return { query: snapshot.query, head: snapshot.first, hasBegun: snapshot.hasBegun, end: snapshot.end };
  };
}
