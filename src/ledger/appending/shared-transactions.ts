import type { DatabaseError } from "pg";
import type { LedgerId } from "../../facts/entry.ts";
import type { DraftOutcome, LedgerBatch } from "./call.ts";
import { sizeOf } from "./groups.ts";

/** Transactions under way, of all ledgers together: the database works on one while this process prepares the next. */
const MAX_TRANSACTIONS = 2;
/** Milliseconds after which a transaction no longer counts: it waits for a lock, and others must not wait for it. */
const PATIENCE = 100;
/** Batches that may wait for a locked head, each with a connection of its own; further ones try again and again. */
const MAX_ALONE = 4;
/** Milliseconds between two such attempts. */
const RETRY_AFTER = 5;
/** Milliseconds after which they end: as long as a statement may take, which ends the wait of the others. */
const HEAD_WAIT_LIMIT = 30_000;
/** Ledgers, drafts and UTF-16 code units of text that are enough for one transaction. */
const MAX_LEDGERS = 64;
const MAX_DRAFTS = 512;
const MAX_SIZE = 4 * 1024 * 1024;
/** Drafts from which on what waits is split, so that two transactions are under way. */
const MIN_SPLIT = 48;

export interface SharedTransactionsOptions {
  /** Records one batch in a transaction of its own, however long the head of its ledger is locked. */
  readonly appendOne: (batch: LedgerBatch) => Promise<readonly DraftOutcome[]>;
  /** Records batches in one transaction, each by itself, without waiting for locked heads. */
  readonly appendEach: (
    batches: readonly LedgerBatch[],
  ) => Promise<readonly (readonly DraftOutcome[] | DatabaseError)[]>;
  /** Whether nothing of a batch was recorded for no other reason than that the head of its ledger was locked. */
  readonly headWasLocked: (error: DatabaseError) => boolean;
  /** Milliseconds that a batch tries again for when its head is locked and as many as may wait do. */
  readonly headWaitLimitMs?: number;
}

/** Nothing of a batch was recorded, because the head of its ledger was locked whenever it was tried. */
export class HeadLockedError extends Error {
  override readonly name = "HeadLockedError";
}

interface Waiting {
  readonly batch: LedgerBatch;
  readonly resolve: (outcomes: readonly DraftOutcome[]) => void;
  readonly reject: (error: unknown) => void;
  /** When it was first tried again, as of `performance.now()`. */
  retriedSince?: number;
}

/**
 * Batches of different ledgers that come while transactions are under way share the next one, and with it the flush that a
 * commit waits for. Returns the outcomes of a batch, or rejects with why nothing of it was recorded or is known, as
 * if it had been sent alone. A batch whose head somebody else has locked is sent alone, so that it delays no other ledger.
 */
export function createSharedTransactions(options: SharedTransactionsOptions) {
  const { appendOne, appendEach, headWasLocked, headWaitLimitMs = HEAD_WAIT_LIMIT } = options;
  const waiting: Waiting[] = [];
  let underWay = 0;
  let alone = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || waiting.length === 0 || underWay >= MAX_TRANSACTIONS) return;
    scheduled = true;
    // What other callers add in this turn goes along.
    setImmediate(() => {
      scheduled = false;
      while (waiting.length > 0 && underWay < MAX_TRANSACTIONS) void send(take());
    });
  }

  function take(): readonly Waiting[] {
    const all = waiting.reduce((sum, { batch }) => sum + batch.drafts.length, 0);
    const split = underWay + 1 < MAX_TRANSACTIONS && all >= MIN_SPLIT;
    const most = split ? Math.ceil(all / 2) : MAX_DRAFTS;
    const taken: Waiting[] = [];
    // Of a ledger with two batches that wait, the second one needs the head that the first one leaves.
    const left: Waiting[] = [];
    const ledgers = new Set<LedgerId>();
    let drafts = 0;
    let size = 0;
    for (const item of waiting.splice(0)) {
      const { batch } = item;
      const full = taken.length === MAX_LEDGERS || drafts >= most || size >= MAX_SIZE;
      if (full || ledgers.has(batch.ledger)) {
        left.push(item);
        continue;
      }
      ledgers.add(batch.ledger);
      drafts += batch.drafts.length;
      for (const draft of batch.drafts) size += sizeOf(draft);
      taken.push(item);
    }
    waiting.push(...left);
    return taken;
  }

  async function send(taken: readonly Waiting[]): Promise<void> {
    underWay += 1;
    let counts = true;
    const leave = () => {
      if (!counts) return;
      counts = false;
      underWay -= 1;
      schedule();
    };
    const timer = setTimeout(leave, PATIENCE);
    try {
      await (taken.length === 1 && alone < MAX_ALONE ? sendAlone(taken[0]!) : sendTogether(taken));
    } finally {
      clearTimeout(timer);
      leave();
    }
  }

  async function sendAlone({ batch, resolve, reject }: Waiting): Promise<void> {
    alone += 1;
    try {
      resolve(await appendOne(batch));
    } catch (error) {
      reject(error);
    } finally {
      alone -= 1;
    }
  }

  async function sendTogether(taken: readonly Waiting[]): Promise<void> {
    try {
      const results = await appendEach(taken.map(({ batch }) => batch));
      for (const [index, item] of taken.entries()) {
        const result = results[index]!;
        if (!(result instanceof Error)) item.resolve(result);
        else if (headWasLocked(result)) waitForHead(item);
        else item.reject(result);
      }
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
  }

  function waitForHead(item: Waiting): void {
    if (alone < MAX_ALONE) return void sendAlone(item);
    item.retriedSince ??= performance.now();
    if (performance.now() - item.retriedSince >= headWaitLimitMs) {
      item.reject(new HeadLockedError(`the head of ledger ${item.batch.ledger} stayed locked; nothing was recorded`));
      return;
    }
    setTimeout(() => {
      waiting.push(item);
      schedule();
    }, RETRY_AFTER);
  }

  return {
    append: (batch: LedgerBatch): Promise<readonly DraftOutcome[]> =>
      new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        schedule();
      }),
  };
}
