import assert from "node:assert/strict";
import { sha256Hex } from "../../src/facts/hash.ts";
import { withClient } from "../support/server.ts";

/** A stored entry; hashes are 64 hex digits. */
export interface StoredEntry {
  readonly seq: string;
  readonly hash: string;
  readonly prev: string;
  readonly body: StoredBody;
}

/** What these tests look at in the body of an entry. */
export interface StoredBody {
  readonly type: string;
  readonly action?: string;
  readonly grant?: { readonly id: string };
}

interface Row extends Omit<StoredEntry, "body"> {
  readonly entry: string;
}

/** A whole ledger of the database at `url`. Throws unless its positions, hashes and links are in order from end to end. */
export async function readLedger(url: string, ledger: string): Promise<readonly StoredEntry[]> {
  const { rows } = await withClient(url, (client) =>
    client.query<Row>(
      `SELECT seq, encode(hash, 'hex') AS hash, encode(prev_hash, 'hex') AS prev, entry
         FROM oc_audit_log WHERE ledger = $1 ORDER BY seq`,
      [ledger],
    ),
  );
  return rows.map(({ seq, hash, prev, entry }, index) => {
    assert.equal(seq, String(index + 1), `the position after ${index} of ${ledger}`);
    assert.equal(sha256Hex(entry), hash, `the hash of entry ${seq} of ${ledger}`);
    assert.equal(prev, rows[index - 1]?.hash ?? "0".repeat(64), `the link of entry ${seq} of ${ledger}`);
    return { seq, hash, prev, body: (JSON.parse(entry) as { readonly body: StoredBody }).body };
  });
}

/** How many entries of `type` there are about each action. */
export function countByAction(entries: readonly StoredEntry[], type: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { body } of entries) {
    if (body.type !== type || body.action === undefined) continue;
    counts.set(body.action, (counts.get(body.action) ?? 0) + 1);
  }
  return counts;
}
