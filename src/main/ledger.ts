import path from "node:path";
import type { Database } from "../db/database.ts";
import { createPool } from "../db/pool.ts";
import { createTurns } from "../db/turns.ts";
import type { Keys } from "../domain/identity/keys.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Metrics } from "../http/metrics.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";
import { createHeadStore } from "../ledger/heads.ts";
import { createLedgers, type Ledgers } from "../ledger/ledger.ts";
import { createSignatureCheck, type IsSigned } from "../ledger/signatures/check.ts";
import { createFactSigner } from "../ledger/signatures/signer.ts";
import { headOptions, loadGuardExceptions, standingHeads, verifyLedger } from "../ledger/verify.ts";
import type { Watch } from "../ledger/watch/watch.ts";
import type { Start } from "./start.ts";
import { startWatch } from "./watch.ts";

/** Verifications at a time, each of another organization, and what each uses of the machine: together two cores. */
const VERIFICATIONS = 2;
const VERIFY_WORKERS = 1;
/** How many times as long as a verification took its organization waits for the next one, and how many milliseconds at most. */
const REST = 2;
const MAX_REST = 10_000;
/** Milliseconds that one waits for its turn. */
const MAX_WAIT = 60_000;
/** Verifications of one principal that may wait. */
const WAITING_PER_PRINCIPAL = 8;

export interface LedgerParts {
  readonly ledgers: Ledgers;
  readonly verify: Services["verify"];
  readonly watch: Watch;
  /** Whether an entry that a decision depends on was signed by a server of this installation. */
  readonly isSigned: IsSigned;
}

/** Appending, verifying on request, and the watcher. While `isHeld`, nothing is appended: each append throws LedgerUnavailableError. */
export async function startLedger(
  start: Start,
  database: Database,
  keys: Pick<Keys, "facts">,
  metrics: Pick<Metrics, "append" | "ledgerProblem">,
  isHeld: () => boolean = () => false,
): Promise<LedgerParts> {
  const { config, log, closing } = start;
  const guardExceptions = await loadGuardExceptions(config.guardExceptions);
  const verifying = createPool({
    connectionString: database.url,
    max: VERIFICATIONS * (VERIFY_WORKERS + 2),
    applicationName: "countersign-verify",
    statementTimeoutMs: 0,
    log,
  });
  closing.add(() => verifying.end());
  const heads = createHeadStore({
    directory: path.join(config.dataDir, "heads"),
    standing: (ledger, known) => standingHeads(database.jobPool, ledger, known),
    onContradiction(ledger, { seq, hash }) {
      log.error({ ledger, seq: String(seq), hash }, "an entry was recorded where another one is known to have been");
      watch.suspect(ledger);
    },
    onError: (error) => log.error({ err: error }, "the last head of a ledger could not be kept outside the database"),
    onNotCompared: (error) =>
      log.warn({ err: error }, "known heads could not be compared with their ledger; all are kept until they can be"),
  });
  closing.add(() => heads.close());
  const signatures = createSignatureCheck({ keys: () => keys.facts.published });
  const watch = startWatch(start, {
    database,
    heads,
    guardExceptions,
    keys: () => keys.facts.published,
    isSigned: signatures.isSigned,
    metrics,
    onAcknowledged: (ledger) => ledgers.resume(ledger),
  });
  const ledgers = holding(
    isHeld,
    createLedgers({
      pool: database.appendPool,
      readinessPool: database.readinessPool,
      signer: createFactSigner(() => keys.facts.signing),
      onSigned: signatures.appended,
      capacity: config.appendQueue,
      limits: config.timeLimits,
      clockToleranceMs: config.clockTolerance * 1_000,
      watch,
      onFault(fault, ledger) {
        if (fault === undefined) log.info({ ledger }, "a ledger, or the clock, is in order again");
        else log.error({ ledger, code: fault.code }, fault.message);
      },
      onBatch: (_ledger, entries, seconds) => metrics.append(entries, seconds),
      onUnannounced: (error) =>
        log.warn({ err: error }, "followers could not be notified; they find new entries by polling"),
      onAppended(ledger, head) {
        heads.record(ledger, { seq: head.seq, hash: head.hash });
        watch.grown(ledger);
      },
    }),
  );
  closing.add(() => ledgers.close());
  const all = createTurns({
    at: VERIFICATIONS,
    perOrganization: VERIFICATIONS,
    waitingPerPrincipal: Number.POSITIVE_INFINITY,
    maxWaitMs: MAX_WAIT,
  });
  const own = createTurns({
    at: Number.POSITIVE_INFINITY,
    perOrganization: 1,
    waitingPerPrincipal: WAITING_PER_PRINCIPAL,
    maxWaitMs: MAX_WAIT,
  });
  const verify = sharing(async (ledger, range, principal = "") => {
    const endOwn = await own.take(ledger, principal);
    let took = 0;
    try {
      const end = await all.take(ledger, principal);
      const started = performance.now();
      try {
        return await verifyLedger(verifying, ledger, {
          ...range,
          keys: keys.facts.published,
          ...(await headOptions(heads.known(ledger))),
          workers: VERIFY_WORKERS,
          guardExceptions,
        });
      } finally {
        took = performance.now() - started;
        end();
      }
    } finally {
      // The organization rests; others may verify meanwhile.
      setTimeout(endOwn, Math.min(took * REST, MAX_REST)).unref();
    }
  });
  return { ledgers, verify, watch, isSigned: signatures.isSigned };
}

function holding(isHeld: () => boolean, ledgers: Ledgers): Ledgers {
  const notNow = () =>
    Promise.reject(
      new LedgerUnavailableError(
        "callers are admitted by copies of the home region now; nothing was recorded in it",
        2,
      ),
    );
  return {
    ...ledgers,
    append: (...given) => (isHeld() ? notNow() : ledgers.append(...given)),
    appendTogether: (...given) => (isHeld() ? notNow() : ledgers.appendTogether(...given)),
  };
}

/** Callers that ask for a range that is being verified share the result: a re-hash costs as much as it costs. */
function sharing(verify: Services["verify"]): Services["verify"] {
  const verifications = new Map<string, ReturnType<Services["verify"]>>();
  return (ledger, range, principal) => {
    const key = `${ledger} ${range.fromSeq ?? ""} ${range.toSeq ?? ""}`;
    const running = verifications.get(key) ?? verify(ledger, range, principal).finally(() => verifications.delete(key));
    verifications.set(key, running);
    return running;
  };
}
