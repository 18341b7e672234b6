import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { factOf } from "../../../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import type { Fact } from "../../../facts/registry.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import type { Ledgers } from "../../../ledger/ledger.ts";
import { provenEntry } from "../../../ledger/proof.ts";
import type { EntryRow, Queryable } from "../../../ledger/read.ts";
import type { Principal } from "../../identity/principal.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import { digestOfSet } from "../fingerprints/read-set.ts";

/** A read of a principal: what was proposed, and what is known of the values that it returned. */
export interface RecentRead {
  readonly action: string;
  readonly chain: string;
  readonly platform: string;
  readonly region: string;
  /** Of its proposal, or of its completion where only that is among what is looked at. */
  readonly seq: bigint;
  readonly hash: string;
  /** Position of its completion. */
  readonly completed: bigint | undefined;
  /** When the latest of these was recorded, in milliseconds since the epoch. */
  readonly at: number;
  /**
   * Its fingerprints, in order. UNKNOWN: nobody said what it returned, or it could not be compared, or what is stored is not what its completion
   * committed to. It may have returned anything then.
   */
  readonly values: Uint8Array | "UNKNOWN";
  /** Whether it has values that have no fingerprints. */
  readonly isPartial: boolean;
  /** What was asked for, where it has fingerprints. */
  readonly source: number | undefined;
  /** See readerOf. */
  readonly reader: number;
}

export interface RecentReads {
  readonly reads: readonly RecentRead[];
  /** Whether there are more, before these. */
  readonly isCut: boolean;
}

/** What `principal`, acting for whom it does, read in `ledger` within the session window, the latest last. Throws LedgerUnavailableError. */
export type FindRecentReads = (ledger: LedgerId, principal: Principal) => Promise<RecentReads>;

export interface RecentReadsOptions {
  readonly db: Queryable;
  readonly ledgers: Pick<Ledgers, "damaged">;
  /** How many seconds old a read may be. */
  readonly sessionWindow: number;
}

/** Entries about reads of one principal that are looked at: two for each that was completed. */
const MOST_ENTRIES = 1_000;
/** Bytes of fingerprints of one principal that are looked at, those of the latest reads. */
const MOST_BYTES = 8 * 1024 * 1024;
/** Principals of which reads are remembered, and bytes of all of them. */
const MAX_KEYS = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;

// One row without an entry where there is nothing new.
const READ = {
  name: "oc_recent_reads",
  text: `
    SELECT k.forgotten, x.*
      FROM (SELECT coalesce((SELECT r.times FROM oc_work.forgotten_reads r WHERE r.ledger = $1), 0) AS forgotten) k
      LEFT JOIN LATERAL (
        SELECT e.seq, e.recorded_at, e.entry, encode(e.hash, 'hex') AS hash, e.payload, f.salt, f.source,
               CASE WHEN sum(octet_length(f.fingerprints)) OVER (ORDER BY e.seq DESC) <= ${MOST_BYTES} THEN f.fingerprints END AS fingerprints
          FROM oc_recent_reads($1, $2, $3, clock_timestamp() - make_interval(secs => $4), $5, ${MOST_ENTRIES + 1}) AS r(seq)
         CROSS JOIN LATERAL oc_entries_at($1, ARRAY[r.seq], false) e
          LEFT JOIN oc_work.read_fingerprints f
                 ON e.type = 'ACTION_COMPLETED' AND f.ledger = $1 AND f.action = e.action_id
                AND f.digest = decode(substring(e.entry FROM '"fingerprints":\\{"digest":"([0-9a-f]{64})"'), 'hex')) x ON true`,
};
type Row = EntryRow & {
  readonly salt: Buffer | null;
  readonly source: string | null;
  readonly fingerprints: Buffer | null;
};
type Found = { readonly forgotten: string } & (Row | { readonly seq: null });

interface Known {
  readonly reads: Map<string, RecentRead>;
  /** How often values of the ledger had been erased: what is remembered from before is read again after the next time. */
  forgotten: string;
  /** Everything up to here was looked at. */
  upTo: bigint;
  /** Milliseconds since the epoch: until then there are more reads, before those that were looked at. */
  cutUntil: number;
}

/** Reads that were looked at are remembered, so that each write asks only for those since. */
export function createRecentReads({ db, ledgers, sessionWindow }: RecentReadsOptions): FindRecentReads {
  const known = new LRUCache<string, Known>({
    max: MAX_KEYS,
    maxSize: MAX_BYTES,
    sizeCalculation: ({ reads }) => 1_000 + [...reads.values()].reduce((sum, read) => sum + 500 + bytesOf(read), 0),
  });

  return async (ledger, { id, onBehalfOf }) => {
    const key = JSON.stringify([ledger, id, onBehalfOf?.id]);
    const look = (upTo: bigint) => {
      const values = [ledger, id, onBehalfOf?.id ?? "", sessionWindow, upTo];
      return withLedgerErrors(db.query<Found>({ ...READ, values }));
    };
    let before = known.get(key);
    let { rows: found } = await look(before?.upTo ?? 0n);
    if (before !== undefined && before.forgotten !== found[0]?.forgotten) {
      before = undefined;
      found = (await look(0n)).rows;
    }
    const forgotten = found[0]?.forgotten ?? "0";
    const rows = found.filter((row): row is Found & Row => row.seq !== null);
    const after: Known = {
      forgotten,
      reads: new Map(before?.reads),
      upTo: before?.upTo ?? 0n,
      cutUntil: before?.cutUntil ?? 0,
    };
    const now = Date.now();
    const window = (sessionWindow + CLOCKS_APART) * 1000;
    if (rows.length > MOST_ENTRIES) after.cutUntil = now + window;
    try {
      const sorted = rows.slice(0, MOST_ENTRIES).sort((one, other) => Number(BigInt(one.seq) - BigInt(other.seq)));
      for (const row of sorted) take(after, ledger, row);
    } catch (error) {
      throw error instanceof LedgerDamagedError ? ledgers.damaged(error) : error;
    }
    for (const [action, { at }] of after.reads) if (at < now - window) after.reads.delete(action);
    if (after.reads.size > MOST_ENTRIES) {
      after.cutUntil = now + window;
      for (const action of [...after.reads.keys()].slice(0, -MOST_ENTRIES)) after.reads.delete(action);
    }
    forgetOldest(after.reads);
    known.set(key, after);
    return { reads: [...after.reads.values()], isCut: now < after.cutUntil };
  };
}

/** Seconds by which clocks may differ: a read is a source for as much longer. */
const CLOCKS_APART = 300;

function take(to: Known, ledger: LedgerId, row: Row): void {
  const entry = provenEntry(ledger, row);
  const fact = factOf(entry);
  if (entry.seq > to.upTo) to.upTo = entry.seq;
  if (fact.type !== "ACTION_PROPOSED" && fact.type !== "ACTION_COMPLETED") return;
  const { action, chain, platform, region } = fact;
  const at = Date.parse(entry.recordedAt);
  const { seq, hash: first } = to.reads.get(action) ?? entry;
  const place = { action, chain, platform, region, seq, hash: first, at, reader: readerOf(entry) };
  to.reads.delete(action);
  if (fact.type === "ACTION_PROPOSED") to.reads.set(action, { ...place, ...UNKNOWN, completed: undefined });
  else to.reads.set(action, { ...place, ...valuesOf(fact.fingerprints, row), completed: entry.seq });
}

type Values = Pick<RecentRead, "values" | "isPartial" | "source">;
const UNKNOWN: Values = { values: "UNKNOWN", isPartial: false, source: undefined };

/** What is stored, where it is what the completion committed to. */
function valuesOf(said: Fact<"ACTION_COMPLETED">["fingerprints"], row: Row): Values {
  const { salt, fingerprints } = row;
  if (said?.digest === undefined || salt === null || fingerprints === null) return UNKNOWN;
  const source = Number(row.source);
  if (digestOfSet({ salt, source, fingerprints }) !== said.digest) return UNKNOWN;
  return { values: new Uint8Array(fingerprints), isPartial: said.omitted !== undefined, source };
}

/** A number of the principal that recorded `entry` and whom it acted for, the same for the same. */
export function readerOf({ body: { actor, onBehalfOf } }: LedgerEntry): number {
  const id = (one: unknown) => (one as { readonly id?: string } | undefined)?.id ?? "";
  return Number.parseInt(hash("sha256", JSON.stringify([id(actor), id(onBehalfOf)])).slice(0, 8), 16);
}

/** Of the oldest reads whose fingerprints are too many bytes together, nothing is known. */
function forgetOldest(reads: Map<string, RecentRead>): void {
  let bytes = 0;
  for (const read of [...reads.values()].reverse()) {
    bytes += bytesOf(read);
    // In its place, so that the order stays.
    if (bytes > MOST_BYTES && typeof read.values !== "string") {
      reads.set(read.action, { ...read, ...UNKNOWN });
    }
  }
}

function bytesOf({ values }: RecentRead): number {
  return typeof values === "string" ? 0 : values.byteLength;
}
