import type { ClientBase, Pool } from "pg";
import { classify } from "../../db/errors.ts";
import { settingsOf } from "../../db/same-connection.ts";
import { GENESIS_HASH, type LedgerHead, type LedgerId } from "../../facts/entry.ts";
import type { FactKey } from "../../facts/signature.ts";
import type { Range } from "../../verify/sequence.ts";
import { inOrder, type LedgerProblem, merge, verdictOf } from "../../verify/verdict.ts";
import { type ByObject, type GuardReport, guardReport } from "../guards.ts";
import { unreadable } from "./check-piece.ts";
import { endProblems, type LedgerEnd, monthProblems, readEnd, rewrittenAt, strayProblems } from "./end.ts";
import { DEFAULT_WORKERS, MAX_PROBLEMS } from "./limits.ts";
import type { Runner } from "./runner.ts";
import { inSnapshot, withConnection } from "./session.ts";
import { openStates } from "./states.ts";
import { type OnProgress, type Swept, startCrew, sweep } from "./sweep.ts";
import { type LedgerVerification, VerificationRangeError } from "./verification.ts";

export interface VerifyOptions {
  /** The public keys of the installation, retired ones too: they verify the signatures of facts. */
  readonly keys: readonly FactKey[];
  /** First position to check; 1 unless given. */
  readonly fromSeq?: bigint;
  /** Last position to check; the end of the ledger at the start of the call unless given. */
  readonly toSeq?: bigint;
  /** Threads to use, each with its own connection. None is used for a small range. */
  readonly workers?: number;
  /** The last head seen, kept outside the database. */
  readonly knownHead?: LedgerHead | undefined;
  /** Heads seen before it, in any order: they narrow down where history was rewritten. */
  readonly earlierHeads?: readonly LedgerHead[] | undefined;
  /** Problems of guards that are accepted, by object. */
  readonly guardExceptions?: ByObject;
  readonly onProgress?: OnProgress;
  /** Why heads that are kept outside the database could not be read. */
  readonly headsUnreadable?: string | undefined;
  /** Checks the pieces, instead of threads that are started for it. It is not closed. */
  readonly runner?: Runner;
  /** Abandons the verification, which then rejects. */
  readonly signal?: AbortSignal;
  /** False: leaves the guards out. */
  readonly guards?: boolean;
  /** Problems that are named at most, the first ones; 100 unless given. */
  readonly maxProblems?: number;
}

/**
 * Verifies `ledger` from its stored bytes, as it is when the call begins; appends may go on meanwhile. Only reads, and
 * needs SELECT on the ledger's tables. `pool` has to be made of a connection string; threads connect as it does.
 *
 * @throws VerificationRangeError when `fromSeq` or `toSeq` is not a position of the ledger.
 */
export async function verifyLedger(pool: Pool, ledger: LedgerId, options: VerifyOptions): Promise<LedgerVerification> {
  const started = performance.now();
  try {
    return await verify(pool, ledger, options, started);
  } catch (error) {
    if (classify(error) !== "corrupt") throw error;
    const { fromSeq = 1n, toSeq = 0n, knownHead } = options;
    return {
      verdict: "UNVERIFIABLE",
      fromSeq,
      toSeq,
      checkedEntries: 0n,
      head: knownHead ?? { seq: 0n, hash: GENESIS_HASH },
      problems: [{ verdict: "UNVERIFIABLE", seq: undefined, detail: unreadable(error) }],
      durationMs: Math.round(performance.now() - started),
    };
  }
}

async function verify(
  pool: Pool,
  ledger: LedgerId,
  options: VerifyOptions,
  started: number,
): Promise<LedgerVerification> {
  const seen = inSequence([...(options.earlierHeads ?? []), ...(options.knownHead ? [options.knownHead] : [])]);
  const guards = options.guards === false ? { problems: [] } : await guardReport(pool, options.guardExceptions);
  const { end, range, months, rewritten, swept } = await withConnection(
    pool,
    async (client) => {
      // Entries do not change, so they need not be read at this moment: where the ledger ends and state rows do.
      const { cursor, ...known } = await inSnapshot(client, async (run) => {
        const end = await readEnd(run, ledger);
        const range = requestedRange(end, options, seen.at(-1));
        const inside = seen.filter(({ seq }) => seq >= range.from && seq <= range.to);
        const cursor = await openStates(client, ledger, range, range.from === 1n && range.to === end.last);
        const months = range.to >= end.last ? await monthProblems(run, ledger) : [];
        return { end, range, cursor, months, rewritten: await rewrittenAt(run, ledger, inside) };
      });
      const swept = await sweepRange(pool, client, ledger, known.range, cursor, options);
      await cursor.close();
      return { ...known, swept };
    },
    options.signal,
  );

  const unguarded = unguardedProblems(guards);
  const found = inOrder([
    ...(range.to >= end.last ? endProblems(end, seen.at(-1)) : []),
    ...(range.from === 1n ? strayProblems(end) : []),
    ...months,
    ...(rewritten === undefined ? [] : [rewritten]),
    ...(options.headsUnreadable === undefined ? [] : [headsProblem(options.headsUnreadable)]),
    ...merge(swept.problems),
  ]);
  const problems = atMost(options.maxProblems ?? MAX_PROBLEMS, found, unguarded);
  return {
    verdict: verdictOf(problems, swept.entries),
    fromSeq: range.from,
    toSeq: range.to,
    checkedEntries: swept.entries,
    head: end.head ?? { seq: 0n, hash: GENESIS_HASH },
    problems,
    durationMs: Math.round(performance.now() - started),
  };
}

/** Weakened guards as problems of a ledger. */
export function unguardedProblems({ problems }: Pick<GuardReport, "problems">): readonly LedgerProblem[] {
  return problems.map(({ object, problem }) => ({
    verdict: "UNGUARDED",
    seq: undefined,
    detail: `${object}: ${problem}`,
  }));
}

/** What cannot be verified without the heads that are kept outside the database. */
export function headsProblem(detail: string): LedgerProblem {
  return { verdict: "UNVERIFIABLE", seq: undefined, detail };
}

async function sweepRange(
  pool: Pool,
  client: ClientBase,
  ledger: LedgerId,
  range: Range,
  cursor: Awaited<ReturnType<typeof openStates>>,
  { keys, workers = DEFAULT_WORKERS, onProgress, runner, maxProblems: limit = MAX_PROBLEMS }: VerifyOptions,
): Promise<Swept> {
  if (runner !== undefined) return sweep({ runners: [runner], keys, limit }, ledger, range, cursor, onProgress);
  const crew = startCrew(client, await settingsOf(pool, client), range, { workers: Math.max(1, workers), keys });
  try {
    return await sweep({ ...crew, limit }, ledger, range, cursor, onProgress);
  } finally {
    await crew.close();
  }
}

const inSequence = (heads: readonly LedgerHead[]) =>
  heads.toSorted((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0));

/** The positions to check. Those that the ledger is known to have had are positions, even when it has them no more. */
function requestedRange(
  end: LedgerEnd,
  { fromSeq = 1n, toSeq }: Pick<VerifyOptions, "fromSeq" | "toSeq">,
  seen: LedgerHead | undefined,
): Range {
  const reach = [end.last, end.head?.seq ?? 0n, end.trace, seen?.seq ?? 0n].reduce((a, b) => (a > b ? a : b));
  if (fromSeq < 1n) throw new VerificationRangeError("positions begin at 1", ["fromSeq"]);
  if (toSeq !== undefined && toSeq < fromSeq) throw new VerificationRangeError("toSeq comes before fromSeq", ["toSeq"]);
  if (toSeq !== undefined && toSeq > reach) throw new VerificationRangeError(`the ledger ends at ${reach}`, ["toSeq"]);
  if (fromSeq > 1n && fromSeq > reach) throw new VerificationRangeError(`the ledger ends at ${reach}`, ["fromSeq"]);
  return { from: fromSeq, to: toSeq === undefined || toSeq > end.last ? end.last : toSeq };
}

/** Problems of the guards are reported however many entries are wrong. */
function atMost(
  most: number,
  found: readonly LedgerProblem[],
  unguarded: readonly LedgerProblem[],
): readonly LedgerProblem[] {
  return [...found.slice(0, most - Math.min(unguarded.length, 10)), ...unguarded].slice(0, most);
}
