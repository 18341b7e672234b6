import path from "node:path";
import type { Database } from "../db/database.ts";
import { createPool } from "../db/pool.ts";
import type { Metrics } from "../http/metrics.ts";
import type { HeadStore } from "../ledger/heads.ts";
import { createProblemStore } from "../ledger/watch/problem-store.ts";
import { createWatch, type Watch, type WatchOptions } from "../ledger/watch/watch.ts";
import type { Start } from "./start.ts";

/** For looking at ledgers. */
const CONNECTIONS = 3;
/** For one whole ledger, a report of the guards, and the settings of the thread that checks entries. */
const PATIENT_CONNECTIONS = 3;

export interface WatchDeps extends Pick<WatchOptions, "guardExceptions" | "isSigned" | "keys" | "onAcknowledged"> {
  readonly database: Database;
  readonly heads: HeadStore;
  readonly metrics: Pick<Metrics, "ledgerProblem">;
}

/** Verifies all ledgers while the server runs, and stops those in which something is found. */
export function startWatch({ config, log, closing }: Start, deps: WatchDeps): Watch {
  const { database, heads, guardExceptions, keys, isSigned, metrics } = deps;
  const all = { connectionString: database.url, applicationName: "countersign-watch", log };
  const pool = createPool({ ...all, max: CONNECTIONS, statementTimeoutMs: config.timeLimits.readMs });
  closing.add(() => pool.end());
  const patientPool = createPool({ ...all, max: PATIENT_CONNECTIONS, statementTimeoutMs: 0 });
  closing.add(() => patientPool.end());
  const { stops, share, interval, wholeInterval } = config.watch;
  const watch = createWatch({
    pool,
    patientPool,
    heads,
    problemStore: createProblemStore(path.join(config.dataDir, "problems")),
    guardExceptions,
    keys,
    isSigned,
    stops,
    share,
    tailIntervalMs: interval * 1_000,
    wholeIntervalMs: wholeInterval * 1_000,
    onFound(ledger, { verdict, seq, detail, warning }, by) {
      metrics.ledgerProblem(verdict);
      const stopped = stops && warning !== true;
      const consequence = stopped ? "nothing is recorded in it until an administrator acknowledges that" : "see detail";
      log[warning === true ? "warn" : "error"](
        { ledger, verdict, seq: seq?.toString(), detail, foundBy: by, stopped },
        `a problem of a ledger was found: ${consequence}`,
      );
    },
    onAcknowledged(ledger) {
      log.info({ ledger }, "an administrator acknowledged problems of a ledger");
      deps.onAcknowledged(ledger);
    },
    onError: (error, ledger) => log.warn({ ledger, err: error }, "ledgers could not be verified, and will be later"),
  });
  if (config.homeAddress === undefined) watch.start();
  closing.add(() => watch.stop());
  return watch;
}

/**
 * Whether requests should be sent to this server. A stopped ledger concerns one organization, and other servers stop it as well:
 * only when at least half of the ledgers are stopped, this server is better left out.
 */
export function isWatchReady(watch: Pick<Watch, "status">): boolean {
  const { OK, SUSPECT, STOPPED } = watch.status().ledgers;
  return STOPPED === 0 || STOPPED < OK + SUSPECT;
}
