import { asError } from "../../errors.ts";
import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { exportSteps } from "../../ledger/export.ts";
import type { Follower } from "../../ledger/follow.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Logger } from "../../log.ts";
import type { Outbound } from "../channels/outbound-request.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { createChainReader, hashedEntry } from "../lineage/exports/entries.ts";
import { createLineageWriter } from "../lineage/exports/writer.ts";
import { startPeriodicLook } from "../periodic-look.ts";
import { createPositions } from "./positions.ts";
import { type Attempts, type Pauses, sendEvent } from "./send.ts";
import type { Target, Targets } from "./targets.ts";

export interface PushOptions {
  readonly db: Queryable;
  readonly follower: Pick<Follower, "follow">;
  readonly ledgers: Pick<Ledgers, "damaged">;
  readonly outbound: Outbound;
  readonly targets: Targets;
  /** The events of ledgers of this region are sent. */
  readonly region: string;
  /** Seconds after which another server takes over from one that does not respond. */
  readonly lease: number;
  /** Seconds between two looks for ledgers that nobody sends; at most a third of a lease counts. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn" | "info" | "error">;
  readonly pauses?: Pauses;
}

/** Sends run events of all organizations that have a target, each ledger's by one server at a time and in the order of the ledger. */
export interface Push {
  /** Ends what is under way, and leaves the ledgers to other servers. */
  stop(): Promise<void>;
}

const PAUSES: Pauses = { first: 1_000, longest: 300_000, response: 10_000 };

interface Running {
  readonly ended: Promise<void>;
  /** When the lease was written last, by `performance.now()`. */
  renewedAt: number;
  stop(): void;
}

export function startPush(options: PushOptions): Push {
  const { db, ledgers, targets, region, lease, log } = options;
  const positions = createPositions({ db, seconds: lease });
  const running = new Map<LedgerId, Running>();
  /** What ended the work on a ledger last: it may meet the same each time it is begun. */
  const problems = new Map<LedgerId, string>();
  let stopped = false;

  function begin(ledger: LedgerId, target: Target, position: bigint): void {
    const over = new AbortController();
    const advance = (seq: bigint) => positions.advance(ledger, target, seq);
    const ended = push(options, { ledger, target, position, advance }, over.signal)
      .then(() => problems.delete(ledger))
      .catch((error: unknown) => {
        const { message } = error instanceof LedgerDamagedError ? ledgers.damaged(error) : asError(error);
        if (problems.get(ledger) === message) return;
        problems.set(ledger, message);
        log.error({ ledger, err: asError(error) }, "sending run events of a ledger ended; it begins again soon");
      })
      .finally(() => running.delete(ledger))
      .then(() => undefined);
    running.set(ledger, { ended, renewedAt: performance.now(), stop: () => over.abort() });
  }

  async function look(): Promise<void> {
    for (const [organization, target] of targets) {
      const ledger = ledgerOf(organization, region);
      const own = running.get(ledger);
      if (own !== undefined && performance.now() - own.renewedAt < (lease * 1_000) / 3) continue;
      const position = await positions.take(ledger, target);
      if (stopped) return;
      if (own !== undefined) own.renewedAt = performance.now();
      if (position === undefined) own?.stop();
      else if (!running.has(ledger)) begin(ledger, target, position);
    }
  }

  const interval = Math.min(options.interval, lease / 3);
  const failure = "run events cannot be sent now; this is tried again";
  const looks = startPeriodicLook({ look, interval, log, failure });

  return {
    async stop() {
      stopped = true;
      await looks.stop();
      const all = [...running.values()];
      for (const { stop } of all) stop();
      await Promise.all(all.map(({ ended }) => ended));
      // Should this fail, others wait for the lease to be over.
      await positions.release().catch(() => undefined);
    },
  };
}

interface Stream {
  readonly ledger: LedgerId;
  readonly target: Target;
  readonly position: bigint;
  /** Returns whether this server still sends. */
  readonly advance: (seq: bigint) => Promise<boolean>;
}

/** Sends what entries behind `position` add, until `signal` aborts or another server sends. Throws LedgerDamagedError. */
async function push(options: PushOptions, stream: Stream, signal: AbortSignal): Promise<void> {
  const { db, follower, outbound, log, pauses = PAUSES } = options;
  const { ledger, target, position, advance } = stream;
  const read = createChainReader({ ledger, from: position + 1n, gaps: false });
  const load = async (action: string, until: bigint) =>
    (await withLedgerErrors(exportSteps(db, ledger, action, until))).map((text) => hashedEntry(ledger, text));
  const writer = createLineageWriter("openlineage", load);
  const attempts: Attempts = {
    failed(problem, isFirst) {
      if (isFirst) log.warn({ ledger, problem }, "a run event cannot be sent; it and those behind it are tried again");
    },
    recovered: () => log.info({ ledger }, "run events are sent again"),
  };
  for await (const entries of follower.follow(ledger, position, signal)) {
    if (entries === "idle") continue;
    for (const [at, { entry: text, seq }] of entries.entries()) {
      const texts = await writer.write(read(text));
      // Not known to be damage, which verification finds: what is known is that nothing true can be said of this action.
      if (texts === "UNSEEN") {
        log.error(
          { ledger, seq: String(seq) },
          "what came before an entry of its action is not there: it has no run event",
        );
      }
      const events = texts === "UNSEEN" ? [] : texts;
      for (const event of events) {
        const outcome = await sendEvent({ outbound, pauses, target }, event, attempts, signal);
        if (outcome === "STOPPED") return;
        if (outcome === "REFUSED") log.error({ ledger, seq: String(seq) }, "a run event was refused, and is left out");
      }
      const isSaved = events.length > 0 || at === entries.length - 1;
      if (isSaved && !(await advance(seq))) return;
    }
  }
}
