import type { LedgerId } from "../facts/entry.ts";
import type { Queryable } from "./read.ts";

/** Entries recorded at `from` or later, and before `before`. Both are at the beginning of a month. */
export interface RecordedBounds {
  readonly from: Date;
  readonly before: Date;
}

/** A month of a ledger. */
export interface Month extends RecordedBounds {
  /** The position that the month begins with. */
  readonly firstSeq: bigint;
}

interface Part {
  /** Entries behind this position. */
  readonly after?: bigint | undefined;
  /** Entries ahead of this position. */
  readonly before?: bigint | undefined;
  /** Entries recorded at this instant (RFC 3339) or later. */
  readonly recordedFrom?: string | undefined;
  /** Entries recorded at this instant or earlier. */
  readonly recordedTo?: string | undefined;
}

const READ_MONTHS = {
  name: "oc_read_months",
  text: `
    SELECT m.first_seq, m.starts AS "from", m.ends AS "before"
      FROM oc_ledger_month m
     WHERE m.ledger = $1 AND m.first_seq < $3::bigint
       AND m.first_seq >= coalesce((SELECT x.first_seq FROM oc_ledger_month x
                                     WHERE x.ledger = $1 AND x.first_seq - 1 <= $2::bigint
                                     ORDER BY x.first_seq DESC LIMIT 1), 0)
       AND m.ends > $4::timestamptz AND m.starts <= $5::timestamptz
     ORDER BY m.first_seq`,
};

const LAST_POSITION = 2n ** 63n - 1n;
const clamp = (seq: bigint) => (seq > LAST_POSITION ? LAST_POSITION : seq < 0n ? 0n : seq);

/** The months that hold the entries of a part of a ledger, oldest first; those without entries are left out. */
export async function readMonths(db: Queryable, ledger: LedgerId, part: Part): Promise<Month[]> {
  const { after = 0n, before = LAST_POSITION, recordedFrom = "-infinity", recordedTo = "infinity" } = part;
  const values = [ledger, clamp(after), clamp(before), recordedFrom, recordedTo];
  const { rows } = await db.query<RecordedBounds & { readonly first_seq: string }>({ ...READ_MONTHS, values });
  return rows.map(({ first_seq, from, before: end }) => ({ firstSeq: BigInt(first_seq), from, before: end }));
}

/** The time of the positions from `first` to `last`, by `months` that hold them all; undefined when there are none. */
export function boundsOf(months: readonly Month[], first: bigint, last: bigint): RecordedBounds | undefined {
  const begins = months.findLast(({ firstSeq }) => firstSeq <= first) ?? months[0];
  const ends = months.findLast(({ firstSeq }) => firstSeq <= last) ?? months[0];
  return begins === undefined || ends === undefined ? undefined : { from: begins.from, before: ends.before };
}

/** Months of the first window; each further one has so many times as many. */
const FIRST_WINDOW = 2;
const GROWTH = 4;

/**
 * The times to look through for entries of a part of a ledger, one after the other in the order asked for, until enough are
 * found. A query without bounds plans and opens every partition there is; most pages are filled by the first window.
 */
export async function readWindows(
  db: Queryable,
  ledger: LedgerId,
  part: Part,
  newestFirst: boolean,
): Promise<readonly RecordedBounds[]> {
  const months = await readMonths(db, ledger, part);
  if (newestFirst) months.reverse();
  const windows: RecordedBounds[] = [];
  let size = FIRST_WINDOW;
  for (let at = 0; at < months.length; at += size, size *= GROWTH) {
    const [first, last] = [months[at]!, months.slice(at, at + size).at(-1)!];
    windows.push(newestFirst ? { from: last.from, before: first.before } : { from: first.from, before: last.before });
  }
  return windows;
}
