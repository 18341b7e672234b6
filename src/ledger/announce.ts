import { setTimeout as pause } from "node:timers/promises";
import type { Pool } from "pg";
import type { LedgerId } from "../facts/entry.ts";

/** Milliseconds between two notifications: what grows meanwhile shares the next, so that they cost a busy server little. */
const GAP = 10;
/** Milliseconds until the next one after one that failed: PostgreSQL may have no room for notifications, and for long. */
const GAP_AFTER_FAILURE = 1_000;

/** Tells followers, of every server, that ledgers have grown. */
export interface Announcer {
  /** `seq` is the position of an entry that is committed. Returns at once; notifications of a ledger may become one. */
  announce(ledger: LedgerId, seq: bigint): void;
  /** Resolves when nothing is on its way. */
  drain(): Promise<void>;
}

// Within an append the notification would take a lock of the whole cluster until its commit is on disk, and ledgers would
// commit one after the other. On its own it has nothing to wait for: losing it delays a follower until its next poll.
const NOTIFY = `
  SELECT set_config('synchronous_commit', 'off', true), count(pg_notify(c.channel, n.payload))
    FROM oc_work.announcement_channel c, unnest($1::text[]) AS n(payload)`;

/**
 * Finds the name of the channel, which servers alone can read: PostgreSQL lets everybody with a connection listen, and announcements
 * say which organizations record something, and how much.
 */
export const CHANNEL = "SELECT channel FROM oc_work.announcement_channel";

export interface AnnouncerOptions {
  readonly pool: Pick<Pool, "query">;
  /** Receives why announcements were lost: of those that fail one after the other, of the first. */
  readonly onLost?: ((error: unknown) => void) | undefined;
}

/** Notifies on the channel of this database, `<ledger> <seq>` a ledger, in one statement at a time for all that have grown since. */
export function createAnnouncer({ pool, onLost }: AnnouncerOptions): Announcer {
  const grown = new Map<LedgerId, bigint>();
  let sending: Promise<void> | undefined;
  let failing = false;

  async function send(): Promise<void> {
    while (grown.size > 0) {
      const payloads = [...grown].map(([ledger, seq]) => `${ledger} ${seq}`);
      grown.clear();
      try {
        await pool.query({ name: "oc_announce", text: NOTIFY, values: [payloads] });
        failing = false;
      } catch (error) {
        if (!failing) onLost?.(error);
        failing = true;
      }
      await pause(failing ? GAP_AFTER_FAILURE : GAP);
    }
    sending = undefined;
  }

  return {
    announce(ledger, seq) {
      const before = grown.get(ledger);
      if (before === undefined || before < seq) grown.set(ledger, seq);
      sending ??= send();
    },
    drain: async () => sending,
  };
}
