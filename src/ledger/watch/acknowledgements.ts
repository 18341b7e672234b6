import type { LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../errors.ts";
import { provenEntry, provenFact } from "../proof.ts";
import type { EntryRow, Queryable } from "../read.ts";
import { searchRows } from "../search.ts";
import type { IsSigned } from "../signatures/check.ts";
import type { Acknowledgement, NamedProblem } from "./problems.ts";

const TYPE = "LEDGER_ACKNOWLEDGED";
const PAGE = 100;
const POSITION = /^\d{1,19}$/;

/**
 * The acknowledgements in a ledger behind position `after`, and the position of the last; from entries, never from a table. What is
 * damaged, or was not signed by a server, acknowledges nothing: it is passed over, and verification says what is wrong with it.
 * Rejects when entries cannot be read.
 */
export async function readAcknowledgements(
  { db, isSigned }: { readonly db: Queryable; readonly isSigned: IsSigned },
  ledger: LedgerId,
  after: bigint,
): Promise<{ readonly found: readonly Acknowledgement[]; readonly last: bigint }> {
  const found: Acknowledgement[] = [];
  for (let last = after; ; ) {
    const rows = await searchRows(db, ledger, { types: [TYPE] }, { after: last, limit: PAGE });
    for (const row of rows) found.push(...acknowledgementIn(ledger, row, isSigned));
    last = BigInt(rows.at(-1)?.seq ?? last);
    if (rows.length < PAGE) return { found, last };
  }
}

/** None when the row is not what a server recorded: a bad hash also means that it may be dated otherwise than it was. */
function acknowledgementIn(ledger: LedgerId, row: EntryRow, isSigned: IsSigned): readonly Acknowledgement[] {
  try {
    const entry = provenEntry(ledger, row);
    const fact = provenFact(ledger, entry);
    // The search compares a column; the entry says for itself what it is, and its signature that a server made it.
    if (fact.type !== TYPE || !isSigned(entry)) return [];
    const recordedAt = new Date(entry.recordedAt);
    return [{ id: String(entry.body.id), recordedAt, problems: fact.problems.filter(isWellFormed) }];
  } catch (error) {
    if (error instanceof LedgerDamagedError) return [];
    throw error;
  }
}

/** A position that is no number names nothing. */
function isWellFormed({ seq = "0", through = "0" }: NamedProblem): boolean {
  return POSITION.test(seq) && POSITION.test(through);
}
