import type { Pool } from "pg";
import { GENESIS_HASH, type LedgerHead, type LedgerId } from "../../facts/entry.ts";
import { guardReport } from "../guards.ts";
import { endProblems, type LedgerEnd, readEnd, rewrittenAt } from "./end.ts";
import type { Fingerprints } from "./fingerprints.ts";
import { DEFAULT_WORKERS, MAX_PROBLEMS } from "./limits.ts";
import { createSweep, nameProblems, type Range, type Sweep } from "./ranges.ts";
import { inSnapshot, statements } from "./session.ts";
import { checkStates, lowest } from "./states.ts";
import { inOrder, type LedgerProblem, type LedgerVerification, VerificationRangeError, verdictOf } from "./verdict.ts";

export interface VerifyOptions {
  /** First position to check; 1 unless given. */
  readonly fromSeq?: bigint;
  /** Last position to check; the end of the ledger at the start of the call unless given. */
  readonly toSeq?: bigint;
  /** Connections to use. */
  readonly workers?: number;
  /** The last head seen, kept outside the database. */
  readonly knownHead?: LedgerHead | undefined;
  /** Heads seen before it, in any order: they narrow down where history was rewritten. */
  readonly earlierHeads?: readonly LedgerHead[] | undefined;
  readonly onProgress?: (progress: { readonly checked: bigint; readonly total: bigint }) => void;
}

/**
 * Verifies `ledger` from its stored bytes, as it is when the call begins; appends may go on meanwhile. Reads alone, and
 * needs SELECT on the ledger's tables and on the state rows.
 *
 * @throws VerificationRangeError when `fromSeq` or `toSeq` is not a position of the ledger.
 */
export async function verifyLedger(
  pool: Pool,
  ledger: LedgerId,
  options: VerifyOptions = {},
): Promise<LedgerVerification> {
  const started = performance.now();
  const seen = inSequence([...(options.earlierHeads ?? []), ...(options.knownHead ? [options.knownHead] : [])]);
  const guards = await guardReport(pool);
  const workers = Math.max(1, options.workers ?? DEFAULT_WORKERS);
  const { end, range, states, rewritten, sweep, others } = await inSnapshot(pool, async (run) => {
    const end = await readEnd(run, ledger);
    const range = asked(end, options, seen.at(-1));
    const inside = seen.filter(({ seq }) => seq >= range.from && seq <= range.to);
    // Entries do not change, so the other workers need not share this snapshot: state rows do, and are read in it.
    const sweep = createSweep(pool, ledger, range, options.onProgress);
    const others = Promise.allSettled(Array.from({ length: workers - 1 }, () => sweep.work()));
    try {
      const states = await checkStates(run, ledger, range);
      return { end, range, states, rewritten: await rewrittenAt(run, ledger, inside), sweep, others };
    } catch (error) {
      sweep.stop();
      await others;
      throw error;
    }
  });
  await sweep.work().catch(async (error: unknown) => {
    await others;
    throw error;
  });
  for (const outcome of await others) if (outcome.status === "rejected") throw outcome.reason;

  // The state rows of entries that are gone are told by where the ledger ends.
  const whole = range.from === 1n && range.to === end.head?.seq && end.trace <= end.last;
  const statesToo = !states.intact || !agree(states.fingerprints, sweep.fingerprints, whole);
  const named = await nameAll(pool, ledger, range, sweep, statesToo);
  const unguarded = guards.problems.map(({ object, problem }) => ({
    verdict: "UNGUARDED" as const,
    seq: undefined,
    detail: `${object}: ${problem}`,
  }));
  const found = inOrder([
    ...(range.to >= end.last ? endProblems(end, seen.at(-1)) : []),
    ...(rewritten === undefined ? [] : [rewritten]),
    ...named,
  ]);
  // However many entries are wrong, what is wrong with the guards is told too.
  const problems = [...found.slice(0, MAX_PROBLEMS - Math.min(unguarded.length, 10)), ...unguarded].slice(
    0,
    MAX_PROBLEMS,
  );
  return {
    verdict: verdictOf(problems, sweep.entries),
    fromSeq: range.from,
    toSeq: range.to,
    checkedEntries: sweep.entries,
    head: end.head ?? { seq: 0n, hash: GENESIS_HASH },
    problems,
    durationMs: Math.round(performance.now() - started),
  };
}

const inSequence = (heads: readonly LedgerHead[]) =>
  heads.toSorted((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0));

/** The positions to check. Those that the ledger is known to have had are positions, even when it has them no more. */
function asked(end: LedgerEnd, { fromSeq = 1n, toSeq }: VerifyOptions, seen: LedgerHead | undefined): Range {
  const reach = [end.last, end.head?.seq ?? 0n, end.trace, seen?.seq ?? 0n].reduce((a, b) => (a > b ? a : b));
  if (fromSeq < 1n) throw new VerificationRangeError("positions begin at 1", ["fromSeq"]);
  if (toSeq !== undefined && toSeq < fromSeq) throw new VerificationRangeError("toSeq comes before fromSeq", ["toSeq"]);
  if (toSeq !== undefined && toSeq > reach) throw new VerificationRangeError(`the ledger ends at ${reach}`, ["toSeq"]);
  if (fromSeq > 1n && fromSeq > reach) throw new VerificationRangeError(`the ledger ends at ${reach}`, ["fromSeq"]);
  return { from: fromSeq, to: toSeq === undefined || toSeq > end.last ? end.last : toSeq };
}

/** Of a part of a ledger, only what stands at its positions can be compared, not what things have come to since. */
function agree(rows: Fingerprints, entries: Fingerprints, whole: boolean): boolean {
  if (rows.chains !== entries.chains || rows.sessions !== entries.sessions) return false;
  return !whole || (rows.versions === entries.versions && rows.directory === entries.directory);
}

/** Names what the sweep found wrong and, when asked to, which state rows are. */
async function nameAll(
  pool: Pool,
  ledger: LedgerId,
  range: Range,
  { bad }: Sweep,
  statesToo: boolean,
): Promise<readonly LedgerProblem[]> {
  const problems: LedgerProblem[] = [];
  for (const next of bad.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    if (problems.length >= MAX_PROBLEMS) break;
    problems.push(...(await nameProblems(pool, ledger, next, statements.rows, MAX_PROBLEMS - problems.length)));
  }
  if (!statesToo) return problems;
  const states = await nameProblems(pool, ledger, range, statements.stateRows, MAX_PROBLEMS, lowest(range));
  // An entry that is wrong itself makes the fingerprints differ; it is named already, and no state row is to blame.
  return bad.length > 0 && states.every(({ verdict }) => verdict === "UNVERIFIABLE")
    ? problems
    : [...problems, ...states];
}
