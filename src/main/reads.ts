import type { Database } from "../db/database.ts";
import { withRests } from "../db/rests.ts";
import { createTurns, shareOf, type Turns } from "../db/turns.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import { createLedgerSnapshots } from "../ledger/snapshot.ts";
import type { Start } from "./start.ts";

/** Queries of one principal that may wait for a connection. */
const MAX_WAITING = 256;
/** The same of queries that are slow. */
const MAX_WAITING_SLOW = 32;
/** Slow queries of one principal take a third of the time, or two seconds at once: so few that people who look things up never wait. */
const SLOW = { share: 1 / 3, burstMs: 2_000, perPrincipal: 2, waitingPerPrincipal: MAX_WAITING_SLOW };

/** What queries and subscriptions read through: connections by kind of work, in turn by organization. */
export function createReads(
  { config }: Pick<Start, "config">,
  { snapshotPool, slowPool, followPool }: Database,
  ledgers: Pick<Ledgers, "ensure">,
): Pick<Services, "snapshots" | "slowSnapshots" | "following"> {
  const { timeLimits, responseLimits } = config;
  const maxWaitMs = timeLimits.snapshotMs;
  const turnsOf = (pool: typeof snapshotPool, waitingPerPrincipal: number) =>
    createTurns({ at: pool.options.max, perOrganization: shareOf(pool.options.max), waitingPerPrincipal, maxWaitMs });
  const snapshotsOf = (pool: typeof snapshotPool, turns: Turns) =>
    createLedgerSnapshots({
      pool,
      ledgers,
      maxSeconds: timeLimits.snapshotMs / 1_000,
      // More is read than is returned: rows are read whole.
      maxBytes: responseLimits.responseBytes * 4,
      turns,
    });
  return {
    snapshots: snapshotsOf(snapshotPool, turnsOf(snapshotPool, MAX_WAITING)),
    slowSnapshots: snapshotsOf(slowPool, withRests(turnsOf(slowPool, MAX_WAITING_SLOW), { ...SLOW, maxWaitMs })),
    following: followPool,
  };
}
