import { GENESIS_HASH } from "../facts/entry.ts";
import type { StoredEntry } from "./rows.ts";
import type { LedgerVerdict } from "./verdict.ts";

/** Positions `from` to `to`. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

/** Entries in order, by their columns alone: each the successor of the one before, no position empty, none taken twice. */
export interface Sequence {
  /** The next row, by position and hash; the row before `from`, if there is one, comes first. */
  next(row: StoredEntry): void;
  /** How many rows have the position of the last row. */
  readonly rowsAtPosition: number;
  readonly hasGaps: boolean;
  /** Whether a position has no entry. */
  isMissing(seq: bigint): boolean;
  /** Called once, after the last row. */
  end(): void;
}

const RECORDED_AT = 0;

export function createSequence(
  { from, to }: Range,
  complain: (seq: bigint, verdict: LedgerVerdict, detail: string) => void,
): Sequence {
  const gaps: Range[] = [];
  let seq = from - 1n;
  // A position nearly always has one row; only otherwise this is a list of hashes.
  let hash: string | string[] | undefined;
  let predecessor: typeof hash;
  let datedAt = "";

  const gap = (first: bigint, last: bigint) => {
    if (first > last) return;
    gaps.push({ from: first, to: last });
    complain(
      first,
      "SEQUENCE_GAP",
      first === last ? "there is no entry at this position" : `there are no entries at positions ${first} to ${last}`,
    );
  };
  const leave = () => {
    if (typeof hash === "object" && seq >= from) {
      complain(seq, "FORKED", `${hash.length} rows have this position`);
    }
  };
  const judge = (row: StoredEntry) => {
    if (row.seq < 1n) complain(row.seq, "LINK_BROKEN", "there can be no entry before position 1");
    if (row.seq === 1n && row.prevHash !== GENESIS_HASH) {
      complain(1n, "LINK_BROKEN", "the first entry of a ledger has 64 zeros as its predecessor");
    }
    const follows =
      predecessor === row.prevHash || (typeof predecessor === "object" && predecessor.includes(row.prevHash));
    if (predecessor !== undefined && !follows && row.seq > 1n) {
      const detail = `it names ${row.prevHash} as its predecessor, which is not the hash of the entry before it`;
      complain(row.seq, "LINK_BROKEN", detail);
    }
    if ((row.columns[RECORDED_AT] ?? "") < datedAt) {
      complain(row.seq, "CONTENT_MISMATCH", "it is dated before the entry it follows");
    }
  };
  return {
    next(row) {
      if (row.seq !== seq) {
        leave();
        // The row before the range is no part of it.
        if (row.seq >= from) gap(seq + 1n > from ? seq + 1n : from, row.seq - 1n);
        predecessor = row.seq === seq + 1n ? hash : undefined;
        hash = row.hash;
        seq = row.seq;
      } else if (hash === undefined) hash = row.hash;
      else if (typeof hash === "string") hash = [hash, row.hash];
      else hash.push(row.hash);
      if (row.seq >= from || row.seq < 1n) judge(row);
      datedAt = row.columns[RECORDED_AT] ?? "";
    },
    get rowsAtPosition() {
      return typeof hash === "object" ? hash.length : 1;
    },
    get hasGaps() {
      return gaps.length > 0;
    },
    isMissing: (position) => gaps.some((missing) => position >= missing.from && position <= missing.to),
    end() {
      leave();
      gap(seq + 1n > from ? seq + 1n : from, to);
    },
  };
}
