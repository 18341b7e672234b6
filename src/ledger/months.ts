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
  /** Only entries after this position. */
  readonly after?: bigint | undefined;
  /** Only entries before this position. */
  readonly before?: bigint | undefined;
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
     ORDER BY m.first_seq`,
};

const LAST_POSITION = 2n ** 63n - 1n;
const clamp = (seq: bigint) => (seq > LAST_POSITION ? LAST_POSITION : seq < 0n ? 0n : seq);

/** The months that hold the entries of a part of a ledger, oldest first; those without entries are left out. */
export async function readMonths(db: Queryable, ledger: LedgerId, part: Part): Promise<Month[]> {
  const { after = 0n, before = LAST_POSITION } = part;
  const values = [ledger, clamp(after), clamp(before)];
  const { rows } = await db.query<RecordedBounds & { readonly first_seq: string }>({ ...READ_MONTHS, values });
  return rows.map(({ first_seq, from, before: end }) => ({ firstSeq: BigInt(first_seq), from, before: end }));
}

/** The time of the positions from `first` to `last`, by `months` that hold them all; undefined when there are none. */
export function boundsOf(months: readonly Month[], first: bigint, last: bigint): RecordedBounds | undefined {
  const begins = months.findLast(({ firstSeq }) => firstSeq <= first) ?? months[0];
  const ends = months.findLast(({ firstSeq }) => firstSeq <= last) ?? months[0];
  return begins === undefined || ends === undefined ? undefined : { from: begins.from, before: ends.before };
}

/** Months of the first window, and by how much each further window is larger. */
const FIRST_WINDOW = 2;
const GROWTH = 4;

/** The first items, then several times as many, and so on: each a list, in the order of `items`. */
function growing<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const windows: (readonly Item[])[] = [];
  for (let at = 0, size = FIRST_WINDOW; at < items.length; at += size, size *= GROWTH) {
    windows.push(items.slice(at, at + size));
  }
  return windows;
}

/**
 * The months of a part of a ledger as windows of time, in the order of the search. A search queries one window after the other
 * until it has found enough: a query without bounds would plan and open every partition, and most pages are filled by the first
 * window.
 */
export async function readWindows(
  db: Queryable,
  ledger: LedgerId,
  part: Part,
  newestFirst: boolean,
): Promise<readonly RecordedBounds[]> {
  const months = await readMonths(db, ledger, part);
  return growing(newestFirst ? months.toReversed() : months).map((window) => {
    const [first, last] = [window[0]!, window.at(-1)!];
    return newestFirst ? { from: last.from, before: first.before } : { from: first.from, before: last.before };
  });
}

/** Positions from `first` to `last`, both included, and the time they were recorded in. */
export interface RecordedPositions {
  readonly first: bigint;
  readonly last: bigint;
  readonly recorded: RecordedBounds;
}

/** The same for the positions from `first` to `last`, by `months` that hold them all, oldest first. */
export function positionWindows(
  months: readonly Month[],
  first: bigint,
  last: bigint,
  newestFirst: boolean,
): readonly RecordedPositions[] {
  const parts = months.flatMap((month, at) => {
    const next = months[at + 1];
    const begins = at === 0 || month.firstSeq < first ? first : month.firstSeq;
    const ends = next === undefined || next.firstSeq > last ? last : next.firstSeq - 1n;
    return begins > ends ? [] : [{ first: begins, last: ends, recorded: month }];
  });
  return growing(newestFirst ? parts.toReversed() : parts).map((window) => {
    const [oldest, newest] = newestFirst ? [window.at(-1)!, window[0]!] : [window[0]!, window.at(-1)!];
    const recorded = { from: oldest.recorded.from, before: newest.recorded.before };
    return { first: oldest.first, last: newest.last, recorded };
  });
}
