import type { Pool } from "pg";
import { GENESIS_HASH, type LedgerHead, type LedgerId } from "../../facts/entry.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import { type RunQuery, statements } from "./session.ts";

/** Where a ledger ends by its head row, by its entries, and by what entries leave in other tables; one moment. */
export interface LedgerEnd {
  readonly head: LedgerHead | undefined;
  /** Whether head row and last entry are dated the same. */
  readonly headDated: boolean;
  /** Position of the last entry; 0 when there is none. */
  readonly last: bigint;
  /** Hash of the entry at the head's position. */
  readonly entryHash: string | undefined;
  /** The last position a payload or state row belongs to; 0 when there is none. */
  readonly trace: bigint;
  /** The first position below 1 that a row of an edge has, and no entry. */
  readonly strayEdge: bigint | undefined;
}

interface EndRow {
  readonly head_seq: string | null;
  readonly head_hash: string | null;
  readonly head_dated: boolean | null;
  readonly last_seq: string | null;
  readonly entry_hash: string | null;
  readonly trace_seq: string | null;
  readonly stray_edge: string | null;
}

/** Reads where `ledger` ends. Within a snapshot; looks at all payloads and states of the ledger, which takes long when they are many. */
export async function readEnd(run: RunQuery, ledger: LedgerId): Promise<LedgerEnd> {
  const [row] = await run<EndRow & Record<string, unknown>>(statements.head, [ledger]);
  return {
    head: row?.head_seq && row.head_hash ? { seq: BigInt(row.head_seq), hash: row.head_hash } : undefined,
    headDated: row?.head_dated === true,
    last: BigInt(row?.last_seq ?? 0),
    entryHash: row?.entry_hash ?? undefined,
    trace: BigInt(row?.trace_seq ?? 0),
    strayEdge: row?.stray_edge == null ? undefined : BigInt(row.stray_edge),
  };
}

const positions = (from: bigint, to: bigint) => (from === to ? `position ${from}` : `positions ${from} to ${to}`);

/** What is wrong with where the ledger ends. `seen`: the furthest head known from outside the database. */
export function endProblems(end: Omit<LedgerEnd, "strayEdge">, seen: LedgerHead | undefined): LedgerProblem[] {
  const { head, last, trace } = end;
  const rowSays = head?.seq ?? 0n;
  if (last > rowSays) {
    const where = head === undefined ? "has no head row" : `ends at position ${rowSays} by its head row`;
    const moved = seen !== undefined && seen.seq > rowSays;
    const detail = moved
      ? `the ledger ${where}, was known to reach ${seen.seq}, and has entries up to ${last}: the head was moved back. ` +
        "Set nothing right by hand; compare with a backup"
      : `the ledger ${where} but has entries up to ${last}, which the append function did not put there. ` +
        "The next append would start a second history; compare them with a backup";
    return [{ verdict: moved ? "ROLLED_BACK" : "FORKED", seq: rowSays + 1n, detail }];
  }
  if (last < rowSays) {
    const detail = `according to the head row the ledger ends at ${rowSays}, but ${positions(last + 1n, rowSays)} hold no entry. Restore them from a backup or an export`;
    return [{ verdict: "TRUNCATED", seq: last + 1n, detail }];
  }
  if (trace > last) {
    const detail = `payload or state rows belong to entries up to ${trace}, but the ledger ends at ${last}: its last entries were removed and the head row moved back. Restore them from a backup or an export`;
    return [{ verdict: "TRUNCATED", seq: last + 1n, detail }];
  }
  if (seen !== undefined && seen.seq > last) {
    const detail =
      last === 0n
        ? `the ledger was known to reach ${seen.seq}, and is gone. Restore it from a backup or an export`
        : `the ledger was known to reach ${seen.seq} and ends at ${last}, without a trace of what came after: an earlier state was put in its place. Restore a newer backup`;
    return [{ verdict: last === 0n ? "TRUNCATED" : "ROLLED_BACK", seq: last + 1n, detail }];
  }
  if (head === undefined || last === 0n) return [];
  const problems: LedgerProblem[] = [];
  if (end.entryHash !== head.hash) {
    const detail = `the hash of the last entry is ${head.hash} in the head row, and ${end.entryHash ?? GENESIS_HASH} in the entry`;
    problems.push({ verdict: "LINK_BROKEN", seq: last, detail });
  }
  if (!end.headDated) {
    problems.push({
      verdict: "CONTENT_MISMATCH",
      seq: last,
      detail: "the head row is dated otherwise than the last entry",
    });
  }
  return problems;
}

/** Rows of edges before the first entry, which belong to none; those of positions within the ledger are compared with their entries. */
export function strayProblems({ strayEdge }: Pick<LedgerEnd, "strayEdge">): LedgerProblem[] {
  if (strayEdge === undefined) return [];
  const detail = `oc_lineage_edge has rows of an entry ${strayEdge}, which there cannot be. Restore its rows from a backup, or make them anew from the entries`;
  return [{ verdict: "STATE_MISMATCH", seq: undefined, detail }];
}

/** What is wrong with where the months of the ledger are said to begin: reads by position look there only. */
export async function monthProblems(run: RunQuery, ledger: LedgerId): Promise<LedgerProblem[]> {
  const [wrong] = await run<{ seq: string }>(statements.months, [ledger]);
  if (wrong === undefined) return [];
  const seq = wrong.seq === "0" ? undefined : BigInt(wrong.seq);
  const detail =
    "oc_ledger_month names other first entries of months than the entries themselves: reads by position may not find " +
    "entries that are there. Restore its rows from a backup, or make them anew from the entries";
  return [{ verdict: "CONTENT_MISMATCH", seq, detail }];
}

/** The hashes of the entries at the positions of `heads`. */
export async function hashesAt(
  run: RunQuery,
  ledger: LedgerId,
  heads: readonly LedgerHead[],
): Promise<ReadonlyMap<bigint, readonly string[]>> {
  const found = new Map<bigint, string[]>();
  if (heads.length === 0) return found;
  const positions = heads.map(({ seq }) => String(seq));
  for (const { seq, hash } of await run<{ seq: string; hash: string }>(statements.known, [ledger, positions])) {
    found.set(BigInt(seq), [...(found.get(BigInt(seq)) ?? []), hash]);
  }
  return found;
}

/** Those of `heads` that are entries of the ledger. */
export async function standingHeads<Head extends LedgerHead>(
  pool: Pick<Pool, "query">,
  ledger: LedgerId,
  heads: readonly Head[],
): Promise<readonly Head[]> {
  const run: RunQuery = async (sql, values) => (await pool.query(sql, [...values])).rows;
  const there = await hashesAt(run, ledger, heads);
  return heads.filter(({ seq, hash }) => there.get(seq)?.includes(hash) === true);
}

/** The first head seen outside the database that is not part of the ledger any more. */
export async function rewrittenAt(
  run: RunQuery,
  ledger: LedgerId,
  seen: readonly LedgerHead[],
): Promise<LedgerProblem | undefined> {
  const inLedger = await hashesAt(run, ledger, seen);
  let proven = 0n;
  for (const { seq, hash } of seen) {
    const found = inLedger.get(seq);
    if (found === undefined) continue; // a gap, or beyond the end: reported as that
    if (found.includes(hash)) {
      proven = seq;
      continue;
    }
    const detail =
      `the entry here was known outside the database as ${hash} and is ${found.join(", ")} now: history was rewritten from ` +
      `${positions(proven + 1n, seq)} on. Compare with an export taken before`;
    return { verdict: "CHECKPOINT_INCONSISTENT", seq, detail };
  }
  return undefined;
}
