import type { LedgerId } from "../../facts/entry.ts";
import type { EntryRange, Queryable } from "../read.ts";
import { instantOf } from "./conditions.ts";
import { type EntryFilter, given } from "./filter.ts";

/** The smaller of two positions; undefined is none. */
export function earlier(one: bigint | undefined, other: bigint): bigint {
  return one === undefined || other < one ? other : one;
}

/** The larger of two positions; undefined is none. */
export function later(one: bigint | undefined, other: bigint): bigint {
  return one === undefined || other > one ? other : one;
}

const POSITIONS = {
  name: "oc_positions_at",
  text: `
    SELECT oc_position_at($1, $2::timestamptz) - 1 AS after,
           oc_position_at($1, $3::timestamptz + interval '1 microsecond') AS before`,
};

/** The part of `page` that was recorded between the two times of `filter`. */
export async function withinTimes(
  db: Queryable,
  ledger: LedgerId,
  { recordedFrom, recordedTo }: EntryFilter,
  page: EntryRange,
): Promise<EntryRange> {
  if (!given(recordedFrom) && !given(recordedTo)) return page;
  const values = [ledger, ...[recordedFrom, recordedTo].map((instant) => (given(instant) ? instantOf(instant) : null))];
  const { rows } = await db.query<{ after: string; before: string }>({ ...POSITIONS, values });
  const [row] = rows;
  if (row === undefined) throw new Error("oc_position_at returned no row");
  return {
    ...page,
    ...(given(recordedFrom) ? { after: later(page.after, BigInt(row.after)) } : {}),
    ...(given(recordedTo) ? { before: earlier(page.before, BigInt(row.before)) } : {}),
  };
}
