import { escapeLiteral, type Pool } from "pg";
import { createSnapshot } from "../db/snapshot.ts";
import type { LedgerHead, LedgerId } from "../facts/entry.ts";
import type { Ledgers } from "./ledger.ts";
import type { Queryable } from "./read.ts";

/** Reads of one ledger that all see it as it was at the first of them. */
export interface LedgerSnapshot extends Queryable {
  /** Where the ledger ended at that moment. */
  head(): Promise<LedgerHead>;
  /** Gives the connection back. Later reads reject. Never rejects; idempotent. */
  end(): Promise<void>;
}

export interface LedgerSnapshotsOptions {
  /** Of its own: whoever reads a snapshot may wait for a connection of any other pool, and nobody the other way around. */
  readonly pool: Pool;
  readonly ledgers: Pick<Ledgers, "ensure">;
  /** How long one may be open. */
  readonly maxSeconds?: number;
}

const MAX_SECONDS = 30;

/** Makes snapshots. Nothing is read, and no connection taken, before the first read of one. */
export function createLedgerSnapshots(options: LedgerSnapshotsOptions): (ledger: LedgerId) => LedgerSnapshot {
  const { pool, ledgers, maxSeconds = MAX_SECONDS } = options;
  return (ledger) => {
    const snapshot = createSnapshot<LedgerHead>(pool, {
      maxSeconds,
      statement: `SELECT seq, encode(hash, 'hex') AS hash FROM oc_ledger_head WHERE ledger = ${escapeLiteral(ledger)}`,
      read({ rows }) {
        const [head] = rows as readonly { readonly seq: string; readonly hash: string }[];
        // Whoever reads is the first of their organization: their ledger begins now.
        if (head === undefined) return ledgers.ensure(ledger).then(() => undefined);
        return { seq: BigInt(head.seq), hash: head.hash };
      },
    });
    return { query: snapshot.query, head: snapshot.first, end: snapshot.end };
  };
}
