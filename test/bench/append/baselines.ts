import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { PrismaClient } from "../../../src/db/generated/prisma/client.ts";
import { entryText, GENESIS_HASH } from "../../../src/facts/entry.ts";
import { sha256Hex } from "../../../src/facts/hash.ts";
import type { Draft, DraftOutcome } from "../../../src/ledger/appending/call.ts";
import { AppendQueue } from "../../../src/ledger/appending/queue.ts";
import { type Facts, facts, plainEvent, sealedDraft } from "./drafts.ts";

/** What the ledger is measured against, each in tables of its own in schema `bench`. */
export interface Baseline {
  append(caller: number): Promise<unknown>;
  close(): Promise<void>;
}

export const BASELINE_TABLES = `
  DROP SCHEMA IF EXISTS bench CASCADE;
  CREATE SCHEMA bench;
  CREATE TABLE bench.oc_audit_log (LIKE public.oc_audit_log) WITH (toast_tuple_target = 8160);
  CREATE UNIQUE INDEX ON bench.oc_audit_log (ledger, seq);
  CREATE UNIQUE INDEX ON bench.oc_audit_log (prev_hash, ledger);
  CREATE INDEX ON bench.oc_audit_log (actor_id, ledger, seq);
  CREATE INDEX ON bench.oc_audit_log (on_behalf_of_id, ledger, seq) WHERE on_behalf_of_id IS NOT NULL;
  CREATE INDEX ON bench.oc_audit_log (tool, ledger, seq) WHERE tool IS NOT NULL;
  CREATE INDEX ON bench.oc_audit_log (chain, ledger, seq) WHERE chain IS NOT NULL;
  CREATE INDEX ON bench.oc_audit_log (source_chain, ledger, seq) WHERE source_chain IS NOT NULL;
  CREATE INDEX ON bench.oc_audit_log (session_id, ledger, seq) WHERE session_id IS NOT NULL;
  CREATE INDEX ON bench.oc_audit_log (action_id, ledger, seq) WHERE action_id IS NOT NULL AND state_version IS NULL;
  CREATE INDEX ON bench.oc_audit_log USING brin (recorded_at);
  CREATE TABLE bench.oc_audit_payload (LIKE public.oc_audit_payload) WITH (toast_tuple_target = 8160);
  CREATE UNIQUE INDEX ON bench.oc_audit_payload (ledger, seq);
  CREATE TABLE bench.oc_action (LIKE public.oc_action) WITH (fillfactor = 80);
  ALTER TABLE bench.oc_action ADD PRIMARY KEY (ledger, id);
  CREATE INDEX ON bench.oc_action (status, ledger, proposed_seq);
  CREATE INDEX ON bench.oc_action (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE bench.oc_state (LIKE public.oc_state INCLUDING INDEXES) WITH (fillfactor = 80);
  CREATE TABLE bench.event (
    id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), actor text NOT NULL, tool text NOT NULL,
    event jsonb NOT NULL);
  CREATE INDEX ON bench.event (at);
  CREATE INDEX ON bench.event (actor);
  CREATE INDEX ON bench.event (tool);`;

const LEDGER = "bench/eu";

/** (a) What one writes first: an interactive transaction that locks, reads the last row, hashes and inserts. */
export function prismaTransaction(url: string, connections: number): Baseline {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { schema: "bench" }) });
  return {
    async append(caller) {
      const of = facts(caller);
      const draft = sealedDraft(of);
      await prisma.$transaction(
        async (tx) => {
          await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${LEDGER}))`;
          const last = await tx.entry.findFirst({ where: { ledger: LEDGER }, orderBy: { seq: "desc" } });
          const seq = (last?.seq ?? 0n) + 1n;
          const prevHash = last === null ? GENESIS_HASH : Buffer.from(last.hash).toString("hex");
          const now = new Date();
          const recordedAt = now.toISOString().replace("Z", "000Z");
          const entry = entryText({ body: draft.body, ledger: LEDGER, prevHash, recordedAt, seq });
          const row = {
            ...columns(of),
            recordedAt: now,
            entry,
            hash: bytes(sha256Hex(entry)),
            prevHash: bytes(prevHash),
          };
          await tx.entry.create({ data: { ledger: LEDGER, seq, ...row } });
          await tx.payload.create({
            data: { ledger: LEDGER, seq, recordedAt: now, payload: JSON.parse(draft.payload) },
          });
          await tx.action.create({ data: { ...state(of, seq), ledger: LEDGER } });
        },
        { maxWait: 60_000, timeout: 60_000 },
      );
    },
    async close() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

function columns(of: Facts) {
  const action = { actionId: of.actionId, stateVersion: 1, platform: "reservations", tool: "book_reservation" };
  return {
    id: of.id,
    type: "ACTION_PROPOSED",
    actorId: of.actor,
    onBehalfOfId: "member",
    effect: "WRITE",
    chain: of.chain,
    ...action,
  };
}

function state(of: Facts, seq: bigint) {
  const expiresAt = new Date("2026-11-22T23:00:00Z");
  const at = { proposedSeq: seq, updatedSeq: seq, entries: [seq] };
  return {
    id: of.actionId,
    version: 1,
    status: "PENDING",
    agentId: of.actor,
    onBehalfOfId: "member",
    approvals: 0,
    expiresAt,
    ...at,
  };
}

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

const UNNEST = `
  WITH entry AS (
    INSERT INTO bench.oc_audit_log
    SELECT $1, u.seq, now(), u.entry, u.hash, u.prev_hash, u.id, 'ACTION_PROPOSED', u.actor, 'member', NULL, u.action,
           1,
           'reservations', 'book_reservation', 'WRITE', u.chain, NULL
      FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::uuid[], $7::text[], $8::uuid[], $9::uuid[])
             AS u(seq, entry, hash, prev_hash, id, actor, action, chain)
  ), payload AS (
    INSERT INTO bench.oc_audit_payload
    SELECT $1, u.seq, u.payload::json, now() FROM unnest($2::bigint[], $10::text[]) AS u(seq, payload)
  )
  INSERT INTO bench.oc_state
  SELECT $1, 'ACTION', u.action, 1, '{"approvals":0,"expiresAt":"2026-11-22T23:00:00.000000Z","status":"PENDING"}', 'PENDING',
         '2026-11-22T23:00:00Z', u.actor, 'member', '', u.seq, u.seq, ARRAY[u.seq], u.hash
    FROM unnest($2::bigint[], $8::uuid[], $7::text[], $4::bytea[]) AS u(seq, action, actor, hash)`;

/**
 * (b) The same bytes in the same batches into the same tables and indexes, with no chain, lock, check or version. Given
 * `overlapping`, two batches are inserted at the same time; entries of one chain never are.
 */
export async function unnestInsert(pool: pg.Pool, overlapping = true): Promise<Baseline> {
  let seq = await lastSeq(pool);
  const known = new Map<string, Facts>();
  // The real text around a body, so that as many bytes travel and are stored.
  const recordedAt = "2026-11-21T22:50:01.123456Z";
  async function append(drafts: readonly Draft[]): Promise<readonly DraftOutcome[]> {
    const rows = drafts.map((draft) => ({ draft, of: known.get(draft.id) as Facts, seq: ++seq, hash: random32() }));
    await pool.query({
      name: "unnest",
      text: UNNEST,
      values: [
        LEDGER,
        rows.map((row) => row.seq),
        rows.map((row) =>
          entryText({ body: row.draft.body, ledger: LEDGER, prevHash: GENESIS_HASH, recordedAt, seq: row.seq }),
        ),
        rows.map((row) => row.hash),
        rows.map((row) => row.hash),
        rows.map((row) => row.of.id),
        rows.map((row) => row.of.actor),
        rows.map((row) => row.of.actionId),
        rows.map((row) => row.of.chain),
        rows.map((row) => row.draft.payload),
      ],
    });
    return rows.map((row) => ({ refusal: undefined, seq: row.seq, hash: "", prevHash: "", recordedAt }));
  }
  const queue = new AppendQueue({
    append,
    appendAgain: append,
    capacity: 100_000,
    head: 0n,
    mayOverlap: () => overlapping,
  });
  return {
    async append(caller) {
      const of = facts(caller);
      known.set(of.id, of);
      await queue.append(sealedDraft(of));
      known.delete(of.id);
    },
    close: () => queue.drain(),
  };
}

/** Tables keep what earlier rounds wrote, as the ledger does: their indexes grow alike. */
async function lastSeq(pool: pg.Pool): Promise<bigint> {
  const { rows } = await pool.query<{ seq: string }>("SELECT coalesce(max(seq), 0) AS seq FROM bench.oc_audit_log");
  return BigInt(rows[0]?.seq ?? 0);
}

function random32(): Buffer {
  return randomFillSync(Buffer.alloc(32));
}

/** (c) What a team would do without us: one autocommitted INSERT per event into an ordinary audit table. */
export function auditTable(url: string, connections: number): Baseline {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  pool.on("error", () => {}); // idle connections end with the server at the close
  return {
    async append(caller) {
      const of = facts(caller);
      const values = [of.id, of.actor, "book_reservation", plainEvent(of)];
      await pool.query({
        name: "event",
        text: "INSERT INTO bench.event (id, actor, tool, event) VALUES ($1, $2, $3, $4)",
        values,
      });
    },
    close: () => pool.end(),
  };
}

const SINGLE = `INSERT INTO bench.oc_audit_log VALUES ($1, $2, now(), $3, $4, $5, $6, 'ACTION_PROPOSED', $7, 'member', NULL, $8, 1,
  'reservations', 'book_reservation', 'WRITE', $9, NULL)`;

/** The same row of the log alone, inserted by one plain statement: what one caller's latency is held against. */
export async function singleInsert(pool: pg.Pool): Promise<Baseline> {
  let seq = await lastSeq(pool);
  return {
    async append(caller) {
      const of = facts(caller);
      const { body } = sealedDraft(of);
      seq += 1n;
      const recordedAt = "2026-11-21T22:50:01.123456Z";
      const entry = entryText({ body, ledger: LEDGER, prevHash: GENESIS_HASH, recordedAt, seq });
      const hash = random32();
      const values = [LEDGER, seq, entry, hash, hash, of.id, of.actor, of.actionId, of.chain];
      await pool.query({ name: "single", text: SINGLE, values });
    },
    close: async () => {},
  };
}
