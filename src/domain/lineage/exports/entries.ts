import type { ActionStatus } from "../../../facts/areas/actions.ts";
import { factOf, stateIn } from "../../../facts/decode.ts";
import { type EntryFields, GENESIS_HASH, type LedgerId, parseEntry } from "../../../facts/entry.ts";
import { sha256Hex } from "../../../facts/hash.ts";
import type { Fact } from "../../../facts/registry.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";

/**
 * An entry as its hashed text says it. Erasable values are not there, so that nothing made of one has what was read, written or typed,
 * whether it was erased or not.
 */
export interface HashedEntry extends EntryFields {
  /** 64 hex digits. */
  readonly hash: string;
  readonly payload: undefined;
}

/** Reads an entry's text. Throws LedgerDamagedError. */
export function hashedEntry(ledger: LedgerId, text: string): HashedEntry {
  let fields: EntryFields;
  try {
    fields = parseEntry(text);
  } catch (cause) {
    throw new LedgerDamagedError(ledger, "an entry cannot be read", cause);
  }
  if (fields.ledger !== ledger) {
    throw new LedgerDamagedError(ledger, `entry ${fields.seq} says that it is of another ledger`);
  }
  return { ...fields, hash: sha256Hex(text), payload: undefined };
}

export interface ChainRange {
  readonly ledger: LedgerId;
  /** The position of the first entry. */
  readonly from: bigint;
  /** That positions are left out which the reader may not see; otherwise a position that is missing is damage. */
  readonly gaps: boolean;
}

/** Reads texts in the order of the ledger, each of which has to contain the hash of the one before it. Throws LedgerDamagedError. */
export function createChainReader({ ledger, from, gaps }: ChainRange): (text: string) => HashedEntry {
  let next = from;
  let previous: string | undefined = from === 1n ? GENESIS_HASH : undefined;
  return (text) => {
    const entry = hashedEntry(ledger, text);
    if (entry.seq < next || (entry.seq > next && !gaps)) {
      throw new LedgerDamagedError(ledger, `there is entry ${entry.seq} where entry ${next} has to be`);
    }
    if (entry.seq === next && previous !== undefined && entry.prevHash !== previous) {
      throw new LedgerDamagedError(ledger, `entry ${entry.seq} does not have the hash of the entry before it`);
    }
    next = entry.seq + 1n;
    previous = entry.hash;
    return entry;
  };
}

/** A fact that moves an action. */
type StepFact = Extract<Fact, { readonly action: string; readonly digest: string; readonly platform: string }>;

/** An entry that moves an action. */
export interface Step {
  readonly entry: HashedEntry;
  readonly fact: StepFact;
  readonly actionId: string;
  /** Of the action from here on. */
  readonly status: ActionStatus;
  /** How many entries have moved the action, this one included. */
  readonly version: number;
}

/** What `entry` says of the action that it moves; undefined where it moves none. Throws LedgerDamagedError. */
export function stepOf(entry: HashedEntry): Step | undefined {
  try {
    const moved = stateIn(entry, "ACTION");
    if (moved === undefined) return undefined;
    const fact = factOf(entry) as StepFact;
    return { entry, fact, actionId: moved.id, status: moved.state.status, version: moved.version };
  } catch (cause) {
    throw new LedgerDamagedError(entry.ledger, `entry ${entry.seq} is not what its type says`, cause);
  }
}
