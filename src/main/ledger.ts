import path from "node:path";
import type { Database } from "../db/database.ts";
import { createPool } from "../db/pool.ts";
import type { LedgerId } from "../facts/entry.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Metrics } from "../http/metrics.ts";
import { createHeadStore, type HeadStore } from "../ledger/heads.ts";
import { createLedgers, type Ledgers } from "../ledger/ledger.ts";
import { verifyLedger } from "../ledger/verify.ts";
import type { Start } from "./start.ts";

const VERIFY_WORKERS = 2;
/** How far back the end of each known ledger is re-hashed at start. */
const START_CHECK = 1_000n;

export interface LedgerParts {
  readonly ledgers: Ledgers;
  readonly verify: Services["verify"];
}

/** Appending and verifying. The end of every ledger there is was checked when this resolves. */
export async function startLedger(
  start: Start,
  database: Database,
  metrics: Pick<Metrics, "append">,
): Promise<LedgerParts> {
  const { config, log, closing } = start;
  const verifying = createPool({
    connectionString: database.url,
    max: VERIFY_WORKERS + 1,
    applicationName: "countersign-verify",
    statementTimeout: 0,
    log,
  });
  closing.add(() => verifying.end());
  const heads = createHeadStore({
    directory: path.join(config.dataDir, "heads"),
    onError: (error) => log.error({ err: error }, "the last head of a ledger could not be kept outside the database"),
  });
  closing.add(() => heads.close());
  const ledgers = createLedgers({
    pool: database.appendPool,
    capacity: config.appendQueue,
    onBatch: (_ledger, entries, seconds) => metrics.append(entries, seconds),
    onUnannounced: (error) =>
      log.warn({ err: error }, "followers could not be notified; they find new entries by polling"),
    onAppended: (ledger, head) => heads.record(ledger, { seq: head.seq, hash: head.hash }),
  });
  closing.add(() => ledgers.close());
  const verify = sharing(async (ledger, range) => {
    const { head, earlier } = await heads.known(ledger);
    return verifyLedger(verifying, ledger, {
      ...range,
      knownHead: head,
      earlierHeads: earlier,
      workers: VERIFY_WORKERS,
    });
  });
  await checkEnds(start, database, verify, heads);
  return { ledgers, verify };
}

/** Callers that ask for a range that is being verified share the result: a re-hash costs as much as it costs. */
function sharing(verify: Services["verify"]): Services["verify"] {
  const verifications = new Map<string, ReturnType<Services["verify"]>>();
  return (ledger, range) => {
    const key = `${ledger} ${range.fromSeq ?? ""} ${range.toSeq ?? ""}`;
    const running = verifications.get(key) ?? verify(ledger, range).finally(() => verifications.delete(key));
    verifications.set(key, running);
    return running;
  };
}

/**
 * The ledgers may have been changed while no server ran: the end of each is re-hashed and compared
 * with the head kept outside the database before anything is appended. Faults are logged as errors, and reported by every
 * verification; the server starts all the same, so that they can be investigated.
 */
async function checkEnds(
  { log }: Start,
  { pool }: Database,
  verify: Services["verify"],
  heads: Pick<HeadStore, "record">,
): Promise<void> {
  const { rows } = await pool.query<{ ledger: LedgerId; seq: string }>("SELECT ledger, seq FROM oc_ledger_head");
  for (const { ledger, seq } of rows) {
    const from = BigInt(seq) - START_CHECK;
    const { verdict, problems, head } = await verify(ledger, from > 1n ? { fromSeq: from } : {});
    if (verdict === "INTACT") {
      heads.record(ledger, head);
      continue;
    }
    const first = problems.slice(0, 3).map((problem) => ({ ...problem, seq: String(problem.seq) }));
    log.error({ ledger, verdict, problems: first }, "a ledger was changed while no server ran");
  }
}
