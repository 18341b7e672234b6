import { randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { LedgerId } from "../../../facts/entry.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import { createFingerprinter } from "../fingerprints/digest.ts";
import { digestOfSet, SALT_BYTES } from "../fingerprints/read-set.ts";

/** A read that is being completed. */
export interface CompletedRead {
  readonly ledger: LedgerId;
  readonly action: string;
  /** What was asked for: the same text for the same question. */
  readonly asked: string;
  /** RFC 8785 text. */
  readonly result: string;
}

/** What its completion says of its fingerprints. */
export type Fingerprinted = NonNullable<FactDraft<"ACTION_COMPLETED">["fingerprints"]>;

export interface ReadRecorder {
  /**
   * Stores the fingerprints of a read, before the entry that commits to them: where that is recorded, they were. Throws
   * LedgerUnavailableError.
   */
  record(read: CompletedRead): Promise<Fingerprinted>;
}

/** The key of the fingerprints of each organization and region, 32 bytes. */
export type FingerprintKeys = (ledger: LedgerId) => Uint8Array;

/** `secret`: makes a key for a purpose (RFC 5869). Ledgers are of one organization and region. */
export function createFingerprintKeys(secret: (purpose: string) => Uint8Array): FingerprintKeys {
  const known = new LRUCache<LedgerId, Uint8Array>({ max: 10_000 });
  return (ledger) => {
    const key = known.get(ledger) ?? secret(`fingerprints/${ledger}`);
    known.set(ledger, key);
    return key;
  };
}

// Reports of the same action that come at the same moment have a row each: which of them is recorded is not known yet.
const STORE = {
  name: "oc_store_fingerprints",
  text: `
    INSERT INTO oc_work.read_fingerprints (ledger, action, digest, salt, source, fingerprints)
    VALUES ($1, $2, decode($3, 'hex'), $4, $5, $6)`,
};
// A day longer than a read counts as a source, so that clocks and long executions do not matter.
const DELETE_OLD = `
  DELETE FROM oc_work.read_fingerprints WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM oc_work.read_fingerprints f
     WHERE f.made_at <= statement_timestamp() - make_interval(secs => $1) - interval '1 day'
     ORDER BY f.made_at LIMIT $2 FOR UPDATE SKIP LOCKED))`;

export interface ReadRecorderOptions {
  readonly db: Queryable;
  readonly keyOf: FingerprintKeys;
  readonly maker: Pick<FingerprintMaker, "ofRead">;
}

export function createReadRecorder({ db, keyOf, maker }: ReadRecorderOptions): ReadRecorder {
  return {
    async record({ ledger, action, asked, result }) {
      const key = keyOf(ledger);
      const set = await maker.ofRead(key, result);
      if (set === undefined) return { unknown: true };
      const source = createFingerprinter(key)(`source:${asked}`);
      const [salt, fingerprints] = [randomBytes(SALT_BYTES), Buffer.from(set.bytes)];
      const digest = digestOfSet({ salt, source, fingerprints });
      await withLedgerErrors(db.query({ ...STORE, values: [ledger, action, digest, salt, source, fingerprints] }));
      return { digest, omitted: set.omitted === 0 ? undefined : atMost(set.omitted) };
    },
  };
}

/** The next power of two: an exact number would tell one result from another. */
function atMost(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** Forgets at most `limit` sets of reads that are no sources any more after `window` seconds. Returns whether more may be. */
export async function deleteOldFingerprints(db: Queryable, window: number, limit: number): Promise<boolean> {
  const { rowCount } = await db.query(DELETE_OLD, [window, limit]);
  return rowCount === limit;
}
