import type { Database } from "../db/database.ts";
import { createTurns, shareOf } from "../db/turns.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import { createLedgerSnapshots } from "../ledger/snapshot.ts";
import type { Start } from "./start.ts";

/** Queries of one principal that may wait for a connection. */
const MAX_WAITING = 256;
/** The same of queries that are slow. */
const MAX_WAITING_SLOW = 32;

/** What queries and subscriptions read through: connections by kind of work, in turn by organization. */
export function createReads(
  { config }: Pick<Start, "config">,
  { snapshotPool, slowPool, followPool }: Database,
  ledgers: Pick<Ledgers, "ensure">,
): Pick<Services, "snapshots" | "slowSnapshots" | "following"> {
  const { timeLimits, responseLimits } = config;
  const snapshotsOf = (pool: typeof snapshotPool, waitingPerPrincipal: number) =>
    createLedgerSnapshots({
      pool,
      ledgers,
      maxSeconds: timeLimits.snapshotMs / 1_000,
      // More is read than is returned: rows are read whole.
      maxBytes: responseLimits.responseBytes * 4,
      turns: createTurns({
        at: pool.options.max,
        perOrganization: shareOf(pool.options.max),
        waitingPerPrincipal,
        maxWaitMs: timeLimits.snapshotMs,
      }),
    });
  return {
    snapshots: snapshotsOf(snapshotPool, MAX_WAITING),
    slowSnapshots: snapshotsOf(slowPool, MAX_WAITING_SLOW),
    following: followPool,
  };
}
