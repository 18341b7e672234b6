import type { Queryable } from "../ledger/read.ts";
import { withLedgerErrors } from "./ledger-errors.ts";

/** What time it is. Deadlines are the database's to judge, so its clock sets them. Throws LedgerUnavailableError. */
export async function databaseTime(db: Queryable): Promise<Date> {
  const { rows } = await withLedgerErrors(db.query<{ now: Date }>("SELECT clock_timestamp() AS now"));
  const now = rows[0]?.now;
  if (now === undefined) throw new Error("the database does not say what time it is");
  return now;
}
