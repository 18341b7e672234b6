import type { Range } from "../../verify/sequence.ts";
import { MAX_POSITION_STATES, PIECE_STATES, RANGE_SIZE } from "./limits.ts";
import { type StateColumns, type StateCursor, updatedSeq } from "./states.ts";

/** A part of a range, and the state rows that were last moved in it; those of the first begin at the lowest position. */
export interface StatedPiece {
  readonly piece: Range;
  readonly states: readonly StateColumns[];
}

/** Cuts a range into pieces. `beyond` gets the state rows that were last moved behind it. */
export async function* cut(
  range: Range,
  cursor: StateCursor,
  beyond: (states: readonly StateColumns[]) => void,
): AsyncGenerator<StatedPiece, void> {
  let fetched: readonly StateColumns[] = await cursor.fetch();
  let at = 0;
  for (let from = range.from; from <= range.to; ) {
    let to = from + RANGE_SIZE - 1n < range.to ? from + RANGE_SIZE - 1n : range.to;
    const states: StateColumns[] = [];
    let last = from;
    for (let row = fetched[at]; row !== undefined; row = fetched[at]) {
      const seq = updatedSeq(row);
      if (seq > to) break;
      if (states.length >= PIECE_STATES && seq > last) {
        // The rest becomes another piece; rows of one position are never separated.
        to = seq - 1n;
        break;
      }
      // More rows than that are more than an entry can have: those that are read are wrong, and enough to name.
      if (states.length < MAX_POSITION_STATES) states.push(row);
      if (seq > last) last = seq;
      at += 1;
      if (at === fetched.length) {
        fetched = await cursor.fetch();
        at = 0;
      }
    }
    yield { piece: { from, to }, states };
    from = to + 1n;
  }
  fetched = fetched.slice(at);
  for (; fetched.length > 0; fetched = await cursor.fetch()) beyond(fetched);
}
