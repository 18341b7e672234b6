import type { LedgerProblem } from "../../verify/verdict.ts";
import type { KnownHead } from "../heads.ts";
import { MAX_PROBLEMS } from "../verify/limits.ts";

/** Problems of guards that are kept of a ledger at most: many times those of one report. */
const MAX_UNGUARDED = 10 * MAX_PROBLEMS;

/** A problem that the watcher found. */
export interface WatchProblem extends LedgerProblem {
  /** Heads known outside the database that the ledger contradicts, by position: what the problem rests on. */
  readonly heads?: readonly KnownHead[];
  /** Whether entries are recorded all the same: it is unknown whether something is wrong. */
  readonly warning?: boolean;
}

/** A problem as an entry names it: FORMAT.md, LEDGER_ACKNOWLEDGED. */
export interface NamedProblem {
  readonly verdict: string;
  readonly seq?: string | undefined;
  readonly through?: string | undefined;
  readonly detail?: string | undefined;
}

export interface Acknowledgement {
  /** Of its entry. Its signature does not cover its position, so that the same body may be appended again: only the first counts. */
  readonly id: string;
  readonly recordedAt: Date;
  readonly problems: readonly NamedProblem[];
}

/**
 * Verdicts that are about the same thing when they are about the same position: what is missing at the end of a ledger is a gap
 * once it has grown.
 */
const SAME: Readonly<Partial<Record<string, string>>> = { TRUNCATED: "SEQUENCE_GAP", ROLLED_BACK: "SEQUENCE_GAP" };

/** What makes two findings the same problem. */
export function keyOf(problem: WatchProblem): string {
  if (problem.heads !== undefined) return "HEADS";
  return namedKey(problem.verdict, problem.seq === undefined ? problem.detail : String(problem.seq));
}

function namedKey(verdict: string, what: string | undefined): string {
  return `${SAME[verdict] ?? verdict} ${what ?? ""}`;
}

/** As an acknowledgement names it: by its position, or by its detail when it has none. */
export function nameProblem(problem: WatchProblem): NamedProblem {
  const { verdict, seq, detail, heads } = problem;
  const last = heads?.at(-1);
  return {
    verdict,
    ...(seq === undefined ? { detail } : { seq: String(seq) }),
    ...(last === undefined ? {} : { through: String(last.seq) }),
  };
}

/**
 * What is left of `problem` after `acknowledgements`; undefined when nothing is. A head is settled by an acknowledgement of the
 * positions it is among, if it was known when that was recorded: what is cut off afterwards is another problem.
 */
export function unacknowledged(
  problem: WatchProblem,
  acknowledgements: readonly Acknowledgement[],
): WatchProblem | undefined {
  if (problem.heads === undefined) {
    const key = keyOf(problem);
    const named = acknowledgements.some(({ problems }) =>
      problems.some(
        ({ verdict, seq, detail, through }) => through === undefined && namedKey(verdict, seq ?? detail) === key,
      ),
    );
    return named ? undefined : problem;
  }
  const heads = problem.heads.filter((head) => !acknowledgements.some((one) => settles(one, head)));
  return heads.length === 0 ? undefined : { ...problem, heads };
}

/** Whether an acknowledgement is about what a known head shows. */
export function settles({ recordedAt, problems }: Acknowledgement, head: KnownHead): boolean {
  return (
    head.seenAt <= recordedAt &&
    problems.some(
      ({ seq, through }) =>
        seq !== undefined && through !== undefined && BigInt(seq) <= head.seq && head.seq <= BigInt(through),
    )
  );
}

/** The first of `problems`, as many as are kept of one ledger. Those of guards are limited by themselves: others take no room from them. */
export function bounded(problems: readonly WatchProblem[]): readonly WatchProblem[] {
  const left = { guards: MAX_UNGUARDED, others: MAX_PROBLEMS };
  return problems.filter(({ verdict }) => left[verdict === "UNGUARDED" ? "guards" : "others"]-- > 0);
}

/** Whether one more is kept of a ledger of which `problems` are. */
export function hasRoom(problems: Iterable<WatchProblem>, { verdict }: WatchProblem): boolean {
  const isOfGuards = verdict === "UNGUARDED";
  let left = isOfGuards ? MAX_UNGUARDED : MAX_PROBLEMS;
  for (const problem of problems) if ((problem.verdict === "UNGUARDED") === isOfGuards) left -= 1;
  return left > 0;
}
