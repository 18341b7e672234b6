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
export type DraftRefusal = "LATE" | "MOVED";

/**
 * Nothing of this draft was written. LATE: its deadline has passed since the caller looked. MOVED: the thing of kind `kind`
 * that it rests on, or moves on from, has another version by now, or has expired. The caller loads again and decides again.
 */
export class DraftRefusedError extends DomainError<DraftRefusal> {
  /** The kind of the thing that has moved; undefined when the draft was late. */
  readonly kind: string | undefined;

  constructor(refusal: string) {
    const late = refusal === "LATE";
    super(late ? "LATE" : "MOVED", late ? "the deadline has passed" : `the ${refusal.toLowerCase()} has moved on`);
    this.kind = late ? undefined : refusal;
  }

  /** Whether a thing of `kind` has moved on. */
  moved(kind: string): boolean {
    return this.kind === kind;
  }
}

/** The database could not make an entry of this draft: a fault of ours, not of its batch companions. */
export class DraftRejectedError extends DomainError<"DRAFT_REJECTED"> {
  constructor(cause: unknown) {
    super("DRAFT_REJECTED", "the database refused this entry", { cause });
  }
}
