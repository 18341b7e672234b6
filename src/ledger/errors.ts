import { DomainError } from "../errors.ts";

/**
 * The ledger cannot take an entry now: the database is away, its disk is full, or the queue is. Try again after
 * `retryAfterSeconds`. `outcome` says what is known of the entry: NOTHING was recorded, so what it was about has not
 * happened; or UNKNOWN, because the database went away under the commit and did not come back in time to be asked.
 */
export class LedgerUnavailableError extends DomainError<"LEDGER_UNAVAILABLE"> {
  readonly retryAfterSeconds: number;
  readonly outcome: "NOTHING" | "UNKNOWN";

  constructor(
    message: string,
    retryAfterSeconds: number,
    cause?: unknown,
    outcome: LedgerUnavailableError["outcome"] = "NOTHING",
  ) {
    super("LEDGER_UNAVAILABLE", message, { cause });
    this.retryAfterSeconds = retryAfterSeconds;
    this.outcome = outcome;
  }
}

/** Why one draft was refused while others of its batch went through. */
export type DraftRefusal = "VERSION" | "CHAIN" | "SESSION" | "LATE";

const REFUSALS: Readonly<Record<DraftRefusal, string>> = {
  VERSION: "the action, session or directory has moved on",
  CHAIN: "the routing chain has moved on",
  SESSION: "the session is not open",
  LATE: "the deadline has passed",
};

/**
 * Nothing of this draft was written: VERSION, the action, session or thing of the directory moved on meanwhile; CHAIN, the
 * principal's routing chain did; SESSION, the session it names is unknown, ended or expired; LATE, a deadline has passed
 * since the caller looked. The caller reads the state again and decides again.
 */
export class DraftRefusedError extends DomainError<DraftRefusal> {
  constructor(refusal: DraftRefusal) {
    super(refusal, REFUSALS[refusal]);
  }
}

/** The database could not make an entry of this draft: a fault of ours, not of its batch companions. */
export class DraftRejectedError extends DomainError<"DRAFT_REJECTED"> {
  constructor(cause: unknown) {
    super("DRAFT_REJECTED", "the database refused this entry", { cause });
  }
}
