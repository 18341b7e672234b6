/**
 * npm run bench:lineage:scale — how long it takes to find what a write has of what its caller read, in a ledger with ten thousand reads of others and
 * in one with a million, one after the other in each round. `--help` lists the options.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { createActions } from "../../src/domain/actions/actions.ts";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { createFingerprintMaker } from "../../src/domain/lineage/fingerprints/apart.ts";
import { createFindOrigins } from "../../src/domain/lineage/sources/origins.ts";
import { createRecentReads } from "../../src/domain/lineage/sources/recent-reads.ts";
import { createFingerprintKeys } from "../../src/domain/lineage/sources/recorder.ts";
import { loadCatalog } from "../../src/domain/policy/catalog.ts";
import { createPolicy } from "../../src/domain/policy/evaluate.ts";
import { canonicalize } from "../../src/facts/canonical.ts";
import { type LedgerId, ledgerOf } from "../../src/facts/entry.ts";
import { createLogger } from "../../src/log.ts";
import { agent, calling, read } from "../domain/support.ts";
import { createLedgers, isSigned } from "../support/ledgers.ts";
import { intervalOfMedian, median, table } from "./load.ts";
import { readOptions } from "./options.ts";

const options = readOptions("Time to match a write with what its caller read, by how many reads others have.", {
  few: { says: "reads of others in one ledger", unit: "reads", from: 1, to: 10_000_000, otherwise: 10_000 },
  many: { says: "reads of others in the other ledger", unit: "reads", from: 1, to: 10_000_000, otherwise: 1_000_000 },
  own: { says: "reads of the caller in each", unit: "reads", from: 1, to: 500, otherwise: 100 },
  values: { says: "values of the write", unit: "values", from: 1, to: 1_000, otherwise: 50 },
  rounds: { says: "rounds, each in both ledgers", unit: "rounds", from: 5, to: 10_000, otherwise: 101 },
});

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const postgres = await startEmbeddedPostgres({ dataDir, log });

// Of others: only what the indexes have of an entry, since nothing else of them is read.
const OTHERS = `
  INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id, platform, tool, effect)
  SELECT $1, n, now(), entry, sha256(convert_to(entry, 'UTF8')), prev, gen_random_uuid(), 'ACTION_PROPOSED', 'agent' || n % 1000,
         'person' || n % 1000, 'crm', 'get_user_details', 'READ'
    FROM (SELECT x.*, '{"body":{"status":"ALLOWED"},"ledger":"' || $1 || '","prevHash":"' || encode(prev, 'hex')
                   || '","recordedAt":"2026-01-01T00:00:00.000000Z","seq":"' || n || '","v":1}' AS entry
            FROM (SELECT n, sha256(n::text::bytea) AS prev FROM generate_series($2::bigint, $3::bigint) n) x) y`;
const FINGERPRINTS = `
  INSERT INTO oc_work.read_fingerprints (ledger, action, digest, salt, source, fingerprints)
  SELECT $1, gen_random_uuid(), sha256(n::text::bytea), '\\x00', n, decode(repeat(substr(md5(n::text), 1, 12), 50), 'hex')
    FROM generate_series(1, $2::bigint) n`;
const UNGUARDED = `
  SET LOCAL countersign.migration = 'on';
  DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT 'oc_audit_log'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass LOOP
      EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER USER', t);
    END LOOP;
  END $$`;

const addressOf = (record: number, field: number) =>
  `${field}-${record}-${(record * 7_919 + field * 104_729) % 1_000_003}@example.com`;

try {
  await migrate({ connectionString: postgres.url, log });
  const pool = createPool({ connectionString: postgres.url, max: 8, applicationName: "bench", log });
  const ledgers = createLedgers({ pool, capacity: 10_000 });
  const keys = await loadKeys(path.join(dataDir, "bench-keys.json"));
  const policy = createPolicy(await loadCatalog());
  const config = { region: "eu", approvalTtl: 600, grantTtl: 600, executionTtl: 600, chainIdle: 1800 };
  const maker = createFingerprintMaker();
  const actions = createActions({ ledgers, isSigned, pool, policy, keys, config, maker });
  const callers = (["few", "many"] as const).map((name) => {
    const by = calling({ ...agent, organization: name });
    return { name, by, ledger: ledgerOf(name, "eu") as LedgerId, reads: options[name] };
  });
  for (const { by } of callers) {
    for (let record = 0; record < options.own; record += 1) {
      const { action, grant } = await actions.propose(by, read({ arguments: { user_id: randomUUID() } }));
      const digest = String(action.proposal.body.digest);
      await actions.redeemGrant(by, { token: grant?.token ?? "", digest });
      const result = Object.fromEntries(
        Array.from({ length: 20 }, (_, field) => [`f${field}`, addressOf(record, field)]),
      );
      await actions.complete(by, { actionId: action.state.id, outcome: "SUCCEEDED", result });
    }
  }
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  for (const { ledger, reads, name } of callers) {
    const started = performance.now();
    await client.query(`BEGIN; ${UNGUARDED}`);
    await client.query(OTHERS, [ledger, 1_000_000, 1_000_000 + reads - 1]);
    await client.query("COMMIT");
    await client.query(FINGERPRINTS, [ledger, reads]);
    process.stderr.write(
      `${name}: ${reads} reads of others in ${Math.round((performance.now() - started) / 1_000)} s\n`,
    );
  }
  await client.query("VACUUM ANALYZE");
  await client.end();

  const keyOf = createFingerprintKeys(keys.secret);
  /** As a server has it that has just started, or has looked at what the caller read before. */
  const finder = () => {
    const recentReads = createRecentReads({ db: pool, ledgers, sessionWindow: 12 * 3_600 });
    return createFindOrigins({ db: pool, keyOf, maker, recentReads });
  };
  const given = Array.from({ length: options.values }, (_, at) =>
    at % 2 === 0 ? addressOf(at % options.own, at % 20) : `${randomUUID()}@example.com`,
  );
  const write = { platform: "reservations", arguments: canonicalize(given), untrusted: new Set<string>() };
  const rows: string[][] = [];
  for (const kind of ["known", "just started"] as const) {
    const kept = finder();
    const times = new Map<string, number[]>(callers.map(({ name }) => [name, []]));
    for (let round = -3; round < options.rounds; round += 1) {
      for (const { name, ledger, by } of round % 2 === 0 ? callers : callers.toReversed()) {
        const find = kind === "known" ? kept : finder();
        const started = performance.now();
        const origins = await (await find(ledger, by.principal))(write);
        const took = performance.now() - started;
        if (origins.lineage.observed.length === 0) throw new Error("nothing was found");
        // The first rounds are not counted: what is common is learned in them.
        if (round >= 0) times.get(name)?.push(took);
      }
    }
    const [few = [], many = []] = callers.map(({ name }) => times.get(name));
    const ratios = many.map((time, at) => time / (few[at] ?? Number.NaN));
    const [low, high] = intervalOfMedian(ratios);
    rows.push([
      kind,
      median(few).toFixed(1),
      median(many).toFixed(1),
      `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
    ]);
  }
  process.stdout.write(
    `${table(["what the caller read is", `${options.few} reads: p50 ms`, `${options.many}: p50 ms`, "÷ few"], rows)}\n`,
  );
  await maker.close();
  await ledgers.close();
  await pool.end();
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
