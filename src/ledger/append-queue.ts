import { classify } from "../db/errors.ts";
import type { Draft, DraftOutcome } from "./append-call.ts";
import { DraftRejectedError, LedgerUnavailableError } from "./errors.ts";

/** Drafts and UTF-16 code units of text one transaction may hold. */
const MAX_BATCH = 512;
const MAX_BATCH_SIZE = 4 * 1024 * 1024;
/** UTF-16 code units of text that may wait in one queue: a few large drafts weigh as much as many small ones. */
const MAX_WAITING_SIZE = 64 * 1024 * 1024;
/** How long the truth about a commit of unknown outcome is looked for, in milliseconds, before callers are told. */
const RECOVERY_LIMIT = 10_000;
const RETRY_AFTER_SECONDS = 1;

export interface AppendQueueOptions {
  /** Records a batch in one transaction. */
  readonly append: (drafts: readonly Draft[]) => Promise<readonly DraftOutcome[]>;
  /** The same after a commit of unknown outcome: what stands behind position `after` already is found, not repeated. */
  readonly appendAgain: (drafts: readonly Draft[], after: bigint) => Promise<readonly DraftOutcome[]>;
  /** Drafts that may wait before callers are turned away. */
  readonly capacity: number;
  /** Position of the head when the queue was made; drafts of this process come behind it. */
  readonly head: bigint;
  readonly onBatch?: (size: number, seconds: number) => void;
}

interface Waiting {
  readonly draft: Draft;
  readonly resolve: (outcome: DraftOutcome) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Group commit for one ledger: drafts that arrive while one transaction runs share the next. There is no timer, so a
 * lone caller never waits for company.
 *
 * Invariants: a caller is answered only after COMMIT (or when nothing of its draft was written); batches of one queue
 * never overlap; what waits is bounded.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  #waiting: Waiting[] = [];
  #waitingSize = 0;
  #running = false;
  /** No draft of this process that is still unanswered stands at or before this position. */
  #floor: bigint;
  #idle: (() => void)[] = [];

  constructor(options: AppendQueueOptions) {
    this.#options = options;
    this.#floor = options.head;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Resolves when the draft is committed, or was refused alone. Rejects when nothing of it was written. */
  append(draft: Draft): Promise<DraftOutcome> {
    const size = draft.body.length + draft.payload.length;
    if (this.#waiting.length >= this.#options.capacity || this.#waitingSize + size > MAX_WAITING_SIZE) {
      const message = `${this.#waiting.length} entries wait to be recorded; try again in ${RETRY_AFTER_SECONDS} s`;
      return Promise.reject(new LedgerUnavailableError(message, RETRY_AFTER_SECONDS));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, resolve, reject });
      this.#waitingSize += size;
      if (!this.#running) {
        this.#running = true;
        setImmediate(() => void this.#run());
      }
    });
  }

  /** Resolves when everything that waits has been answered. */
  async drain(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      const started = performance.now();
      await this.#write(batch);
      this.#options.onBatch?.(batch.length, (performance.now() - started) / 1000);
      // The callers just answered get to run first: what they append now joins the next batch.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): Waiting[] {
    let size = 0;
    let count = 0;
    for (const { draft } of this.#waiting) {
      const more = draft.body.length + draft.payload.length;
      if (count === MAX_BATCH || (count > 0 && size + more > MAX_BATCH_SIZE)) break;
      size += more;
      count += 1;
    }
    this.#waitingSize -= size;
    return this.#waiting.splice(0, count);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const drafts = batch.map((waiting) => waiting.draft);
    try {
      this.#answer(batch, await this.#options.append(drafts));
    } catch (error) {
      switch (classify(error, { committing: true })) {
        case "unknown-commit":
        case "conflict":
          return this.#recover(batch, error);
        case "refused":
        case "bug":
          return this.#isolate(batch, error);
        default:
          this.#fail(batch, "the ledger cannot be written now; nothing was recorded", error);
      }
    }
  }

  /** The connection broke under a commit: asks until the database can say which drafts it holds, and writes the rest. */
  async #recover(batch: readonly Waiting[], cause: unknown): Promise<void> {
    const drafts = batch.map((waiting) => waiting.draft);
    const deadline = performance.now() + RECOVERY_LIMIT;
    for (let delay = 20; performance.now() < deadline; delay = Math.min(delay * 2, 500)) {
      await new Promise((resolve) => setTimeout(resolve, delay * (0.5 + Math.random())));
      try {
        return this.#answer(batch, await this.#options.appendAgain(drafts, this.#floor));
      } catch (error) {
        const meaning = classify(error, { committing: true });
        if (meaning === "refused" || meaning === "bug") return this.#isolate(batch, error);
        if (meaning === "disk-full") break;
      }
    }
    const message = "the database went away while this was being recorded; repeat the call to learn what became of it";
    this.#fail(batch, message, cause, "UNKNOWN");
  }

  /** Halves the batch until the draft that cannot be recorded stands alone, and refuses that one. */
  async #isolate(batch: readonly Waiting[], error: unknown): Promise<void> {
    if (batch.length === 1) {
      batch[0]?.reject(new DraftRejectedError(error));
      return;
    }
    const half = batch.length >> 1;
    await this.#write(batch.slice(0, half));
    await this.#write(batch.slice(half));
  }

  #answer(batch: readonly Waiting[], outcomes: readonly DraftOutcome[]): void {
    batch.forEach((waiting, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined) {
        waiting.reject(new DraftRejectedError(new Error("the database gave no answer for this draft")));
        return;
      }
      if (outcome.refusal === undefined && outcome.seq > this.#floor) this.#floor = outcome.seq;
      waiting.resolve(outcome);
    });
  }

  #fail(batch: readonly Waiting[], message: string, cause: unknown, outcome?: "UNKNOWN"): void {
    for (const { reject } of batch) {
      reject(new LedgerUnavailableError(message, RETRY_AFTER_SECONDS, cause, outcome));
    }
  }
}
