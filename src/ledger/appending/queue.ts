import { randomUUID } from "node:crypto";
import { classify } from "../../db/errors.ts";
import { DraftRejectedError, type LedgerUnavailability, LedgerUnavailableError } from "../errors.ts";
import { within } from "../within.ts";
import type { Draft, DraftOutcome } from "./call.ts";
import { meaningOf, rejectsDraft } from "./failure.ts";
import { type Grouped, halves, sizeOf, wholeGroups } from "./groups.ts";
import type { Link } from "./links.ts";

/** Drafts and UTF-16 code units of text one transaction may hold; a draft or group that has more goes by itself. */
const MAX_BATCH = 512;
const MAX_BATCH_SIZE = 4 * 1024 * 1024;
/** Drafts that may be appended together. */
const MAX_TOGETHER = 128;
/** Drafts from which on a batch is sent while another one is under way: fewer are better off in one transaction later. */
const MIN_OVERLAP = 24;
/** UTF-16 code units of text that may wait in one queue: a few large drafts weigh as much as many small ones. */
const MAX_WAITING_SIZE = 64 * 1024 * 1024;
/** Milliseconds that one call of the database may take, from taking a connection to the answer, if not said otherwise. */
const CALL_LIMIT = 12_000;
/** Milliseconds after the first call in which the truth about a commit of unknown outcome is looked for, the same way. */
const RECOVERY_LIMIT = 10_000;
/** Milliseconds between two attempts to learn it: the shortest and the longest. */
const FIRST_DELAY = 20;
const MAX_DELAY = 500;
const RETRY_AFTER_SECONDS = 1;
/** What does not answer in time. */
const DATABASE = "the database";
const HEAD_STAYED_LOCKED = "another session of the database holds the head of the ledger; nothing was recorded";
const HEAD_IS_WRONG =
  "the head of the ledger is missing or does not fit its entries; nothing was recorded. Verify the ledger";

export interface AppendQueueOptions {
  /** Records a batch in one transaction. `call` is a UUID of its own each time. */
  readonly append: (drafts: readonly Draft[], call: string) => Promise<readonly DraftOutcome[]>;
  /**
   * The same after a commit of unknown outcome: what stands behind position `after` already is found, not repeated, and
   * `call`, should it still be under way, records nothing.
   */
  readonly appendAgain: (drafts: readonly Draft[], after: bigint, call: string) => Promise<readonly DraftOutcome[]>;
  /** Drafts that may wait before callers are turned away. */
  readonly capacity: number;
  /** Position of the head when the queue was made; drafts of this process come behind it. */
  readonly head: bigint;
  /** Whether a second batch may take a connection while one is under way. Left out: it may. */
  readonly mayOverlap?: () => boolean;
  /** Called with each batch that `append` recorded: the entry it follows, and its last one. */
  readonly onRecorded?: (before: Link, end: Link) => void;
  readonly onBatch?: (size: number, seconds: number) => void;
  /**
   * Milliseconds after which a call that has not returned counts as one of unknown outcome. What waits behind it is refused
   * after `callLimitMs` and `recoveryLimitMs` together, so no caller waits longer than twice that.
   */
  readonly callLimitMs?: number;
  /** Milliseconds in which an unknown outcome is looked for before callers get UNKNOWN. */
  readonly recoveryLimitMs?: number;
}

/** A batch that may have been recorded already. */
interface Recovery {
  /** The call with the unknown outcome. */
  readonly call: string;
  /** Position behind which its drafts are looked for. */
  readonly after: bigint;
  /** When to give up, as of `performance.now()`. */
  readonly deadline: number;
  readonly cause: unknown;
}

interface Waiting extends Grouped {
  /** When it has to be sent, as of `performance.now()`. */
  readonly sendBy: number;
  readonly resolve: (outcome: DraftOutcome) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Group commit for one ledger: drafts that arrive while a transaction runs share the next. There is no timer, so a lone
 * caller never waits for company. Under load two batches are under way, each with half of what there is: the database works
 * on one while this process prepares the other, and the lock of the ledger's head keeps them apart.
 *
 * Invariants: a caller is answered only after COMMIT (or when nothing of its draft was written); drafts of callers that did
 * not wait for each other may be recorded in either order; drafts appended together are recorded in one transaction and in
 * their order, unless the database rejects one of them; what waits is bounded, and so is how long it waits.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  #waiting: Waiting[] = [];
  #waitingSize = 0;
  /** Loops that send one batch after the other: none, one, or under load two. */
  #loops = 0;
  /** Drafts under way, of all loops. */
  #sent = 0;
  /** Drafts not sent yet come behind this position. */
  #floor: bigint;
  #idle: (() => void)[] = [];
  readonly #callLimitMs: number;
  readonly #recoveryLimitMs: number;
  /** Runs while anything waits. */
  #expiry: NodeJS.Timeout | undefined;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
    this.#callLimitMs = options.callLimitMs ?? CALL_LIMIT;
    this.#recoveryLimitMs = options.recoveryLimitMs ?? RECOVERY_LIMIT;
    this.#floor = options.head;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Resolves when the draft is committed, or was refused alone. Rejects when nothing of it was written. */
  append(draft: Draft): Promise<DraftOutcome> {
    return this.#push([draft])[0] as Promise<DraftOutcome>;
  }

  /** The same for each of `drafts`, which one transaction records in this order. At most MAX_TOGETHER. */
  appendTogether(drafts: readonly Draft[]): Promise<readonly PromiseSettledResult<DraftOutcome>[]> {
    if (drafts.length > MAX_TOGETHER) throw new Error(`${drafts.length} drafts are more than ${MAX_TOGETHER}`);
    return Promise.allSettled(this.#push(drafts));
  }

  /** Adds all of `drafts` to the queue as one group, or none. A group larger than the queue's limits is accepted by an empty queue. */
  #push(drafts: readonly Draft[]): readonly Promise<DraftOutcome>[] {
    const size = drafts.reduce((sum, draft) => sum + sizeOf(draft), 0);
    const full = this.#waiting.length + drafts.length > this.#options.capacity;
    if (this.#waiting.length > 0 && (full || this.#waitingSize + size > MAX_WAITING_SIZE)) {
      const message = `${this.#waiting.length} entries wait to be recorded; try again in ${RETRY_AFTER_SECONDS} s`;
      return drafts.map(() => Promise.reject(new LedgerUnavailableError(message, RETRY_AFTER_SECONDS)));
    }
    const group = {};
    const sendBy = performance.now() + this.#callLimitMs + this.#recoveryLimitMs;
    const outcomes = drafts.map(
      (draft) =>
        new Promise<DraftOutcome>((resolve, reject) => this.#waiting.push({ draft, group, sendBy, resolve, reject })),
    );
    this.#waitingSize += size;
    this.#expireLater();
    if (this.#loops === 0 || this.#overlaps()) this.#start();
    return outcomes;
  }

  /** Resolves when everything that waits has been answered. */
  async drain(): Promise<void> {
    if (this.#loops > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #overlaps(): boolean {
    return this.#loops === 1 && this.#waiting.length >= MIN_OVERLAP && this.#options.mayOverlap?.() !== false;
  }

  #start(): void {
    this.#loops += 1;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && (this.#loops === 1 || this.#waiting.length + this.#sent >= 2 * MIN_OVERLAP)) {
      const batch = this.#take();
      this.#sent += batch.length;
      if (this.#overlaps()) this.#start();
      const started = performance.now();
      await this.#write(batch);
      this.#sent -= batch.length;
      this.#options.onBatch?.(batch.length, (performance.now() - started) / 1000);
      // The callers just answered get to run first: what they append now joins the next batch.
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#expire();
    }
    this.#loops -= 1;
    if (this.#loops > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** What the next transaction records: all that waits, or so much that both loops have as many. Never a part of a group. */
  #take(): Waiting[] {
    const all = this.#waiting.length;
    const shared = this.#loops > 1 || (all >= 2 * MIN_OVERLAP && this.#options.mayOverlap?.() !== false);
    const most = Math.min(MAX_BATCH, shared ? Math.ceil((all + this.#sent) / 2) : all);
    const { count, size } = wholeGroups(this.#waiting, most, MAX_BATCH_SIZE);
    this.#waitingSize -= size;
    return this.#waiting.splice(0, count);
  }

  /** Sees to it that drafts which are not sent in time, because the database is stuck with those before them, are refused. */
  #expireLater(): void {
    const [first] = this.#waiting;
    if (this.#expiry !== undefined || first === undefined) return;
    this.#expiry = setTimeout(
      () => {
        this.#expiry = undefined;
        this.#expire();
        this.#expireLater();
      },
      Math.max(1, first.sendBy - performance.now()),
    );
    this.#expiry.unref();
  }

  #expire(): void {
    const now = performance.now();
    // Those of a group have the same time, and the oldest come first.
    const kept = this.#waiting.findIndex(({ sendBy }) => sendBy > now);
    const late = this.#waiting.splice(0, kept === -1 ? this.#waiting.length : kept);
    for (const { draft } of late) this.#waitingSize -= sizeOf(draft);
    this.#fail(late, "the database did not record what came before this in time; nothing was recorded", undefined);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    // Drafts of this batch come behind it, however often they are tried.
    const after = this.#floor;
    const call = randomUUID();
    try {
      this.#answer(batch, await within(DATABASE, this.#callLimitMs, this.#options.append(draftsOf(batch), call)));
    } catch (error) {
      switch (meaningOf(error)) {
        case "unknown":
          await pause(FIRST_DELAY);
          return this.#recover(batch, {
            call,
            after,
            deadline: performance.now() + this.#recoveryLimitMs,
            cause: error,
          });
        case "refused":
          if (batch.length === 1) return this.#reject(batch, error);
          for (const half of halves(batch)) await this.#write(half);
          return;
        case "locked":
          return this.#fail(batch, HEAD_STAYED_LOCKED, error, "NOTHING", "LEDGER_LOCKED");
        case "corrupt":
          return this.#fail(batch, HEAD_IS_WRONG, error, "NOTHING", "LEDGER_CORRUPT");
        case "nothing":
          this.#fail(batch, "the ledger cannot be written now; nothing was recorded", error);
      }
    }
  }

  /**
   * It is not known whether the batch was recorded: asks until the database can say which drafts it holds, and writes the
   * rest. Nothing of the batch is given to `append` from here on: it would record again what is recorded already.
   */
  async #recover(batch: readonly Waiting[], recovery: Recovery): Promise<void> {
    const { after, call } = recovery;
    for (let delay = FIRST_DELAY; ; delay = Math.min(delay * 2, MAX_DELAY)) {
      const left = Math.max(1, recovery.deadline - performance.now());
      try {
        const again = this.#options.appendAgain(draftsOf(batch), after, call);
        return this.#answer(batch, await within(DATABASE, left, again));
      } catch (error) {
        const rejected = rejectsDraft(error);
        if (batch.length > 1 && (rejected || meaningOf(error) === "refused")) {
          for (const half of halves(batch)) await this.#recover(half, recovery);
          return;
        }
        if (rejected) return this.#reject(batch, error);
        if (classify(error) === "disk-full") break;
      }
      if (performance.now() >= recovery.deadline) break;
      await pause(delay);
    }
    const message =
      "the database did not answer while this was being recorded; repeat the call to learn what became of it";
    this.#fail(batch, message, recovery.cause, "UNKNOWN");
  }

  /** Resolves the callers of a batch. Throws, and resolves none, when outcomes and drafts are not as many. */
  #answer(batch: readonly Waiting[], outcomes: readonly DraftOutcome[]): void {
    if (outcomes.length !== batch.length) {
      throw new Error(`the database returned ${outcomes.length} outcomes for ${batch.length} drafts`);
    }
    const recorded = outcomes.filter((outcome) => outcome.refusal === undefined);
    const [first, last] = [recorded[0], recorded.at(-1)];
    // What a retry found may be parted by entries of others.
    if (first !== undefined && last !== undefined && last.seq - first.seq === BigInt(recorded.length - 1)) {
      this.#options.onRecorded?.({ seq: first.seq - 1n, hash: first.prevHash }, { seq: last.seq, hash: last.hash });
    }
    for (const [index, { resolve }] of batch.entries()) {
      const outcome = outcomes[index] as DraftOutcome;
      if (outcome.refusal === undefined && outcome.seq > this.#floor) this.#floor = outcome.seq;
      resolve(outcome);
    }
  }

  #reject(batch: readonly Waiting[], error: unknown): void {
    for (const { reject } of batch) reject(new DraftRejectedError(error));
  }

  #fail(
    batch: readonly Waiting[],
    message: string,
    cause: unknown,
    outcome?: LedgerUnavailableError["outcome"],
    code?: LedgerUnavailability,
  ): void {
    for (const { reject } of batch) {
      reject(new LedgerUnavailableError(message, RETRY_AFTER_SECONDS, cause, outcome, code));
    }
  }
}

function draftsOf(batch: readonly Waiting[]): readonly Draft[] {
  return batch.map(({ draft }) => draft);
}

/** Waits about `milliseconds`: processes that lost the same database do not all come back at once. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds * (0.5 + Math.random())));
}
