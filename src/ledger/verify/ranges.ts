import type { Pool } from "pg";
import type { LedgerId } from "../../facts/entry.ts";
import { combine, type FingerprintRow, type Fingerprints, NO_FINGERPRINTS, toFingerprints } from "./fingerprints.ts";
import { RANGE_SIZE } from "./limits.ts";
import { inSnapshot, isDataError, type Run, statements } from "./session.ts";
import type { LedgerProblem, LedgerVerdict } from "./verdict.ts";

export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

interface RangeResult {
  readonly entries: bigint;
  /** False when some entry of the range, or a missing one, has to be named. */
  readonly intact: boolean;
  readonly fingerprints: Fingerprints;
}

/** `from` to `to` in pieces that one statement checks. */
function* split(from: bigint, to: bigint, size = RANGE_SIZE): Generator<Range> {
  for (let at = from; at <= to; at += size) {
    yield { from: at, to: at + size - 1n < to ? at + size - 1n : to };
  }
}

/** Re-hashes and compares one range. */
async function checkRange(pool: Pool, ledger: LedgerId, { from, to }: Range): Promise<RangeResult> {
  try {
    return await inSnapshot(pool, async (run) => {
      const [row] = await run<FingerprintRow & { entries: string; bad: string; last: string }>(statements.range, [
        ledger,
        String(from),
        String(to),
      ]);
      const entries = BigInt(row?.entries ?? 0);
      const intact = row?.bad === "0" && entries === to - from + 1n && BigInt(row.last) === to;
      return { entries, intact, fingerprints: toFingerprints(row) };
    });
  } catch (error) {
    if (!isDataError(error)) throw error;
    return {
      entries: await inSnapshot(pool, (run) => count(run, ledger, from, to)),
      intact: false,
      fingerprints: NO_FINGERPRINTS,
    };
  }
}

/** Checks a range piece by piece, by as many concurrent calls of `work` as there are. */
export interface Sweep {
  /** Takes pieces until none is left. */
  work(): Promise<void>;
  /** Lets every call of `work` end after the piece it is at. */
  stop(): void;
  readonly entries: bigint;
  /** Pieces with something to name in them. */
  readonly bad: readonly Range[];
  /** Over all entries. */
  readonly fingerprints: Fingerprints;
}

export function createSweep(
  pool: Pool,
  ledger: LedgerId,
  range: Range,
  onProgress?: (progress: { readonly checked: bigint; readonly total: bigint }) => void,
): Sweep {
  const total = range.to - range.from + 1n;
  const pieces = split(range.from, range.to);
  const bad: Range[] = [];
  const sum = { entries: 0n, positions: 0n, fingerprints: NO_FINGERPRINTS };
  return {
    async work() {
      // The pieces are shared: a call that fails ends them for the others too.
      for (const piece of pieces) {
        const { entries, intact, fingerprints } = await checkRange(pool, ledger, piece);
        if (!intact) bad.push(piece);
        sum.entries += entries;
        sum.fingerprints = combine(sum.fingerprints, fingerprints);
        sum.positions += piece.to - piece.from + 1n;
        onProgress?.({ checked: sum.positions, total });
      }
    },
    stop: () => void pieces.return(undefined),
    bad,
    get entries() {
      return sum.entries;
    },
    get fingerprints() {
      return sum.fingerprints;
    },
  };
}

async function count(run: Run, ledger: LedgerId, from: bigint, to: bigint): Promise<bigint> {
  const [row] = await run<{ entries: string }>(
    "SELECT count(*)::text AS entries FROM public.oc_audit_log WHERE ledger = $1 AND seq BETWEEN $2 AND $3",
    [ledger, String(from), String(to)],
  );
  return BigInt(row?.entries ?? 0);
}

interface ProblemRow {
  readonly seq: string;
  readonly verdict: LedgerVerdict;
  readonly detail: string;
}

/**
 * Names the problems of a range found not intact; at most `limit`. `sql` is `statements.rows`, or `statements.stateRows`,
 * whose rows begin at `lowest`.
 */
export async function nameProblems(
  pool: Pool,
  ledger: LedgerId,
  { from, to }: Range,
  sql: string,
  limit: number,
  lowest = from,
): Promise<LedgerProblem[]> {
  const unnamed = (why: string): LedgerProblem[] => [
    {
      verdict: "UNVERIFIABLE",
      seq: from,
      detail: `something in positions ${from} to ${to} is wrong that cannot be named: ${why}`,
    },
  ];
  try {
    const rows = await inSnapshot(pool, (run) =>
      run<ProblemRow & Record<string, unknown>>(sql, [ledger, String(lowest), String(to), limit]),
    );
    if (rows.length === 0) return unnamed("the quick check and the thorough one disagree");
    return rows.map(({ seq, verdict, detail }) => ({ verdict, seq: BigInt(seq), detail }));
  } catch (error) {
    if (!isDataError(error)) throw error;
    return unnamed(error.message);
  }
}
