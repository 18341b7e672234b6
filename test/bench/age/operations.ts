import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import { createPool } from "../../../src/db/pool.ts";
import { createPrisma } from "../../../src/db/prisma.ts";
import { createActionLoader } from "../../../src/domain/actions/loading/loader.ts";
import { lastSighting } from "../../../src/domain/directory/read-seen.ts";
import { createChainProofs } from "../../../src/domain/lineage/proof.ts";
import { readRoute } from "../../../src/domain/lineage/routes.ts";
import { POSITION_COLUMNS, readEntry, readEntryByHash, readEntryPage, readHead } from "../../../src/ledger/read.ts";
import { missingSegments } from "../../../src/ledger/search/build.ts";
import { type EntryFilter, searchEntries } from "../../../src/ledger/search.ts";
import type { Logger } from "../../../src/log.ts";
import { startApp } from "../../support/app.ts";
import { createLedgers, isSigned } from "../../support/ledgers.ts";
import { waitUntil } from "../../support/wait.ts";
import { proposeBody } from "../api/requests.ts";
import { body, facts } from "../append/drafts.ts";
import { LEDGER } from "./database.ts";

/** What is measured on one database: each call is one operation, which throws when it did not find what is there. */
export interface Operations {
  readonly each: ReadonlyMap<string, () => Promise<void>>;
  close(): Promise<void>;
}

interface Known {
  readonly seq: bigint;
  readonly hash: string;
  readonly action_id: string;
  readonly chain: string;
  readonly recorded_at: Date;
}

const AT_POSITION = `SELECT ${POSITION_COLUMNS} FROM oc_entries_at($1, ARRAY[$2::bigint], true) e`;
const OVER_ALL = `
  SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash, p.payload
    FROM oc_audit_log e LEFT JOIN oc_audit_payload p ON p.ledger = e.ledger AND p.seq = e.seq
   WHERE e.ledger = $1 AND e.seq = $2::bigint`;
const PAGE = 20;

export async function openOperations(url: string, log: Logger): Promise<Operations> {
  const pool = createPool({ connectionString: url, max: 4, applicationName: "bench", log });
  const ledgers = createLedgers({ pool, capacity: 10_000 });
  const load = createActionLoader({ db: pool, ledgers, isSigned });
  const proofs = createChainProofs(pool, ledgers);
  const prisma = createPrisma(pool);
  const app = await startApp({ databaseUrl: url });
  // It indexes what was recorded before it started, for which nothing that is measured should wait.
  await waitUntil(async () => (await missingSegments(pool, 1)).length === 0);
  const known = await sample(pool);
  const any = () => known[Math.floor(Math.random() * known.length)]!;
  const find = (filter: () => EntryFilter, found: number) => async () => {
    const entries = await searchEntries(pool, LEDGER, filter(), { limit: PAGE, newestFirst: true });
    if (found > 0 ? entries.length < Math.min(found, PAGE) : entries.length > 0) {
      throw new Error(`${entries.length} entries meet ${JSON.stringify(filter())}`);
    }
  };
  const append = (caller: number) => ledgers.append(LEDGER, body(facts(caller, url)));
  const month = 30 * 24 * 3600 * 1000;

  const each: Record<string, () => Promise<unknown>> = {
    "append, one at a time": () => append(0),
    "append, a batch of 256": () => Promise.all(Array.from({ length: 256 }, (_, caller) => append(caller))),
    "by position, prepared": async () => one(await readEntry(pool, LEDGER, any().seq)),
    "by position, not prepared": async () => one((await pool.query(AT_POSITION, [LEDGER, any().seq])).rows[0]),
    "by position, through Prisma": async () => {
      const { seq } = any();
      one(
        (
          await prisma.$queryRaw<
            unknown[]
          >`SELECT e.seq, e.entry FROM oc_entries_at(${LEDGER}, ARRAY[${seq}::bigint], true) e`
        )[0],
      );
    },
    "for comparison: over all partitions, prepared": async () =>
      one((await pool.query({ name: "over_all", text: OVER_ALL, values: [LEDGER, any().seq] })).rows[0]),
    "for comparison: over all partitions, not prepared": async () =>
      one((await pool.query(OVER_ALL, [LEDGER, any().seq])).rows[0]),
    "by hash": async () => one(await readEntryByHash(pool, LEDGER, any().hash)),
    "by hash, of the latest tenth": async () =>
      one(await readEntryByHash(pool, LEDGER, known[Math.floor(known.length * (0.9 + 0.1 * Math.random()))]!.hash)),
    "a page of the follower at the end": async () => {
      await readEntryPage(pool, LEDGER, (await readHead(pool, LEDGER))?.seq ?? 0n);
    },
    "a page of 256 entries": async () => one((await readEntryPage(pool, LEDGER, any().seq - 1n)).entries[0]),
    "loading an action": async () => one(await load({ ledger: LEDGER, id: any().action_id })),
    "the chain a step belongs to": async () => {
      const key = { ledger: LEDGER, principalId: "agent-7", onBehalfOfId: "member", conversation: "" };
      one((await readRoute({ db: pool, proofs }, key, "reservations", false)).current);
    },
    "the last of a principal": async () => one(await lastSighting(pool, LEDGER, "agent-7")),
    "newest entries, no filter": find(() => ({}), PAGE),
    "filter actorId": find(() => ({ actorId: "agent-7" }), PAGE),
    "filter onBehalfOfId": find(() => ({ onBehalfOfId: "member" }), PAGE),
    "filter actorId, absent": find(() => ({ actorId: "nobody" }), 0),
    "filter type": find(() => ({ types: ["ACTION_PROPOSED"] }), PAGE),
    "filter platform": find(() => ({ platform: "reservations" }), PAGE),
    "filter tool": find(() => ({ tool: "book_reservation" }), PAGE),
    "filter effect": find(() => ({ effect: "WRITE" }), PAGE),
    "filter actionId": find(() => ({ actionId: any().action_id }), 1),
    "filter chainHash": find(() => ({ chainHash: any().chain }), 1),
    "filter chainHash, absent": find(() => ({ chainHash: randomUUID() }), 0),
    "filter sourceChainHash, absent": find(() => ({ sourceChainHash: randomUUID() }), 0),
    "filter sessionId, absent": find(() => ({ sessionId: randomUUID() }), 0),
    "a month by date": find(() => {
      const { recorded_at } = any();
      const end = new Date(recorded_at.getTime() + month);
      return { recordedFrom: recorded_at.toISOString(), recordedTo: end.toISOString() };
    }, 1),
    "proposeAction over HTTP, a write": async () => {
      const { query, variables } = JSON.parse(proposeBody("WRITE", "bench")) as { query: string; variables: object };
      const data = await app.ask<{ proposeAction: { action: unknown } }>(query, variables, "agent");
      one(data.proposeAction.action);
    },
  };
  return {
    each: new Map(Object.entries(each).map(([name, run]) => [name, async () => void (await run())])),
    async close() {
      await app.stop();
      await ledgers.close();
      await pool.end();
    },
  };
}

function one(found: unknown): void {
  if (found === undefined || found === null) throw new Error("nothing was found");
}

/** A thousand proposals, evenly over the ledger. */
async function sample(pool: Pool): Promise<readonly Known[]> {
  const { rows } = await pool.query<Omit<Known, "seq"> & { readonly seq: string }>(
    `SELECT seq, encode(hash, 'hex') AS hash, action_id, chain, recorded_at FROM oc_audit_log
      WHERE ledger = $1 AND action_id IS NOT NULL AND seq % greatest(1, (SELECT seq / 1000 FROM oc_ledger_head WHERE ledger = $1)) = 0
      ORDER BY seq`,
    [LEDGER],
  );
  return rows.map((row) => ({ ...row, seq: BigInt(row.seq) }));
}
