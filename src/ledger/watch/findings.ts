import { asError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { LedgerUnavailableError } from "../errors.ts";
import type { Queryable } from "../read.ts";
import type { IsSigned } from "../signatures/check.ts";
import { within } from "../within.ts";
import { readAcknowledgements } from "./acknowledgements.ts";
import { type ProblemStore, ProblemsUnreadableError } from "./problem-store.ts";
import { bounded, keyOf, unacknowledged, type WatchProblem } from "./problems.ts";
import type { LedgerHealth, Watched } from "./watched.ts";

/** People have to look into it first. */
const RETRY_AFTER_SECONDS = 60;
/** Milliseconds that are waited for problems to be on disk. */
const KEEP_LIMIT_MS = 30_000;

/**
 * The verification that found a problem; `call`: none of them, but a call that read a row for a decision; `earlier`: one of another
 * process, before this one started.
 */
export type WatchPass = "new entries" | "end" | "guards" | "whole ledger" | "call" | "earlier";

export interface FindingsOptions {
  readonly pool: Queryable;
  /** Where problems outlast this process. */
  readonly problemStore: ProblemStore;
  /** Whether a server of this installation signed an entry: no other acknowledgement counts. */
  readonly isSigned: IsSigned;
  /** Whether a problem keeps entries from being recorded; otherwise it is only reported. */
  readonly stops: boolean;
  /** Called with each problem when it is found first, and with what found it. */
  readonly onFound: (ledger: LedgerId, problem: WatchProblem, by: WatchPass) => void;
  /** Called when an acknowledgement was taken in. */
  readonly onAcknowledged: (ledger: LedgerId) => void;
  readonly onError: (error: Error, ledger: LedgerId) => void;
}

/** What was found in ledgers, less what was acknowledged there. */
export interface Findings {
  note(watched: Watched, problems: readonly WatchProblem[], by: WatchPass): Promise<void>;
  /** Notes what was found before this process started. Rejects when the acknowledgements cannot be read. */
  restore(watched: Watched): Promise<void>;
  /** Reads acknowledgements that were recorded since. Rejects when they cannot be read. */
  settle(watched: Watched): Promise<void>;
  /** Whether an entry that was read already acknowledges `problem`. */
  isAcknowledged(watched: Watched, problem: WatchProblem): boolean;
  health(watched: Watched): LedgerHealth;
  /** Why nothing is recorded in the ledger. */
  refusal(watched: Watched): LedgerUnavailableError | undefined;
}

/** Keeps what was found in memory and in the store, which a failure of is reported by `onError` and stops nobody. */
export function createFindings(options: FindingsOptions): Findings {
  const { pool, problemStore, isSigned, stops, onFound, onAcknowledged, onError } = options;

  async function read(watched: Watched): Promise<boolean> {
    const { found, last } = await readAcknowledgements(
      { db: pool, isSigned },
      watched.ledger,
      watched.acknowledgedTo ?? 0n,
    );
    const known = new Set(watched.acknowledgements.map(({ id }) => id));
    const fresh = found.filter(({ id }, at) => !known.has(id) && found.findIndex((one) => one.id === id) === at);
    watched.acknowledgements = [...watched.acknowledgements, ...fresh];
    watched.acknowledgedTo = last;
    return fresh.length > 0;
  }

  /** Brings what is kept up to date: with `found` and the problems known here, and without those that are acknowledged. */
  async function keep(watched: Watched, found: readonly WatchProblem[] = []): Promise<void> {
    try {
      const changed = problemStore.change(watched.ledger, (kept) => {
        const known = [...watched.problems, ...found].filter(({ warning }) => warning !== true);
        const keys = new Set(known.map(keyOf));
        const others = kept.filter((problem) => !keys.has(keyOf(problem)));
        const all = [...known, ...others];
        return bounded(watched.acknowledgedTo === undefined ? all : left(watched, all));
      });
      // Another process may hold the directory, for as long as it does not run.
      await within(`the directory of problems of ledger ${watched.ledger}`, KEEP_LIMIT_MS, changed);
    } catch (error) {
      // The ledger is stopped all the same, until this process ends.
      onError(asError(error), watched.ledger);
    }
  }

  function left({ acknowledgements }: Watched, problems: readonly WatchProblem[]): readonly WatchProblem[] {
    return problems.flatMap((problem) => unacknowledged(problem, acknowledgements) ?? []);
  }

  const health = (watched: Watched): LedgerHealth => {
    const problems = watched.problems.map(({ verdict, seq, detail }) => ({ verdict, seq, detail }));
    const condition = problems.length === 0 ? "OK" : stops && watched.isTroubled ? "STOPPED" : "SUSPECT";
    return {
      ledger: watched.ledger,
      condition,
      verifiedTo: watched.verified.seq,
      checkedAt: watched.checkedAt,
      problems,
    };
  };

  async function note(watched: Watched, problems: readonly WatchProblem[], by: WatchPass): Promise<void> {
    const fresh = left(watched, problems).filter((problem) => !watched.knows(problem));
    if (fresh.length === 0) return;
    // At once, so that they are not lost when the process is killed meanwhile.
    const kept = keep(watched, fresh);
    try {
      await read(watched);
    } catch (error) {
      // What is not known to be acknowledged counts as not acknowledged.
      onError(asError(error), watched.ledger);
    }
    for (const problem of fresh) {
      const added = watched.add(problem);
      if (added !== undefined) onFound(watched.ledger, added, by);
    }
    watched.changed();
    await kept;
    if (left(watched, fresh).length < fresh.length) await keep(watched);
  }

  /** What is kept; a file that cannot be read is a problem, too. */
  async function kept(ledger: LedgerId): Promise<readonly WatchProblem[]> {
    try {
      return await problemStore.read(ledger);
    } catch (error) {
      if (!(error instanceof ProblemsUnreadableError)) throw error;
      return [{ verdict: "UNVERIFIABLE", seq: undefined, detail: error.message }];
    }
  }

  return {
    note,
    async restore(watched) {
      const problems = await kept(watched.ledger);
      if (problems.length === 0) return;
      await read(watched);
      await note(watched, problems, "earlier");
      await keep(watched);
    },
    async settle(watched) {
      await read(watched);
      if (!watched.settle()) return;
      await keep(watched);
      onAcknowledged(watched.ledger);
      watched.changed();
    },
    isAcknowledged: (watched, problem) => left(watched, [problem]).length === 0,
    health,
    refusal(watched) {
      if (health(watched).condition !== "STOPPED") return undefined;
      const first = watched.problems.find(({ warning }) => warning !== true);
      const where = first?.seq === undefined ? "" : ` at position ${first.seq}`;
      const message =
        `ledger ${watched.ledger} is stopped (${first?.verdict}${where}): nothing is recorded until an administrator has looked ` +
        "into it and calls acknowledgeLedger";
      return new LedgerUnavailableError(message, RETRY_AFTER_SECONDS, undefined, "NOTHING", "LEDGER_STOPPED");
    },
  };
}
