import { DomainError } from "../errors.ts";

/**
 * The ledger cannot take an entry now: the database is away, its disk is full, or the queue is. Whatever the entry was
 * about has not happened. Try again after `retryAfterSeconds`.
 */
export class LedgerUnavailableError extends DomainError<"LEDGER_UNAVAILABLE"> {
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number, cause?: unknown) {
    super("LEDGER_UNAVAILABLE", message, { cause });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Why one draft was refused while others of its batch went through. */
export type DraftRefusal = "VERSION" | "CHAIN";

/**
 * Nothing of this draft was written: VERSION, the action moved on meanwhile; CHAIN, the principal's routing chain did.
 * The caller reads the state again and decides again.
 */
export class DraftRefusedError extends DomainError<DraftRefusal> {
  constructor(refusal: DraftRefusal) {
    super(refusal, refusal === "VERSION" ? "the action has moved on" : "the routing chain has moved on");
  }
}

/** The database could not make an entry of this draft: a fault of ours, not of its batch companions. */
export class DraftRejectedError extends DomainError<"DRAFT_REJECTED"> {
  constructor(cause: unknown) {
    super("DRAFT_REJECTED", "the database refused this entry", { cause });
  }
}
