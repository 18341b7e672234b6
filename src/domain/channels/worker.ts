import { asError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { Follower } from "../../ledger/follow.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Logger } from "../../log.ts";
import { startPeriodicLook } from "../periodic-look.ts";
import type { Damage } from "./damage.ts";
import type { Delivery } from "./delivery.ts";
import { createLeases } from "./leases.ts";
import { createLedgerWork, type LedgerWork } from "./ledger-work.ts";
import { dueChannels } from "./outbox.ts";
import type { Recorder } from "./recorder.ts";
import type { ChannelHome } from "./store.ts";

export interface WorkerOptions {
  readonly db: Queryable;
  readonly home: ChannelHome;
  readonly follower: Pick<Follower, "follow">;
  readonly recorder: Recorder;
  readonly delivery: Delivery;
  readonly damage: Damage;
  /** Seconds after which another server takes over from one that does not respond. */
  readonly lease: number;
  /** Seconds between two looks for what is due; at most a third of a lease. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn">;
}

/** Sends the notices of all organizations, each ledger's by one server at a time. */
export interface Worker {
  /** Has the ledger looked at soon: its channels changed. */
  wake(ledger: LedgerId): void;
  /** Ends what is under way, and leaves the ledgers to other servers. */
  stop(): Promise<void>;
}

export function startWorker(options: WorkerOptions): Worker {
  const { db, home, damage, lease, log } = options;
  const leases = createLeases({ db, seconds: lease });
  const running = new Map<LedgerId, LedgerWork>();
  /** What ended the work on a ledger last. */
  const ended = new Map<LedgerId, string>();
  let stopped = false;

  function begin(ledger: LedgerId, position: bigint): void {
    const work = createLedgerWork(options, ledger, position);
    running.set(ledger, work);
    void work.ended
      .then(
        () => ended.delete(ledger),
        (error: unknown) => {
          const { message } = asError(damage.note(error));
          // It is begun at every look, and may meet the same each time.
          if (ended.get(ledger) === message) return;
          ended.set(ledger, message);
          log.warn({ ledger, err: asError(error) }, "work on the notices of a ledger ended; it begins again soon");
        },
      )
      .finally(() => running.delete(ledger));
  }

  async function look(): Promise<void> {
    const held = await leases.take([...new Set([...(await home.ledgersWithChannels()), ...running.keys()])]);
    for (const [ledger, work] of running) if (!held.has(ledger)) work.stop();
    if (stopped) return;
    for (const [ledger, position] of held) if (!running.has(ledger)) begin(ledger, position);
    const due = await dueChannels(db, [...held.keys()]);
    for (const ledger of new Set(due.map((one) => one.ledger))) running.get(ledger)?.wake();
  }

  const interval = Math.min(options.interval, lease / 3);
  const failure = "notices cannot be sent now; this is tried again";
  const looks = startPeriodicLook({ look, interval, log, failure });

  return {
    wake(ledger) {
      const work = running.get(ledger);
      if (work !== undefined) work.wake();
      else if (!stopped) looks.now();
    },
    async stop() {
      stopped = true;
      await looks.stop();
      const all = [...running.values()];
      for (const work of all) work.stop();
      await Promise.allSettled(all.map(({ ended }) => ended));
      // Should this fail, others wait for the lease to be over.
      await leases.release().catch(() => undefined);
    },
  };
}
