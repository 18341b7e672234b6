import { type EdgeColumns, edgeRowsOf, edgesOf, type RecordedEdge } from "../../../facts/edges.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { isSame, textOf } from "../../../facts/members.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import { provenEntry, provenFact } from "../../../ledger/proof.ts";
import type { EntryRow, Queryable } from "../../../ledger/read.ts";
import type { ReadScope } from "../../../ledger/read-scope.ts";
import { withListErrors } from "../../ledger-errors.ts";

/** Where edges are read: the ledger of one region, and what of it the caller may see. */
export interface EdgeSource {
  readonly ledger: LedgerId;
  readonly db: Queryable;
  /** undefined: all of it. */
  readonly scopes: readonly ReadScope[] | undefined;
  /** Is told of damage; returns the error to throw. */
  damaged(error: LedgerDamagedError): LedgerDamagedError;
}

/** A row of `oc_lineage_edge`, as a statement returns it. */
export interface EdgeRow {
  readonly seq: string;
  readonly columns: EdgeColumns;
}

/** An edge as its entry records it. */
export interface ProvenEdge extends RecordedEdge {
  readonly ledger: LedgerId;
  readonly chain: string;
  readonly platform: string;
  readonly region: string;
  /** The proposal that records it, without erasable values. */
  readonly entry: LedgerEntry;
}

const PROPOSALS = {
  name: "oc_edge_proposals",
  text: "SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash, e.payload FROM oc_entries_at($1, $2::bigint[], false) e",
};

/**
 * The edges of `rows`, in their order, each from its entry, of which the bytes are hashed again. Nothing that a row says is taken for true: throws
 * LedgerDamagedError for one that is not what its entry says. One statement.
 */
export async function proveEdges(source: EdgeSource, rows: readonly EdgeRow[]): Promise<readonly ProvenEdge[]> {
  if (rows.length === 0) return [];
  const { ledger, db } = source;
  const seqs = [...new Set(rows.map(({ seq }) => seq))];
  const found = await withListErrors(db.query<EntryRow>({ ...PROPOSALS, values: [ledger, seqs] }));
  try {
    const entries = new Map(found.rows.map((row) => [row.seq, provenEntry(ledger, row)]));
    for (const entry of entries.values()) provenFact(ledger, entry);
    return rows.map((row) => provenEdge(ledger, row, entries.get(row.seq)));
  } catch (error) {
    throw error instanceof LedgerDamagedError ? source.damaged(error) : error;
  }
}

function provenEdge(ledger: LedgerId, { seq, columns }: EdgeRow, entry: LedgerEntry | undefined): ProvenEdge {
  const at = Number(columns[0]) - 1;
  const expected = entry && edgeRowsOf(ledger, entry.body, entry.recordedAt)[at];
  const edge = entry && edgesOf(ledger, entry.body)[at];
  if (entry === undefined || edge === undefined || expected === undefined || !isSame([...expected], [...columns])) {
    throw new LedgerDamagedError(ledger, `row ${at + 1} of entry ${seq} in oc_lineage_edge is not what the entry says`);
  }
  const { chain, platform, region } = entry.body;
  return { ...edge, ledger, chain: textOf(chain), platform: textOf(platform), region: textOf(region), entry };
}
