import { createSetDigest } from "./digest.ts";
import { addRowElement, elementOf } from "./elements.ts";
import { checkEntry, makerOf, type Said } from "./entry.ts";
import { beginningProblem, type Claim, claimProblem } from "./history.ts";
import { type EntryRow, type Maker, type SaidState, type Sha256, type StateRow, thingKey } from "./rows.ts";
import type { Rules } from "./rules.ts";
import { createSequence, type Range } from "./sequence.ts";
import { makerProblems, rowProblems, stateProblems, unlisted } from "./state-row.ts";
import { type LedgerProblem, type LedgerVerdict, merge } from "./verdict.ts";

export interface PieceOptions {
  readonly ledger: string;
  /** What is verified as a whole. */
  readonly range: Range;
  /** The part of it that is checked here. */
  readonly piece: Range;
  /** The state rows with their last entry in the piece; in the first piece of a ledger also those said to be before it. */
  readonly states: readonly StateRow[];
  /** The same for all pieces of a verification, and random. */
  readonly digestKey: string;
  readonly sha256: Sha256;
  readonly rules: Rules;
  /** Problems to name at most. */
  readonly limit: number;
}

/** A state of an entry, of a thing that has its last entry in another piece. */
export interface Elsewhere extends SaidState, Maker {
  readonly seq: bigint;
}

export interface PieceReport {
  readonly entries: number;
  readonly problems: readonly LedgerProblem[];
  /** Whether the states of some entry could not be known. */
  readonly damaged: boolean;
  /**
   * What entries here say of things that changed last in another piece, XOR what rows here say of entries in another
   * piece. Over all pieces it comes to nothing when rows list exactly the entries that there are.
   */
  readonly digest: string;
  /** What is left to be found out of entries before the piece. */
  readonly claims: readonly Claim[];
}

export interface Piece {
  /** The next row, by position and hash. The row before the piece, if there is one, comes first. */
  next(row: EntryRow): void;
  /** Called once, after the last row. */
  end(): PieceReport;
}

/** What is known of a state row while its entries go by. */
interface Tracked {
  readonly row: StateRow;
  /** Positions in the piece at which it was found to be right. */
  readonly met: Set<bigint>;
  compared: boolean;
}

/**
 * Checks a part of a ledger in one pass over its rows. `elsewhere` is called for each state that is not compared here but
 * goes into the digest.
 */
export function createPiece(options: PieceOptions, elsewhere?: (state: Elsewhere) => void): Piece {
  const { piece, range, rules, sha256, limit } = options;
  const found: LedgerProblem[] = [];
  // The first positions come first; details of one position are few.
  const report = (problem: LedgerProblem | undefined) => {
    if (problem !== undefined && found.length < 4 * limit) found.push(problem);
  };
  const complain = (seq: bigint, verdict: LedgerVerdict, detail: string) => report({ seq, verdict, detail });
  const sequence = createSequence(piece, complain);
  const digest = createSetDigest(options.digestKey, sha256);
  const tracked = new Map<string, Tracked>();
  for (const row of options.states) tracked.set(thingKey(row.kind, row.id), { row, met: new Set(), compared: false });
  const latest = new Map<string, SaidState>();
  const ids = new Set<string>();
  const claims: Claim[] = [];
  const unknown = new Set<bigint>();
  let entries = 0;

  /** Compares what an entry says of one thing with its row, if that is here. */
  const compareRow = (seq: bigint, state: SaidState, said: Said, thing: Tracked | undefined) => {
    if (thing === undefined) {
      const maker = makerOf(said.body);
      elsewhere?.({ ...state, ...maker, seq });
      digest.add(elementOf(state, seq, maker));
      return;
    }
    const { row } = thing;
    if (row.entries[state.version - 1] === seq) {
      thing.met.add(seq);
      if (state.version === 1) {
        for (const detail of makerProblems(row, makerOf(said.body))) {
          complain(row.updatedSeq, "CONTENT_MISMATCH", detail);
        }
      }
    } else complain(seq, "CONTENT_MISMATCH", unlisted(state.kind, state.id, state.version));
    if (row.updatedSeq === seq) {
      thing.compared = true;
      for (const detail of stateProblems(row, state, said.hash)) complain(seq, "CONTENT_MISMATCH", detail);
    }
  };
  /** Compares a state with the one before it. */
  const compareStep = (seq: bigint, state: SaidState, key: string, recordedAt: string) => {
    const { kind, id, version, state: to } = state;
    const before = latest.get(key);
    latest.set(key, state);
    if (version === 1) {
      report(beginningProblem(seq, state, rules));
      return;
    }
    claim({ seq, kind, id, version: version - 1, to, recordedAt }, before);
  };
  const claim = (made: Claim, before: SaidState | undefined) => {
    if (before === undefined) {
      claims.push(made);
      return;
    }
    // That versions follow one another is told by the rows; a thing that has another one by now never had it again.
    const has = before.version === made.version;
    const past = has
      ? { seq: made.seq - 1n, nextSeq: undefined, state: before.state }
      : { seq: undefined, nextSeq: undefined, state: undefined };
    report(claimProblem(made, past, rules));
  };
  const compare = (seq: bigint, said: Said) => {
    const { id, type } = said.body;
    if ((type === "LEDGER_CREATED") !== (seq === 1n)) {
      const detail = "a ledger begins with LEDGER_CREATED, and has it nowhere else";
      complain(seq, seq === 1n ? "LINK_BROKEN" : "RULE_BROKEN", detail);
    }
    if (typeof id === "string") {
      if (ids.has(id)) complain(seq, "RULE_BROKEN", `an earlier entry has the id ${id}`);
      ids.add(id);
    }
    for (const { kind, id, version } of rules.restsOf?.(said.body) ?? []) {
      const rest: Claim = { seq, kind, id, version, to: undefined, recordedAt: said.recordedAt };
      claim(rest, latest.get(thingKey(kind, id)));
    }
    for (const state of said.states) {
      const key = thingKey(state.kind, state.id);
      compareRow(seq, state, said, tracked.get(key));
      compareStep(seq, state, key, said.recordedAt);
    }
  };
  return {
    next(row) {
      sequence.next(row);
      if (row.seq < piece.from) return;
      entries += 1;
      const said = checkEntry(row, options, (verdict, detail) => complain(row.seq, verdict, detail));
      // Of several rows at one position one at most is right, and nobody can say which.
      if (said === undefined || sequence.standing > 1) unknown.add(row.seq);
      else compare(row.seq, said);
    },
    end() {
      sequence.end();
      const isKnown = (seq: bigint) => !unknown.has(seq) && !sequence.isMissing(seq);
      for (const thing of tracked.values()) {
        const { row } = thing;
        const mismatch = (detail: string) => complain(row.updatedSeq, "CONTENT_MISMATCH", detail);
        for (const detail of rowProblems(row)) mismatch(detail);
        if (!thing.compared && isKnown(row.updatedSeq)) {
          for (const detail of stateProblems(row, undefined, "")) mismatch(detail);
        }
        for (const [index, seq] of row.entries.entries()) {
          if (seq < piece.from || seq > piece.to) addRowElement(row, index, range, digest);
          else if (!thing.met.has(seq) && isKnown(seq) && (thing.compared || seq !== row.updatedSeq)) {
            mismatch(`oc_state ${row.kind} ${row.id}: the entry at ${seq} is not its version ${index + 1}`);
          }
        }
      }
      return {
        entries,
        problems: merge(found).slice(0, limit),
        damaged: unknown.size > 0 || sequence.hasGaps,
        digest: digest.value(),
        claims,
      };
    },
  };
}
