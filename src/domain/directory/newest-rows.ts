import { stateIn } from "../../facts/decode.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { provenFact, readProvenEntry } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Organization } from "./organization.ts";
import type { RecordKind } from "./record.ts";

const VERSIONS = `
  SELECT s.kind, s.id, s.version, s.updated_seq FROM oc_state s
   WHERE s.ledger = $1 AND s.kind IN ('PRINCIPAL', 'TOKEN', 'SETUP', 'ORGANIZATION', 'POLICY', 'DELEGATION')`;

interface Row {
  readonly kind: RecordKind;
  readonly id: string;
  readonly version: number;
  readonly updated_seq: string;
}

/** Rows of `oc_state` of later versions than the entries that were replayed. Throws LedgerUnavailableError. */
export async function laterRows(db: Queryable, organization: Organization): Promise<readonly Row[]> {
  const { rows } = await withLedgerErrors(db.query<Row>(VERSIONS, [organization.ledger]));
  return rows.filter((row) => organization.keeps(row.kind, row.id) && isLater(organization, row));
}

/**
 * Finds out whether the entry that one of `rows` names is gone, or was not found by its columns: a suspension would be forgotten
 * with it. Everything recorded before they were read was replayed since. A row that names an entry about something else was made by
 * nobody and counts for nothing. Throws LedgerDamagedError, LedgerUnavailableError.
 */
export async function checkLater(db: Queryable, organization: Organization, rows: readonly Row[]): Promise<void> {
  const { ledger } = organization;
  for (const row of rows.filter((one) => isLater(organization, one))) {
    const { kind, id, version, updated_seq: seq } = row;
    const entry = await withLedgerErrors(readProvenEntry(db, ledger, BigInt(seq)));
    if (entry !== undefined) provenFact(ledger, entry);
    if (entry !== undefined && stateIn(entry, kind, id)?.version !== version) continue;
    const why = entry === undefined ? "which there is not" : "which was not found among those of the directory";
    throw new LedgerDamagedError(ledger, `the row of ${kind} ${id} in oc_state is of entry ${seq}, ${why}`);
  }
}

function isLater(organization: Organization, { kind, id, version }: Row): boolean {
  return version > (organization.find(kind, id)?.version ?? 0);
}
