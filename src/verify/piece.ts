import type { JsonObject } from "../facts/canonical.ts";
import type { SignatureKeys } from "../facts/signature.ts";
import { createSetDigest } from "./digest.ts";
import { addRowElement, elementOf } from "./elements.ts";
import { type CheckedEntry, checkEntry, makerOf } from "./entry.ts";
import { missingProblem } from "./erasure.ts";
import {
  beginningProblem,
  type Claim,
  claimProblems,
  type Past,
  type Stage,
  stageOf,
  versionProblem,
} from "./history.ts";
import { createIdCollector, type Ids } from "./ids.ts";
import { type EntryState, type Maker, type Sha256, type StoredEntry, type StoredState, thingKey } from "./rows.ts";
import type { ErasedValue, Rules } from "./rules.ts";
import { createSequence, type Range } from "./sequence.ts";
import { makerProblems, rowProblems, stateProblems, unlisted } from "./state-row.ts";
import { type LedgerProblem, type LedgerVerdict, merge } from "./verdict.ts";

export interface PieceOptions {
  readonly ledger: string;
  /** What is verified as a whole. */
  readonly range: Range;
  /** The part of it that is checked here. */
  readonly piece: Range;
  /** The state rows with their last entry in the piece; in the first piece also those with positions before it. */
  readonly states: readonly StoredState[];
  /** The same for all pieces of a verification, and random. */
  readonly digestKey: string;
  readonly sha256: Sha256;
  readonly rules: Rules;
  /** What signatures are verified with; without them, none is. */
  readonly signatures?: SignatureKeys;
  /** Problems to name at most. */
  readonly limit: number;
}

/** A state of an entry, of a thing that has its last entry in another piece. */
export interface Elsewhere extends EntryState, Maker {
  readonly seq: bigint;
  /** Of the entry. */
  readonly hash: string;
}

export interface PieceReport {
  readonly entries: number;
  /** Of the last entry, from its bytes. */
  readonly lastHash: string | undefined;
  readonly problems: readonly LedgerProblem[];
  /** Whether the states of some entry could not be known. */
  readonly damaged: boolean;
  /**
   * What entries here say of things that changed last in another piece, XOR what rows here say of entries in another
   * piece. Over all pieces it comes to nothing when rows list exactly the entries that there are.
   */
  readonly digest: string;
  /** Ids of the entries, which have to be different from each other over all pieces. */
  readonly ids: Ids;
  /** Values that are not stored: each has to be ordered by an entry, which can be in another piece. */
  readonly missing: readonly ErasedValue[];
  /** Values of which entries of the piece order the erasure. */
  readonly erased: readonly ErasedValue[];
  /** What is left to be found out of entries before the piece. */
  readonly claims: readonly Claim[];
}

export interface Piece {
  /** The next row, by position and hash. The row before the piece, if there is one, comes first. */
  next(row: StoredEntry): void;
  /** Called once, after the last row. */
  end(): PieceReport;
}

/** What is known of a thing while entries go by. */
interface Thing {
  /** Its state row, if that belongs to the piece. */
  readonly row: StoredState | undefined;
  /** Versions that its row has at the right position. */
  readonly met: Set<number>;
  /** Whether the row was compared with its last entry. */
  compared: boolean;
  /** What the last entry that moved it made of it: nothing, before the first. */
  version: number;
  stage: Stage | undefined;
  /** The entries that later ones are judged by; undefined when the piece has not all of them. */
  history: { readonly maker: JsonObject; readonly votes: JsonObject[] } | undefined;
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
  const things = new Map<string, Thing>();
  const thingOf = (kind: string, id: string, row?: StoredState): Thing => {
    const thing: Thing = { row, met: new Set(), compared: false, version: 0, stage: undefined, history: undefined };
    things.set(thingKey(kind, id), thing);
    return thing;
  };
  for (const row of options.states) thingOf(row.kind, row.id, row);
  const ids = createIdCollector();
  const claims: Claim[] = [];
  const missing: ErasedValue[] = [];
  const erased: ErasedValue[] = [];
  const unknown = new Set<bigint>();
  const remembered = rules.remembered ?? ((body: JsonObject) => body);
  let entries = 0;
  let lastHash: string | undefined;

  /** Compares a state in an entry with its row, if the row is in this piece. */
  const compareRow = (seq: bigint, state: EntryState, checked: CheckedEntry, thing: Thing) => {
    const { row } = thing;
    if (row === undefined) {
      const maker = makerOf(checked.body);
      elsewhere?.({ ...state, ...maker, seq, hash: checked.hash });
      digest.add(elementOf(state, seq, maker));
      return;
    }
    if (row.entries[state.version - 1] === seq) {
      thing.met.add(state.version);
      if (state.version === 1) {
        for (const detail of makerProblems(row, makerOf(checked.body))) {
          complain(row.updatedSeq, "STATE_MISMATCH", detail);
        }
      }
    } else complain(seq, "STATE_MISMATCH", unlisted(state.kind, state.id, state.version));
    if (row.updatedSeq === seq) {
      thing.compared = true;
      for (const detail of stateProblems(row, state, checked.hash)) complain(seq, "STATE_MISMATCH", detail);
    }
  };
  /** Compares a state with the one before it. */
  const compareStep = (seq: bigint, state: EntryState, thing: Thing, checked: CheckedEntry, body: JsonObject) => {
    const { kind, id, version } = state;
    const to = stageOf(state.state);
    // What entries that cannot be known made of it is not known.
    const known = thing.stage !== undefined && unknown.size === 0 && !sequence.hasGaps;
    if (known) report(versionProblem(seq, state, thing.version));
    if (version === 1) {
      report(beginningProblem(seq, state, to, body, rules));
      // A thing that is made again, which is reported, was made by the first.
      thing.history ??= { maker: body, votes: [] };
    } else {
      claim({ seq, kind, id, version: version - 1, to, body, recordedAt: checked.recordedAt }, thing);
      if (typeof body.type === "string" && rules.voteTypes?.includes(body.type)) thing.history?.votes.push(body);
    }
    thing.version = version;
    thing.stage = to;
  };
  const claim = (made: Claim, thing: Thing | undefined) => {
    // What an entry depends on is known by the state alone, whether it may follow others by all of them.
    if (thing?.stage === undefined || (made.to !== undefined && thing.history === undefined)) {
      // What has a claim is kept longer than its entry.
      claims.push(made.to === undefined ? { ...made, body: remembered(made.body) } : made);
      return;
    }
    // A thing that has another version by now never had this one again.
    const before = made.seq - 1n;
    const past: Past =
      thing.version === made.version
        ? { seq: before, nextSeq: undefined, stage: thing.stage, history: thing.history }
        : { seq: undefined, nextSeq: before, stage: undefined, history: undefined };
    for (const problem of claimProblems(made, past, rules)) report(problem);
  };
  /** Values that are not stored, and what is ordered about others. */
  const compareErasures = (seq: bigint, checked: CheckedEntry) => {
    if (rules.erasuresOf !== undefined) {
      for (const path of checked.missing) missing.push({ seq: String(seq), path });
      erased.push(...rules.erasuresOf(checked.body));
    } else if (checked.missing.length > 0) report(missingProblem(seq, checked.missing));
  };
  const compare = (seq: bigint, checked: CheckedEntry) => {
    const { id, type } = checked.body;
    compareErasures(seq, checked);
    if ((type === "LEDGER_CREATED") !== (seq === 1n)) {
      const detail = "a ledger begins with LEDGER_CREATED, and has it nowhere else";
      complain(seq, seq === 1n ? "LINK_BROKEN" : "RULE_BROKEN", detail);
    }
    if (typeof id === "string") ids.add(id, seq);
    for (const { kind, id, version } of rules.dependenciesOf?.(checked.body) ?? []) {
      const { body, recordedAt } = checked;
      const dependency: Claim = { seq, kind, id, version, to: undefined, body, recordedAt };
      claim(dependency, things.get(thingKey(kind, id)));
    }
    if (checked.states.length === 0) return;
    const body = remembered(checked.body);
    for (const state of checked.states) {
      const thing = things.get(thingKey(state.kind, state.id)) ?? thingOf(state.kind, state.id);
      compareRow(seq, state, checked, thing);
      compareStep(seq, state, thing, checked, body);
    }
  };
  return {
    next(row) {
      sequence.next(row);
      if (row.seq < piece.from) return;
      entries += 1;
      const checked = checkEntry(row, options, (verdict, detail) => complain(row.seq, verdict, detail));
      lastHash = checked?.hash ?? row.hash;
      // Of several rows at one position at most one is correct, and it is unknown which.
      if (checked === undefined || sequence.rowsAtPosition > 1) unknown.add(row.seq);
      else compare(row.seq, checked);
    },
    end() {
      sequence.end();
      const isKnown = (seq: bigint) => !unknown.has(seq) && !sequence.isMissing(seq);
      for (const { row, met, compared } of things.values()) {
        if (row === undefined) continue;
        const mismatch = (detail: string) => complain(row.updatedSeq, "STATE_MISMATCH", detail);
        for (const detail of rowProblems(row)) mismatch(detail);
        if (!compared && isKnown(row.updatedSeq)) {
          for (const detail of stateProblems(row, undefined, "")) mismatch(detail);
        }
        for (const [index, seq] of row.entries.entries()) {
          if (seq < piece.from || seq > piece.to) addRowElement(row, index, range, digest);
          else if (!met.has(index + 1) && isKnown(seq) && (compared || seq !== row.updatedSeq)) {
            mismatch(`oc_state ${row.kind} ${row.id}: the entry at ${seq} is not its version ${index + 1}`);
          }
        }
      }
      return {
        entries,
        lastHash,
        problems: merge(found).slice(0, limit),
        damaged: unknown.size > 0 || sequence.hasGaps,
        digest: digest.value(),
        ids: ids.ids(),
        missing,
        erased,
        claims,
      };
    },
  };
}
