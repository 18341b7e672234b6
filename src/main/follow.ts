import type { Database } from "../db/database.ts";
import { createListener } from "../db/listen.ts";
import { CHANNEL } from "../ledger/announce.ts";
import { createFollower, type Follower } from "../ledger/follow.ts";
import type { Start } from "./start.ts";

/** Who is woken by an append: see `createListener`. */
interface Notified {
  readonly onNotify: (payload: string) => void;
  readonly onReconnect: () => void;
}

/** Wakes the followers of ledgers, and `others`, after each append of any server. */
export async function startFollowing(
  { config, log, closing }: Start,
  database: Database,
  ...others: readonly Notified[]
): Promise<Follower> {
  const follower = createFollower({ pool: database.followPool, idleSeconds: config.heartbeat });
  // There is nothing to follow.
  if (config.homeAddress !== undefined) return follower;
  const notified = [follower, ...others];
  const listener = createListener({
    connectionString: database.url,
    channel: CHANNEL,
    log,
    onNotify(payload) {
      for (const one of notified) one.onNotify(payload);
    },
    onReconnect() {
      for (const one of notified) one.onReconnect();
    },
  });
  // It goes on trying to connect.
  const connected = listener.start();
  if (database.isMigrated) await connected;
  closing.add(() => listener.stop());
  return follower;
}
