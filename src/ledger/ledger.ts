import type { Pool } from "pg";
import { assertMilliseconds } from "../db/time-limits.ts";
import type { JsonObject } from "../facts/canonical.ts";
import type { Sealed, UnsealedObject } from "../facts/commitment.ts";
import { bodyOf, type EncodedFact, encode } from "../facts/encode.ts";
import { entryText, type LedgerEntry, type LedgerId } from "../facts/entry.ts";
import { SYSTEM_ACTOR } from "../facts/envelope.ts";
import { parseJson } from "../facts/parse-json.ts";
import type { Payload } from "../facts/payload.ts";
import { inSpan } from "../telemetry.ts";
import type { LedgerProblem } from "../verify/verdict.ts";
import { createAnnouncer } from "./announce.ts";
import { callAppend, callAppendAgain, callAppendEach, type DraftOutcome, HEAD_LOCKED } from "./appending/call.ts";
import { isCorrupt } from "./appending/failure.ts";
import { AppendQueue } from "./appending/queue.ts";
import { createSharedTransactions } from "./appending/shared-transactions.ts";
import { DraftRefusedError, type LedgerDamagedError, LedgerUnavailableError } from "./errors.ts";
import { createFaults, type FaultsOptions } from "./faults.ts";
import type { FactSigner } from "./signatures/signer.ts";
import type { WindowCondition } from "./windows.ts";
import { within } from "./within.ts";

export interface AppendOptions {
  /** The deadline the caller found still ahead: judged again, by the database's clock, in the transaction that records. */
  readonly notAfter?: Date | undefined;
  /** What windows came to: judged again in that transaction, behind what is recorded before. */
  readonly windows?: readonly WindowCondition[] | undefined;
  /** Whether it is recorded although the ledger is stopped. For what ends that, and nothing else. */
  readonly whenStopped?: boolean | undefined;
}

/** Idle queues that are kept. A ledger without a queue reads its head from the database before its next append. */
const MAX_IDLE_QUEUES = 256;
/** Milliseconds that an append waits for the first verification of its ledger, which goes on for the next one. */
const ADMISSION_LIMIT_MS = 12_000;
/** Batches under way from which on no ledger sends a second one: connections are better used by other ledgers. */
const MAX_OVERLAPPING = 4;

/** The ledgers of one process: every append of a process goes through here, so that callers share transactions. */
export interface Ledgers {
  /**
   * Records one fact and returns the entry, after COMMIT. `body` has no `id`; a new UUIDv7 is added.
   * Throws DraftRefusedError (nothing was written: read the state and decide again), LedgerUnavailableError, or
   * DraftRejectedError (this draft can never be recorded).
   */
  append(ledger: LedgerId, body: UnsealedObject, options?: AppendOptions): Promise<LedgerEntry>;
  /**
   * Records several facts, at most 128, in one transaction and in this order, each judged by itself like one of `append`:
   * returns the entry of each, or why nothing of it was written. A fact that can never be recorded (DraftRejectedError)
   * parts the others, which are then recorded in several transactions.
   */
  appendTogether(
    ledger: LedgerId,
    facts: readonly (AppendOptions & { readonly body: UnsealedObject })[],
  ): Promise<readonly PromiseSettledResult<LedgerEntry>[]>;
  /** Creates the ledger with its LEDGER_CREATED entry unless it is there, or is stopped. */
  ensure(ledger: LedgerId): Promise<void>;
  /**
   * Throws why nothing can be recorded in the ledger now, as far as this process knows: for what is done outside before it is recorded. Of a
   * ledger that nobody used here yet, the watcher is waited for.
   */
  assertRecording(ledger: LedgerId): Promise<void>;
  /**
   * Notes that a call found stored rows that contradict the entries: it is logged, and `ready` reports it until it is acknowledged.
   * Nothing happens when it already is. Returns `error`, for that call.
   */
  damaged(error: LedgerDamagedError): LedgerDamagedError;
  /** Drafts that wait, over all ledgers. */
  waiting(): number;
  /**
   * Whether appends go through now: `heads` is false while the head of a ledger in use is damaged or locked, or damage was noted
   * that nobody has acknowledged; `clock` while a clock or the date of a last entry is wrong. Rejects with the database's error
   * when it takes no writes.
   */
  ready(): Promise<{ readonly ledger: true; readonly heads: boolean; readonly clock: boolean }>;
  /** Forgets what calls and appends of this process found wrong with a ledger: it was acknowledged. */
  resume(ledger: LedgerId): void;
  /** Accepts nothing more, and resolves when every call made before has returned. */
  close(): Promise<void>;
}

/** Who watches over the ledgers; `createWatch`. */
export interface Watching {
  /** Called, and waited for, before anything is recorded in a ledger by this process for the first time in a while. */
  admit(ledger: LedgerId): Promise<void>;
  /** Why nothing may be recorded in a ledger that was admitted. */
  refusal(ledger: LedgerId): Promise<LedgerUnavailableError | undefined> | undefined;
  /** Notes what a call found. Never rejects. Resolves with whether it is a problem: it is none when an entry acknowledges it. */
  report(ledger: LedgerId, problem: LedgerProblem): Promise<boolean>;
  /** Whether an entry acknowledges `problem`, as far as is known without reading. */
  isAcknowledged(ledger: LedgerId, problem: LedgerProblem): boolean;
}

export interface LedgersOptions extends Pick<FaultsOptions, "clockToleranceMs" | "now" | "onFault"> {
  readonly pool: Pool;
  /** For `ready`: fast when nothing else is. Left out: `pool`. */
  readonly readinessPool?: Pool;
  /** Milliseconds that an append and its wait for a locked head may take. They should be those of `pool`, which the database keeps. */
  readonly limits?: { readonly appendMs: number; readonly headLockMs: number };
  /** Left out: nobody watches, and no ledger is ever stopped. */
  readonly watch?: Watching;
  /** Signs what can permit something: the database's login alone can then not record it. */
  readonly signer: FactSigner;
  /** Called with each entry that was signed here, after its commit and before the append returns. */
  readonly onSigned?: (entry: LedgerEntry) => void;
  /** Drafts one ledger's queue may hold. */
  readonly capacity: number;
  /** Called after each transaction: its ledger, entries tried, seconds taken. */
  readonly onBatch?: (ledger: LedgerId, size: number, seconds: number) => void;
  /** Called with each entry appended by this process; of one ledger, a later one may come first. */
  readonly onAppended?: (ledger: LedgerId, head: { readonly seq: bigint; readonly hash: string }) => void;
  /** Called when followers could not be notified of what was appended, and find it by polling. */
  readonly onUnannounced?: (error: unknown) => void;
}

/** An entry just appended, without reading it back. Costly members are computed on first use. */
class AppendedEntry implements LedgerEntry {
  readonly ledger: LedgerId;
  readonly type: string;
  readonly seq: bigint;
  readonly hash: string;
  readonly prevHash: string;
  readonly recordedAt: string;
  readonly #sealed: Sealed;
  #body: JsonObject | undefined;
  #payload: Payload | undefined;

  constructor(ledger: LedgerId, encoded: EncodedFact, at: Extract<DraftOutcome, { refusal: undefined }>) {
    this.ledger = ledger;
    this.type = encoded.type;
    this.seq = at.seq;
    this.hash = at.hash;
    this.prevHash = at.prevHash;
    this.recordedAt = at.recordedAt;
    this.#sealed = encoded;
  }

  get entry(): string {
    return entryText({ ...this.#position(), body: this.#sealed.body });
  }

  get body(): JsonObject {
    this.#body ??= parseJson(this.#sealed.body) as JsonObject;
    return this.#body;
  }

  get payload(): Payload | undefined {
    if (this.#sealed.payload === "") return undefined;
    this.#payload ??= parseJson(this.#sealed.payload) as unknown as Payload;
    return this.#payload;
  }

  #position() {
    return { ledger: this.ledger, prevHash: this.prevHash, recordedAt: this.recordedAt, seq: this.seq };
  }
}

/** The queue of a ledger, from when it is first asked for. */
interface Opening {
  readonly opening: Promise<AppendQueue>;
  queue: AppendQueue | undefined;
  /** Calls that use it. */
  callers: number;
}

/** Throws RangeError for a capacity or a time that is no number of its unit. */
export function createLedgers(options: LedgersOptions): Ledgers {
  const { limits, capacity, readinessPool = options.pool } = options;
  assertMilliseconds({ ...limits, clockToleranceMs: options.clockToleranceMs ?? 0 });
  // Any comparison with NaN is false: such a queue would have no end.
  if (!(capacity >= 1)) throw new RangeError(`${capacity} is no number of drafts`);
  /** Least recently used first. */
  const queues = new Map<LedgerId, Opening>();
  let closed = false;
  /** Calls that have not returned yet, wherever they are: before, in or behind a queue. */
  let calls = 0;
  const onLastCall: (() => void)[] = [];
  /** Batches under way, of all ledgers. */
  let batches = 0;
  const faults = createFaults({
    ...options,
    readinessPool,
    onUnlinked: (ledger, seq) => {
      const detail = `it does not follow the entry at ${seq}: the head was changed while entries were recorded`;
      void options.watch?.report(ledger, { verdict: "LINK_BROKEN", seq: seq + 1n, detail });
    },
  });
  const announcer = createAnnouncer({ pool: options.pool, onLost: options.onUnannounced });

  const transactions = createSharedTransactions({
    appendOne: ({ ledger, drafts, call }) => callAppend(options.pool, ledger, drafts, call),
    appendEach: (batches) => callAppendEach(options.pool, batches),
    headWasLocked: ({ code }) => code === HEAD_LOCKED,
    ...(limits === undefined ? {} : { headWaitLimitMs: limits.headLockMs }),
  });

  async function sent<Result>(batch: () => Promise<Result>): Promise<Result> {
    batches += 1;
    try {
      return await batch();
    } finally {
      batches -= 1;
    }
  }

  async function counted<Result>(call: () => Promise<Result>): Promise<Result> {
    calls += 1;
    try {
      return await call();
    } finally {
      calls -= 1;
      if (calls === 0) for (const resolve of onLastCall.splice(0)) resolve();
    }
  }

  function encodeFor(ledger: LedgerId, body: UnsealedObject): EncodedFact {
    return encode(body, (unsigned) => options.signer(ledger, unsigned));
  }

  async function open(ledger: LedgerId): Promise<AppendQueue> {
    const { body } = encodeFor(ledger, bodyOf<"LEDGER_CREATED">({ actor: SYSTEM_ACTOR }, { type: "LEDGER_CREATED" }));
    try {
      const created = await options.pool.query<{ created: boolean; seq: string }>(
        "SELECT created, seq FROM oc_ledger_create($1::text, $2::text)",
        [ledger, body],
      );
      if (created.rows[0]?.created === true) announcer.announce(ledger, 1n);
      return new AppendQueue({
        append: (drafts, call) =>
          inSpan("ledger.append", { "countersign.ledger": ledger, "countersign.entries": drafts.length }, () =>
            sent(() => transactions.append({ ledger, drafts, call })),
          ),
        appendAgain: (drafts, after, call) => sent(() => callAppendAgain(options.pool, ledger, drafts, after, call)),
        capacity,
        head: BigInt(created.rows[0]?.seq ?? 0),
        // A connection may have to be made first.
        ...(limits === undefined ? {} : { callLimitMs: 2 * limits.appendMs + 1_000 }),
        mayOverlap: () => batches < MAX_OVERLAPPING,
        onRecorded: (before, end) => faults.recorded(ledger, before, end),
        onBatch: (size, seconds) => options.onBatch?.(ledger, size, seconds),
      });
    } catch (error) {
      const code = isCorrupt(error) ? "LEDGER_CORRUPT" : "LEDGER_UNAVAILABLE";
      // It has entries and no head: reported by every check until the head is restored.
      if (code === "LEDGER_CORRUPT") faults.used(ledger);
      const message = isCorrupt(error)
        ? `ledger ${ledger} has entries and no head; nothing was recorded. Verify it`
        : "the ledger cannot be opened now; nothing was recorded";
      throw new LedgerUnavailableError(message, 1, error, "NOTHING", code);
    }
  }

  function openingOf(ledger: LedgerId): Opening {
    const known = queues.get(ledger);
    if (known !== undefined) {
      queues.delete(ledger);
      queues.set(ledger, known);
      return known;
    }
    const made: Opening = { opening: open(ledger), queue: undefined, callers: 0 };
    queues.set(ledger, made);
    made.opening.then(
      (queue) => {
        made.queue = queue;
      },
      () => queues.delete(ledger),
    );
    return made;
  }

  /** Why nothing may be recorded in `ledger`, as far as the watcher knows. */
  function refusalOf(ledger: LedgerId): Promise<LedgerUnavailableError | undefined> | undefined {
    const { watch } = options;
    if (watch === undefined || queues.has(ledger)) return watch?.refusal(ledger);
    // What is gone altogether would otherwise be begun anew.
    return within("the first verification of a ledger", ADMISSION_LIMIT_MS, watch.admit(ledger)).then(
      () => watch.refusal(ledger),
      (error: unknown) => {
        const message = "neither the ledger nor the guards of the database can be verified now; nothing was recorded";
        throw new LedgerUnavailableError(message, 1, error);
      },
    );
  }

  /** Whether `ledger` is known to exist. */
  function isOpen(ledger: LedgerId): boolean {
    return queues.get(ledger)?.queue !== undefined;
  }

  async function withQueue<Result>(
    ledger: LedgerId,
    whenStopped: boolean,
    use: (queue: AppendQueue) => Promise<Result>,
  ): Promise<Result> {
    if (closed) throw stopping();
    if (isOpen(ledger)) faults.used(ledger);
    faults.assertSound(ledger, whenStopped);
    // Awaited only where there is something to wait for: drafts of one turn share a batch.
    const refused = refusalOf(ledger);
    const refusal = refused && (await refused);
    if (refusal !== undefined && !whenStopped) throw refusal;
    const used = openingOf(ledger);
    used.callers += 1;
    try {
      const queue = await used.opening;
      faults.used(ledger);
      return await use(queue);
    } finally {
      used.callers -= 1;
      if (queues.size > MAX_IDLE_QUEUES) forgetIdle();
    }
  }

  function forgetIdle(): void {
    for (const [ledger, { callers }] of queues) {
      if (callers > 0) continue;
      queues.delete(ledger);
      return;
    }
  }

  /** `error`, which an append rejected with, after what it says of the ledger was noted. */
  function noted(ledger: LedgerId, error: unknown): unknown {
    if (error instanceof LedgerUnavailableError && error.code === "LEDGER_LOCKED") faults.headLocked(ledger);
    return error;
  }

  /** The entry that a draft became; throws when it was refused. */
  async function appended(
    ledger: LedgerId,
    encoded: EncodedFact & AppendOptions,
    outcome: DraftOutcome,
  ): Promise<LedgerEntry> {
    if (outcome.refusal !== undefined) {
      const refused = new DraftRefusedError(outcome.refusal);
      // The caller found the deadline ahead, by the database's clock: entries may be dated otherwise.
      // When that cannot be asked now, the refusal is still what there is to say.
      if (refused.code === "LATE") await faults.check([ledger]).catch(() => undefined);
      throw (refused.code === "LATE" && faults.clockFault(ledger, encoded.notAfter)) || refused;
    }
    const entry = new AppendedEntry(ledger, encoded, outcome);
    announcer.announce(ledger, entry.seq);
    if (encoded.signed) options.onSigned?.(entry);
    options.onAppended?.(ledger, entry);
    return entry;
  }

  return {
    append: (ledger, body, { notAfter, windows, whenStopped = false } = {}) =>
      counted(async () => {
        const encoded = { ...encodeFor(ledger, body), notAfter, windows };
        const outcome = await withQueue(ledger, whenStopped, (queue) => queue.append(encoded)).catch((error) => {
          throw noted(ledger, error);
        });
        return appended(ledger, encoded, outcome);
      }),
    appendTogether: (ledger, facts) =>
      counted(async () => {
        const encoded = facts.map(({ body, notAfter, windows }) => ({ ...encodeFor(ledger, body), notAfter, windows }));
        const outcomes = await withQueue(ledger, false, (queue) => queue.appendTogether(encoded));
        return Promise.allSettled(
          outcomes.map(async (outcome, at) => {
            if (outcome.status === "rejected") throw noted(ledger, outcome.reason);
            return appended(ledger, encoded[at] as EncodedFact & AppendOptions, outcome.value);
          }),
        );
      }),
    // Asked for when a head is not found: that may be because it was removed.
    ensure: (ledger) =>
      counted(async () => {
        try {
          await withQueue(ledger, false, () => faults.check([ledger]));
        } catch (error) {
          if (error instanceof LedgerUnavailableError && error.code === "LEDGER_STOPPED") return;
          throw error;
        }
        faults.assertSound(ledger);
      }),
    async assertRecording(ledger) {
      if (closed) throw stopping();
      faults.assertSound(ledger);
      const refusal = await refusalOf(ledger);
      if (refusal !== undefined) throw refusal;
    },
    damaged(error) {
      const { watch } = options;
      const { ledger, what: detail } = error;
      const problem: LedgerProblem = { verdict: "CONTENT_MISMATCH", seq: undefined, detail };
      if (watch?.isAcknowledged(ledger, problem) === true) return error;
      faults.damaged(error);
      // Which acknowledgements there are may only be known once they have been read.
      void watch?.report(ledger, problem).then((isProblem) => isProblem || faults.undamaged(error));
      return error;
    },
    waiting: () => [...queues.values()].reduce((sum, { queue }) => sum + (queue?.length ?? 0), 0),
    async ready() {
      await readinessPool.query("SELECT oc_probe()");
      await faults.check([...queues.keys()].filter(isOpen));
      const codes = faults.codes();
      const heads = !codes.has("LEDGER_CORRUPT") && !codes.has("LEDGER_LOCKED");
      return { ledger: true, heads, clock: !codes.has("CLOCK_SKEWED") };
    },
    resume: faults.resume,
    async close() {
      closed = true;
      if (calls > 0) await new Promise<void>((resolve) => onLastCall.push(resolve));
      for (const { queue } of queues.values()) await queue?.drain();
      faults.stop();
      await announcer.drain();
    },
  };
}

function stopping(): LedgerUnavailableError {
  return new LedgerUnavailableError("the server is stopping; nothing was recorded", 5);
}
