import { DomainError } from "../errors.ts";
import type { LedgerId } from "../facts/entry.ts";

/** Somebody has to repair a damaged ledger; callers need not try more often than this. */
const RETRY_AFTER_SECONDS = 60;

/**
 * LEDGER_UNAVAILABLE: any reason but these. LEDGER_LOCKED: another session of the database holds the head. LEDGER_CORRUPT: the
 * head is missing or wrong. LEDGER_STOPPED: the ledger was found changed or unguarded, and nobody acknowledged that. CLOCK_SKEWED: the clocks, or the date of the last entry, do not allow to judge deadlines.
 */
export type LedgerUnavailability =
  | "LEDGER_UNAVAILABLE"
  | "LEDGER_LOCKED"
  | "LEDGER_CORRUPT"
  | "LEDGER_STOPPED"
  | "CLOCK_SKEWED";

/**
 * The ledger cannot record an entry now: the database is unavailable, its disk is full, or the queue is full. Retry after
 * `retryAfterSeconds`. `outcome` is NOTHING when nothing was recorded, or UNKNOWN when the connection was lost during the
 * commit and could not be restored in time to find out.
 */
export class LedgerUnavailableError extends DomainError<LedgerUnavailability> {
  readonly retryAfterSeconds: number;
  readonly outcome: "NOTHING" | "UNKNOWN";

  constructor(
    message: string,
    retryAfterSeconds: number,
    cause?: unknown,
    outcome: LedgerUnavailableError["outcome"] = "NOTHING",
    code: LedgerUnavailability = "LEDGER_UNAVAILABLE",
  ) {
    super(code, message, { cause });
    this.retryAfterSeconds = retryAfterSeconds;
    this.outcome = outcome;
  }
}

/**
 * What is stored of `ledger` contradicts its entries, so that nothing can be decided on it: somebody changed the database. Code
 * LEDGER_CORRUPT. Whoever catches one passes it to `Ledgers.damaged`.
 */
export class LedgerDamagedError extends LedgerUnavailableError {
  readonly ledger: LedgerId;
  readonly what: string;

  /** `what` is a clause without a full stop. */
  constructor(ledger: LedgerId, what: string, cause?: unknown) {
    const message = `ledger ${ledger} is damaged: ${what}. Nothing was recorded; verify the ledger`;
    super(message, RETRY_AFTER_SECONDS, cause, "NOTHING", "LEDGER_CORRUPT");
    this.ledger = ledger;
    this.what = what;
  }
}

/** Why one draft was refused while others of its batch were recorded. */
export type DraftRefusal = "LATE" | "MOVED";

/**
 * Nothing of this draft was written. LATE: its deadline has passed meanwhile. MOVED: the state of kind `kind` that it changes
 * or depends on has another version, or has expired; WINDOW: a window that it was evaluated by came to something else. The caller loads fresh
 * state and decides again.
 */
export class DraftRefusedError extends DomainError<DraftRefusal> {
  /** The kind of the state that has changed; undefined when the draft was late. */
  readonly kind: string | undefined;

  constructor(refusal: string) {
    const late = refusal === "LATE";
    super(late ? "LATE" : "MOVED", late ? "the deadline has passed" : `the ${refusal.toLowerCase()} has moved on`);
    this.kind = late ? undefined : refusal;
  }

  /** Whether a state of `kind` has changed. */
  moved(kind: string): boolean {
    return this.kind === kind;
  }
}

/** The database refused this draft because of its content, not because of other drafts of its batch. A fault in the server. */
export class DraftRejectedError extends DomainError<"DRAFT_REJECTED"> {
  constructor(cause: unknown) {
    super("DRAFT_REJECTED", "the database refused this entry", { cause });
  }
}
