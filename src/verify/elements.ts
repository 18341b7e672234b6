import { createSetDigest, type SetDigest } from "./digest.ts";
import type { EntryState, Maker, Sha256, StoredState } from "./rows.ts";
import type { Range } from "./sequence.ts";

/**
 * What entries and state rows have to agree on, as texts for a digest: which entry made which version of which thing, and
 * of the first version, who made it.
 */
function element(kind: string, id: string, version: number, seq: bigint, maker: Maker): string {
  if (version > 1) return `${kind} ${version} ${seq} ${id}`;
  const { actorId, onBehalfOfId, conversation } = maker;
  return `${kind} 1 ${seq} ${JSON.stringify([id, actorId, onBehalfOfId, conversation])}`;
}

/** The element of a state in the entry at `seq`. */
export function elementOf({ kind, id, version }: EntryState, seq: bigint, maker: Maker): string {
  return element(kind, id, version, seq, maker);
}

/** Adds to `digest` the element of a state row for the position at `index` of its entries, if that is in `range`. */
export function addRowElement(row: StoredState, index: number, range: Range, digest: SetDigest): void {
  const seq = row.entries[index];
  if (seq === undefined || seq < range.from || seq > range.to) return;
  digest.add(element(row.kind, row.id, index + 1, seq, row));
}

/** The digest of the elements of `rows` for positions in `range`. */
export function digestRows(rows: readonly StoredState[], range: Range, digestKey: string, sha256: Sha256): string {
  const digest = createSetDigest(digestKey, sha256);
  for (const row of rows) {
    for (let index = 0; index < row.entries.length; index++) addRowElement(row, index, range, digest);
  }
  return digest.value();
}
