import { createHash } from "node:crypto";
import { asError } from "../../errors.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import type { GuardReport } from "../guards.ts";
import { MAX_PROBLEMS } from "../verify/limits.ts";
import { unguardedProblems } from "../verify/verify.ts";
import { within } from "../within.ts";
import type { WatchProblem } from "./problems.ts";
import { backoff } from "./rest.ts";

/** Milliseconds until a report that failed is tried again for the first time. */
const RETRY_MS = 5_000;
/** Milliseconds that a report may take: twice what its transaction has in the database. */
const REPORT_LIMIT_MS = 120_000;

/** What was found about the guards of the database, which concern every ledger. */
export interface GuardFinding {
  /** Counts what was found; 0: the guards have not been verified yet. */
  readonly number: number;
  readonly problems: readonly WatchProblem[];
}

/** The guards as this process has verified them. */
export interface GuardWatch {
  readonly finding: GuardFinding;
  /** When to verify them next, by `performance.now()`. */
  readonly dueAt: number;
  /** That the latest attempt failed: whether the guards are as they were is unknown. Undefined: it did not. */
  readonly failure: LedgerProblem | undefined;
  /** Verifies them. Never rejects: a failure is reported, kept as `failure`, and `dueAt` is soon. Returns whether they were verified. */
  check(): Promise<boolean>;
  /** Resolves once they have been verified since this process started; verifies them for that. Rejects with why that failed. */
  first(): Promise<void>;
}

export interface GuardWatchOptions {
  /** Reads the guards. */
  readonly report: () => Promise<GuardReport>;
  /** Milliseconds between two verifications. */
  readonly intervalMs: number;
  readonly onError: (error: Error) => void;
}

/** Verifies nothing by itself: whoever has it calls `check` when that is due. */
export function createGuardWatch({ report, intervalMs, onError }: GuardWatchOptions): GuardWatch {
  let finding: GuardFinding = { number: 0, problems: [] };
  let verifiedAt: Date | undefined;
  let failure: LedgerProblem | undefined;
  let failures = 0;
  let dueAt = 0;
  let running: Promise<void> | undefined;

  async function verify(): Promise<void> {
    try {
      const problems = shortened(
        unguardedProblems(await within("the report of the guards", REPORT_LIMIT_MS, report())),
      );
      if (finding.number === 0 || textOf(problems) !== textOf(finding.problems)) {
        finding = { number: finding.number + 1, problems };
      }
      verifiedAt = new Date();
      failure = undefined;
      failures = 0;
      dueAt = performance.now() + intervalMs;
    } catch (error) {
      failures += 1;
      failure = failureOf(asError(error), verifiedAt);
      dueAt = performance.now() + backoff(failures, RETRY_MS, intervalMs);
      throw error;
    }
  }

  /** One report at a time: who asks meanwhile shares it. */
  function shared(): Promise<void> {
    running ??= verify().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    get finding() {
      return finding;
    },
    get dueAt() {
      return dueAt;
    },
    get failure() {
      return failure;
    },
    async check() {
      try {
        await shared();
        return true;
      } catch (error) {
        onError(asError(error));
        return false;
      }
    },
    async first() {
      if (finding.number === 0) await shared();
    },
  };
}

const textOf = (problems: readonly WatchProblem[]) => JSON.stringify(problems.map(({ detail }) => detail));

/** At most MAX_PROBLEMS; the last one says how many more there are. */
function shortened(problems: readonly WatchProblem[]): readonly WatchProblem[] {
  if (problems.length <= MAX_PROBLEMS) return problems;
  const named = problems.slice(0, MAX_PROBLEMS - 1);
  // With a digest, so that others of the same number are another problem.
  const rest = createHash("sha256")
    .update(textOf(problems.slice(named.length)))
    .digest("hex");
  const detail = `${problems.length - named.length} more problems of guards (sha256 ${rest}); repair those named first`;
  return [...named, { verdict: "UNGUARDED", seq: undefined, detail }];
}

function failureOf({ message }: Error, verifiedAt: Date | undefined): LedgerProblem {
  const since = verifiedAt === undefined ? "and never were by this server" : `since ${verifiedAt.toISOString()}`;
  const detail = `the guards of the database could not be verified ${since}, which is tried again: ${message}`;
  return { verdict: "UNVERIFIABLE", seq: undefined, detail };
}
