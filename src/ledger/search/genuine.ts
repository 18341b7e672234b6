import type { LedgerEntry } from "../../facts/entry.ts";
import { type Payload, valueAt, Withheld } from "../../facts/payload.ts";
import type { Queryable } from "../read.ts";
import { conditionsOf } from "./conditions.ts";
import { type EntryFilter, given } from "./filter.ts";

/**
 * Those of `entries`, which the database found by their stored values, that are found by values that were recorded. The
 * database compares whatever is stored; nobody is told by a search what somebody put there afterwards.
 */
export async function genuine(
  db: Queryable,
  filter: EntryFilter,
  entries: readonly LedgerEntry[],
): Promise<readonly LedgerEntry[]> {
  const { text, contains, actorEmail } = filter;
  if (![text, contains, actorEmail].some(given)) return entries;
  const found: LedgerEntry[] = [];
  for (const entry of entries) {
    const payload = recordedPart(entry);
    if (payload === entry.payload || (await meets(db, { text, contains, actorEmail }, entry, payload)))
      found.push(entry);
  }
  return found;
}

/** The payload of an entry without what the entry did not commit to: the same object when that is nothing. */
function recordedPart(entry: LedgerEntry): Payload | undefined {
  const { payload } = entry;
  if (payload === undefined) return undefined;
  const items = Object.entries(payload);
  const recorded = items.filter(([path]) => {
    const value = valueAt(entry, path);
    return value !== undefined && !(value instanceof Withheld);
  });
  return recorded.length === items.length ? payload : Object.fromEntries(recorded);
}

/** Whether an entry would meet conditions on its values with another payload. */
async function meets(
  db: Queryable,
  filter: EntryFilter,
  { entry }: LedgerEntry,
  payload: Payload | undefined,
): Promise<boolean> {
  const values: unknown[] = [entry, payload === undefined ? null : JSON.stringify(payload)];
  const conditions = conditionsOf(filter, (value) => `$${values.push(value)}`);
  const { rows } = await db.query(
    `SELECT FROM (SELECT $1::text AS entry OFFSET 0) e, (SELECT $2::json AS payload OFFSET 0) p WHERE ${conditions.join(" AND ")}`,
    values,
  );
  return rows.length > 0;
}
