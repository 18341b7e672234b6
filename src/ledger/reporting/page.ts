import { GENESIS_HASH, type LedgerEntry, type LedgerHead, type LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../errors.ts";
import { provenEntry } from "../proof.ts";
import type { EntryRow, Queryable } from "../read.ts";

/** Entries and bytes of text of a page at most; an entry that is larger is a page alone. */
const PAGE_ENTRIES = 200;
const PAGE_BYTES = 1024 * 1024;

// Without payloads: nothing erasable is derived.
const READ_PAGE = {
  name: "oc_bi_page",
  text: `
    SELECT t.seq, t.entry, t.hash, NULL AS payload
      FROM (SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash,
                   sum(octet_length(e.entry)) OVER (ORDER BY e.seq) - octet_length(e.entry) AS bytes_before
              FROM oc_entries_between($1, $2::bigint, ${2n ** 63n - 1n}, ${PAGE_ENTRIES}, false) e) t
     WHERE t.bytes_before < ${PAGE_BYTES}
     ORDER BY t.seq`,
};

export const BEGINNING: LedgerHead = { seq: 0n, hash: GENESIS_HASH };

/**
 * The entries next after `after`, oldest first, without payloads; none at the end of the ledger. Their bytes were hashed again, and each
 * follows the one before it, the first one `after`.
 *
 * @throws LedgerDamagedError at the first that does not.
 */
export async function readPage(db: Queryable, ledger: LedgerId, after: LedgerHead): Promise<readonly LedgerEntry[]> {
  const { rows } = await db.query<EntryRow>({ ...READ_PAGE, values: [ledger, after.seq] });
  let last = after;
  return rows.map((row) => {
    const entry = provenEntry(ledger, row);
    if (entry.seq !== last.seq + 1n || entry.prevHash !== last.hash) {
      throw new LedgerDamagedError(ledger, `entry ${entry.seq} does not follow entry ${last.seq}`);
    }
    last = entry;
    return entry;
  });
}
