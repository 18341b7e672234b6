import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../facts/canonical.ts";
import { factOf, stateIn } from "../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import type { Fact, StateKind, StateOf } from "../facts/registry.ts";
import { LedgerDamagedError } from "./errors.ts";
import { type EntryRow, type Queryable, readEntryRows, toEntry } from "./read.ts";

/** What a row of `oc_state` says of a thing. */
export interface StoredState {
  readonly id: string;
  readonly version: number;
  readonly state: JsonObject;
  /** The columns that repeat members of `state`. */
  readonly status: string | null;
  readonly expires_at: Date | null;
  readonly first_seq: string;
  readonly updated_seq: string;
  /** Of the entry at `updated_seq`, 64 hex digits. */
  readonly state_hash: string;
}

/** The columns of StoredState, of `s`. */
export const STORED_STATE = `s.id, s.version, s.state, s.status, s.expires_at, s.first_seq, s.updated_seq,
           encode(s.hash, 'hex') AS state_hash`;

/** The entry of a row, after its bytes were hashed again. Throws LedgerDamagedError. */
export function provenEntry(ledger: LedgerId, row: EntryRow): LedgerEntry {
  if (hash("sha256", row.entry) !== row.hash) {
    throw new LedgerDamagedError(ledger, `the text of entry ${row.seq} does not have the hash ${row.hash}`);
  }
  try {
    return toEntry(ledger, row);
  } catch (cause) {
    throw new LedgerDamagedError(ledger, `entry ${row.seq} cannot be read`, cause);
  }
}

/** The entry at position `seq`, after its bytes were hashed again, or undefined. Throws LedgerDamagedError. */
export async function readProvenEntry(db: Queryable, ledger: LedgerId, seq: bigint): Promise<LedgerEntry | undefined> {
  const [row] = await readEntryRows(db, ledger, [seq]);
  return row && provenEntry(ledger, row);
}

/** What `entry` says, after it was checked to be what its type says. Throws LedgerDamagedError. */
export function provenFact(ledger: LedgerId, entry: LedgerEntry): Fact {
  try {
    return factOf(entry);
  } catch (cause) {
    throw new LedgerDamagedError(ledger, `entry ${entry.seq} is not what its type says`, cause);
  }
}

/** What `entry` says of the thing `id`. Throws LedgerDamagedError when it does not make version `version` of it. */
export function provenVersion<Kind extends StateKind>(
  ledger: LedgerId,
  entry: LedgerEntry | undefined,
  kind: Kind,
  { id, version }: { readonly id: string; readonly version: number },
): StateOf<Kind> {
  if (entry === undefined) throw wrong(ledger, kind, id, "names an entry that there is not");
  provenFact(ledger, entry);
  const item = stateIn(entry, kind, id);
  if (item?.version === version) return item;
  throw wrong(ledger, kind, id, `names entry ${entry.seq}, which does not make its version ${version}`);
}

/**
 * The state of a thing, from `entry`, which `stored` says made it. Its bytes were hashed again before. Throws LedgerDamagedError
 * when the row says anything else than the entry.
 */
export function provenState<Kind extends StateKind>(
  ledger: LedgerId,
  kind: Kind,
  stored: StoredState,
  entry: LedgerEntry | undefined,
): StateOf<Kind> {
  const item = provenVersion(ledger, entry, kind, stored);
  const state: JsonObject = { ...item.state };
  const agrees =
    entry?.hash === stored.state_hash &&
    String(entry.seq) === stored.updated_seq &&
    isDeepStrictEqual(state, stored.state) &&
    (state.status ?? null) === stored.status &&
    sameInstant(state.expiresAt, stored.expires_at);
  if (!agrees) throw wrong(ledger, kind, stored.id, `is not what entry ${stored.updated_seq} says`);
  return item;
}

function sameInstant(text: unknown, stored: Date | null): boolean {
  return typeof text === "string" ? stored?.getTime() === Date.parse(text) : stored === null;
}

function wrong(ledger: LedgerId, kind: string, id: string, what: string): LedgerDamagedError {
  return new LedgerDamagedError(ledger, `the row of ${kind} ${id} in oc_state ${what}`);
}
