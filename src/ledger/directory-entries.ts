import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { provenEntry } from "./proof.ts";
import type { EntryRow, Queryable } from "./read.ts";

/** A ledger, and the position behind which changes of its directory are read; 0: all of them. */
export interface Since {
  readonly ledger: LedgerId;
  readonly after: bigint;
}

/** What changed in one directory. */
export interface DirectoryChanges {
  readonly ledger: LedgerId;
  /** Every change up to this position was read. Before `Since.after` where the ledger ends there: entries are gone. */
  readonly upTo: bigint;
  /** Oldest first. */
  readonly entries: readonly LedgerEntry[];
}

/** Entries of one ledger that one statement reads: to verify their signatures takes some ten milliseconds, while others wait. */
const STRETCH = 100;

// A ledger that ends where it was read to costs one look at its head.
const READ_CHANGES = {
  name: "oc_read_directory_changes",
  text: `
    SELECT k.ledger, coalesce(h.seq, 0) AS head, d.seq, d.entry, encode(d.hash, 'hex') AS hash, NULL::json AS payload
      FROM unnest($1::text[], $2::bigint[]) AS k(ledger, after)
      LEFT JOIN oc_ledger_head h ON h.ledger = k.ledger
      LEFT JOIN LATERAL oc_directory_after(k.ledger, k.after, ${STRETCH}) d ON true
     WHERE coalesce(h.seq, 0) <> k.after
     ORDER BY d.seq`,
};

type Row = { readonly ledger: LedgerId; readonly head: string } & {
  readonly [Column in keyof EntryRow]: EntryRow[Column] | null;
};

/**
 * The entries that changed each ledger's directory after a position, without their payloads, a stretch at a time; ledgers in which
 * nothing was recorded since are omitted. Their bytes were hashed again. Positions are committed in order, so none appears later
 * before one that was read. Throws LedgerDamagedError.
 */
export async function* readDirectoryChanges(db: Queryable, since: readonly Since[]): AsyncGenerator<DirectoryChanges> {
  for (let due = since; due.length > 0; ) {
    const again: Since[] = [];
    for (const changes of await readStretch(db, due)) {
      yield changes;
      if (changes.entries.length === STRETCH) again.push({ ledger: changes.ledger, after: changes.upTo });
    }
    due = again;
  }
}

async function readStretch(db: Queryable, since: readonly Since[]): Promise<readonly DirectoryChanges[]> {
  const values = [since.map(({ ledger }) => ledger), since.map(({ after }) => after)];
  const { rows } = await db.query<Row>({ ...READ_CHANGES, values });
  const found = new Map<LedgerId, { head: bigint; entries: LedgerEntry[] }>();
  for (const row of rows) {
    const { ledger, head } = row;
    const one = found.get(ledger) ?? { head: BigInt(head), entries: [] };
    found.set(ledger, one);
    if (isEntry(row)) one.entries.push(provenEntry(ledger, row));
  }
  return [...found].map(([ledger, { head, entries }]) => {
    const last = entries.at(-1)?.seq ?? 0n;
    return { ledger, entries, upTo: entries.length < STRETCH && head > last ? head : last };
  });
}

function isEntry(row: Row): row is Row & EntryRow {
  return row.entry !== null;
}
