import type { Pool } from "pg";
import { v7 as uuidv7 } from "uuid";
import type { JsonObject } from "../facts/canonical.ts";
import { type Payload, type Sealed, seal, type UnsealedObject } from "../facts/commitment.ts";
import { entryText, type LedgerEntry, type LedgerId } from "../facts/entry.ts";
import { inSpan } from "../telemetry.ts";
import { callAppend, callAppendAgain, type DraftOutcome } from "./append-call.ts";
import { AppendQueue } from "./append-queue.ts";
import { DraftRefusedError, LedgerUnavailableError } from "./errors.ts";
import { restsOf } from "./rests.ts";

export interface AppendOptions {
  /** The deadline the caller found still ahead: judged again, by the database's clock, in the transaction that records. */
  readonly notAfter?: Date | undefined;
}

/** The ledgers of one process: every append of a process goes through here, so that callers share transactions. */
export interface Ledgers {
  /**
   * Records one fact and returns the entry, after COMMIT. `body` is given without `id`; a fresh UUIDv7 is put in.
   * Throws DraftRefusedError (nothing was written: read the state and decide again), LedgerUnavailableError, or
   * DraftRejectedError (this draft can never be recorded).
   */
  append(ledger: LedgerId, body: UnsealedObject, options?: AppendOptions): Promise<LedgerEntry>;
  /** Creates the ledger with its LEDGER_CREATED entry unless it is there. */
  ensure(ledger: LedgerId): Promise<void>;
  /** Drafts that wait, over all ledgers. */
  waiting(): number;
  /** True when an append would go through now. Rejects with the reason when it would not. */
  ready(): Promise<boolean>;
  /** Waits until everything accepted has been answered. Nothing may be appended afterwards. */
  close(): Promise<void>;
}

export interface LedgersOptions {
  readonly pool: Pool;
  /** Drafts one ledger's queue may hold. */
  readonly capacity: number;
  /** Called after each transaction: its ledger, entries tried, seconds taken. */
  readonly onBatch?: (ledger: LedgerId, size: number, seconds: number) => void;
  /** Called with the newest entry of each process-local append, in order per ledger. */
  readonly onAppended?: (ledger: LedgerId, head: { readonly seq: bigint; readonly hash: string }) => void;
}

/** An entry just appended. Everything is known without reading it back; what is costly to build is built when asked. */
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

  constructor(ledger: LedgerId, type: string, sealed: Sealed, at: Extract<DraftOutcome, { refusal: undefined }>) {
    this.ledger = ledger;
    this.type = type;
    this.seq = at.seq;
    this.hash = at.hash;
    this.prevHash = at.prevHash;
    this.recordedAt = at.recordedAt;
    this.#sealed = sealed;
  }

  get entry(): string {
    return entryText({ ...this.#position(), body: this.#sealed.body });
  }

  get body(): JsonObject {
    this.#body ??= JSON.parse(this.#sealed.body) as JsonObject;
    return this.#body;
  }

  get payload(): Payload | undefined {
    if (this.#sealed.payload === "") return undefined;
    this.#payload ??= JSON.parse(this.#sealed.payload) as Payload;
    return this.#payload;
  }

  #position() {
    return { ledger: this.ledger, prevHash: this.prevHash, recordedAt: this.recordedAt, seq: this.seq };
  }
}

export function createLedgers(options: LedgersOptions): Ledgers {
  const queues = new Map<LedgerId, Promise<AppendQueue>>();
  const opened: AppendQueue[] = [];
  let closed = false;

  async function open(ledger: LedgerId): Promise<AppendQueue> {
    const body = seal({ actor: SYSTEM_ACTOR, id: uuidv7(), type: "LEDGER_CREATED" }).body;
    try {
      const created = await options.pool.query<{ seq: string }>(
        "SELECT seq FROM oc_ledger_create($1::text, $2::text)",
        [ledger, body],
      );
      const queue = new AppendQueue({
        append: (drafts) =>
          inSpan("ledger.append", { "countersign.ledger": ledger, "countersign.entries": drafts.length }, () =>
            callAppend(options.pool, ledger, drafts),
          ),
        appendAgain: (drafts, after) => callAppendAgain(options.pool, ledger, drafts, after),
        capacity: options.capacity,
        head: BigInt(created.rows[0]?.seq ?? 0),
        onBatch: (size, seconds) => options.onBatch?.(ledger, size, seconds),
      });
      opened.push(queue);
      return queue;
    } catch (error) {
      queues.delete(ledger);
      throw new LedgerUnavailableError("the ledger cannot be opened now; nothing was recorded", 1, error);
    }
  }

  function queueOf(ledger: LedgerId): Promise<AppendQueue> {
    if (closed) return Promise.reject(new LedgerUnavailableError("the server is stopping; nothing was recorded", 5));
    let queue = queues.get(ledger);
    if (queue === undefined) {
      queue = open(ledger);
      queues.set(ledger, queue);
    }
    return queue;
  }

  return {
    async append(ledger, body, { notAfter } = {}) {
      const id = uuidv7();
      const sealed = seal({ ...body, id });
      const queue = await queueOf(ledger);
      const outcome = await queue.append({ id, notAfter, rests: restsOf(body), ...sealed });
      if (outcome.refusal !== undefined) throw new DraftRefusedError(outcome.refusal);
      const entry = new AppendedEntry(ledger, String(body.type), sealed, outcome);
      options.onAppended?.(ledger, entry);
      return entry;
    },
    async ensure(ledger) {
      await queueOf(ledger);
    },
    waiting: () => opened.reduce((sum, queue) => sum + queue.length, 0),
    async ready() {
      await options.pool.query(PROBE);
      return true;
    },
    async close() {
      closed = true;
      for (const queue of opened) await queue.drain();
    },
  };
}

// Writes to some heads, and where there are none yet to no row: either fails when the database takes no writes.
const PROBE = `
  SELECT oc_ledger_probe(h.ledger) FROM (SELECT ledger FROM oc_ledger_head ORDER BY ledger LIMIT 16) h
  UNION ALL SELECT oc_ledger_probe('')`;

/** Who acts when nobody but the server does. */
export const SYSTEM_ACTOR = { groups: [], id: "countersign", kind: "SERVICE", roles: [] } as const;
