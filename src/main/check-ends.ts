import { setTimeout as pause } from "node:timers/promises";
import type { Pool } from "pg";
import type { LedgerId } from "../facts/entry.ts";
import type { Services } from "../graphql/base/services.ts";
import type { HeadStore } from "../ledger/heads.ts";
import type { Logger } from "../log.ts";

/** How far back the end of each ledger is re-hashed, in entries. */
const REACH = 1_000n;
/** Ledgers read with one statement. */
const PAGE = 200;
/** Milliseconds between two lines of the log about how far the check is. */
const REPORT_EVERY = 10_000;

export interface CheckEndsOptions {
  readonly pool: Pick<Pool, "query">;
  readonly verify: Services["verify"];
  readonly heads: Pick<HeadStore, "record">;
  readonly log: Logger;
}

/**
 * The ledgers may have been changed while no server ran: the end of each is re-hashed and compared with the head kept outside
 * the database, one ledger after the other, with as long a rest as the work took, while the server serves. Appends need not
 * wait for it: heads that were kept are not forgotten because of them, so what contradicts them is still found. Faults are
 * logged as errors, and reported by every verification; the server goes on, so that they can be investigated.
 */
export function checkEnds({ pool, verify, heads, log }: CheckEndsOptions): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const done = run().catch((error: unknown) => {
    if (!stopped.signal.aborted) log.error({ err: error }, "the ends of the ledgers could not all be checked");
  });

  async function run(): Promise<void> {
    const counts = { ledgers: 0, changed: 0, unchecked: 0 };
    const began = performance.now();
    let reported = began;
    for await (const { ledger, seq } of known(pool)) {
      const started = performance.now();
      try {
        if (!(await isIntact(ledger, seq))) counts.changed += 1;
        counts.ledgers += 1;
      } catch (error) {
        if (stopped.signal.aborted) return;
        counts.unchecked += 1;
        log.error({ ledger, err: error }, "the end of a ledger could not be checked");
      }
      if (performance.now() - reported > REPORT_EVERY) {
        reported = performance.now();
        log.info({ ...counts, upTo: ledger }, "checking the ends of the ledgers");
      }
      await pause(performance.now() - started, undefined, { signal: stopped.signal });
    }
    log.info({ ...counts, ms: Math.round(performance.now() - began) }, "the ends of the ledgers are checked");
  }

  async function isIntact(ledger: LedgerId, seq: bigint): Promise<boolean> {
    const { verdict, problems, head } = await verify(ledger, seq > REACH ? { fromSeq: seq - REACH } : {});
    if (verdict === "INTACT") {
      heads.record(ledger, head);
      return true;
    }
    const first = problems.slice(0, 3).map((problem) => ({ ...problem, seq: String(problem.seq) }));
    log.error({ ledger, verdict, problems: first }, "a ledger was changed while no server ran");
    return false;
  }

  return {
    async stop() {
      stopped.abort();
      await done;
    },
  };
}

/** Every ledger there was when the page with it was read, and where it ended. */
async function* known(pool: Pick<Pool, "query">): AsyncGenerator<{ readonly ledger: LedgerId; readonly seq: bigint }> {
  for (let after = ""; ; ) {
    const { rows } = await pool.query<{ ledger: LedgerId; seq: string }>(
      `SELECT ledger, seq FROM oc_ledger_head WHERE ledger > $1 ORDER BY ledger LIMIT ${PAGE}`,
      [after],
    );
    for (const { ledger, seq } of rows) yield { ledger, seq: BigInt(seq) };
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.ledger;
  }
}
