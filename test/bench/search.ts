/**
 * npm run bench:search — the first page of a search, by each filter of the API, oldest and newest first, in a ledger of a million
 * entries; and the same search without the index, until its time limit.
 * Settings: ENTRIES (1000000), ROUNDS (15); DATABASE_URL of a database for this alone, which is filled unless it was before.
 */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { startProgress } from "../../src/cli/progress.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { seal } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { buildSegment, fullSegments, missingSegments } from "../../src/ledger/search/build.ts";
import { type EntryFilter, searchPage } from "../../src/ledger/search.ts";
import { createLogger } from "../../src/log.ts";
import { actionBodies, createLedger, uuid } from "../ledger/verify.fixture.ts";
import { median, table } from "./load.ts";

const ENTRIES = Number(process.env.ENTRIES ?? 1_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 15);
const LEDGER: LedgerId = "bench/eu";
/** Lives of actions appended with one call a stage. */
const LIVES = 200;
const LIMIT = 21;

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const given = process.env.DATABASE_URL;
const postgres = given === undefined ? await startEmbeddedPostgres({ dataDir, log }) : undefined;
const url = given ?? postgres?.url ?? "";

async function fill(): Promise<void> {
  await migrate({ connectionString: url, log });
  const filler = new pg.Client({ connectionString: url });
  await filler.connect();
  const { rowCount } = await filler.query("SELECT FROM oc_ledger_head WHERE ledger = $1", [LEDGER]);
  if (rowCount !== 0) return filler.end();
  await filler.query("SET synchronous_commit = off");
  await createLedger(filler, LEDGER);
  const progress = startProgress("entries", ENTRIES);
  for (let at = 0; at * 5 < ENTRIES; at += LIVES) {
    const lives = Array.from({ length: LIVES }, (_, index) => actionBodies(at + index));
    for (let stage = 0; stage < 5; stage++) {
      const drafts = lives.map((life) => seal(life[stage]!));
      const texts = [drafts.map(({ body }) => body).join("\n"), drafts.map(({ payload }) => payload).join("\n")];
      await filler.query("SELECT FROM oc_ledger_append($1, $2, $3)", [LEDGER, ...texts]);
    }
    progress.advance(LIVES * 5);
  }
  progress.finish();
  await filler.query("VACUUM ANALYZE");
  await filler.end();
}

/** Builds what is missing of the index. Returns entries a second. */
async function build(pool: pg.Pool): Promise<number> {
  const progress = startProgress("segments", await fullSegments(pool, LEDGER));
  const started = performance.now();
  let made = 0;
  for (;;) {
    const missing = await missingSegments(pool, 16, LEDGER);
    if (missing.length === 0) break;
    for (const id of missing) {
      await buildSegment(pool, id);
      made += 1;
      progress.advance();
    }
  }
  progress.finish();
  return (made * 2048 * 1000) / (performance.now() - started);
}

async function filters(pool: pg.Pool): Promise<readonly (readonly [string, EntryFilter, number])[]> {
  const { rows } = await pool.query<{ recorded_at: Date; last: string }>(
    `SELECT e.recorded_at, h.seq AS last FROM oc_ledger_head h
       JOIN oc_audit_log e ON e.ledger = h.ledger AND e.seq = h.seq / 2 WHERE h.ledger = $1`,
    [LEDGER],
  );
  const middle = rows[0]!.recorded_at.getTime();
  const at = (milliseconds: number) => new Date(middle + milliseconds).toISOString();
  const one = Math.floor(Number(rows[0]!.last) / 10);
  const range = { recordedFrom: at(0), recordedTo: at(1_000) };
  return [
    ["no filter", {}, 50],
    ["date range in the middle", range, 50],
    ["type, absent", { types: ["ABSENT"] }, 50],
    ["platform, absent", { platform: "absent" }, 50],
    ["effect and platform that never meet", { effect: "READ", platform: "payments" }, 50],
    ["actor and tool that never meet", { actorId: "approver", tool: "book_reservation", types: ["GRANT_ISSUED"] }, 50],
    ["actor, common", { actorId: "approver" }, 50],
    ["session, absent", { sessionId: uuid("session", 1) }, 50],
    ["chain", { chainHash: uuid("chain", Math.floor(one / 4)) }, 50],
    ["action", { actionId: uuid("action", one) }, 50],
    ["word, absent", { text: "zzyzxq" }, 200],
    ["word of three letters, absent", { text: "zqx" }, 200],
    ["id as a word, absent", { text: uuid("absent", 1) }, 200],
    ["word in one action", { text: `mia_li_${one}` }, 200],
    ["words, common", { text: "cheapest SEATTLE hat136" }, 200],
    ["contains, absent", { contains: { user_id: "mia_li_nobody" } }, 200],
    ["contains, one action", { contains: { user_id: `mia_li_${one}` } }, 200],
    ["contains, absent number", { contains: { total: 250.75 } }, 200],
    ["e-mail address, absent", { actorEmail: "nobody@nowhere.example" }, 200],
    ["e-mail address, common", { actorEmail: "ADA@acme.example" }, 200],
    ["absent word, common actor and type", { text: "zzyzxq", actorId: "approver", types: ["ACTION_APPROVED"] }, 200],
    ["absent word in a date range", { text: "zzyzxq", ...range }, 200],
  ];
}

/** Milliseconds of each round, oldest and newest first in turn. */
async function measure(pool: pg.Pool, filter: EntryFilter, rounds: number) {
  const times: Record<"oldest" | "newest", number[]> = { oldest: [], newest: [] };
  let stopped = false;
  for (let round = 0; round < rounds; round++) {
    for (const order of ["oldest", "newest"] as const) {
      const started = performance.now();
      const page = await searchPage(pool, LEDGER, filter, { limit: LIMIT, newestFirst: order === "newest" });
      times[order].push(performance.now() - started);
      stopped ||= page.stoppedAt !== undefined;
    }
  }
  return { oldest: median(times.oldest), newest: median(times.newest), stopped };
}

const HIDE = "UPDATE oc_work.search_segment SET format = -format WHERE ledger = $1";

try {
  await fill();
  const pool = createPool({ connectionString: url, max: 4, applicationName: "bench", log });
  const speed = await build(pool);
  const wanted = await filters(pool);
  const shown = (value: number, stopped = false) => `${stopped ? "> " : ""}${value.toFixed(1)}`;
  const indexed: Awaited<ReturnType<typeof measure>>[] = [];
  for (const [, filter] of wanted) {
    await measure(pool, filter, 2);
    indexed.push(await measure(pool, filter, ROUNDS));
  }
  const { rows: sizes } = await pool.query<{ index: string; entries: string }>(
    `SELECT pg_size_pretty(pg_total_relation_size('oc_work.search_segment')) AS index,
            (SELECT seq FROM oc_ledger_head WHERE ledger = $1) AS entries`,
    [LEDGER],
  );
  // The baseline: in the same database, the index out of sight of the searches.
  await pool.query(HIDE, [LEDGER]);
  const lines: string[][] = [];
  for (const [n, [name, filter, most]] of wanted.entries()) {
    const without = await measure(pool, filter, 1);
    const { oldest, newest } = indexed[n]!;
    const bare = shown(Math.max(without.oldest, without.newest), without.stopped);
    lines.push([name, shown(oldest), shown(newest), bare, `<= ${most}`]);
  }
  await pool.query(HIDE, [LEDGER]);
  await pool.end();
  const made = speed > 0 ? `, built at ${Math.round(speed)} entries a second` : "";
  process.stdout.write(`${sizes[0]?.entries} entries, ${ROUNDS} rounds; index of ${sizes[0]?.index}${made}\n\n`);
  const head = ["filter", "oldest first, ms", "newest first, ms", "without index, ms", "wanted"];
  process.stdout.write(`${table(head, lines)}\n`);
} finally {
  await postgres?.stop();
  if (given === undefined) await rm(dataDir, { recursive: true, force: true });
}
