import { Client, type Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { startThread } from "../../src/ledger/verify/runner.ts";
import { RANGE_SIZE } from "../../src/ledger/verify.ts";
import { sealSigned, verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { unguarded } from "./manipulate-states.ts";
import { listing, MEMBER, note, sessionStep } from "./scene.ts";
import { createLedger, uuid } from "./verify.fixture.ts";

/** A ledger of three pieces, with things that live in more than one of them. */
const LEDGER = "acme/eu";
const TOTAL = 25_001n;
const APPLICATION = "verify-threads";
const [session, late] = [uuid("session", 1), uuid("session", 2)];
let database: TestDatabase;
let superuser: Client;
let pool: Pool;

const agent = (version: number, suspended: boolean) =>
  listing(
    "PRINCIPAL",
    "agent-7",
    version,
    { kind: "AGENT", roles: [], suspended },
    ["PRINCIPAL_ROLES_CHANGED", "PRINCIPAL_SUSPENDED", "PRINCIPAL_REINSTATED"][version - 1],
  );
/** What is at these positions; at all others there are notes. */
const SPECIAL: Readonly<Record<number, UnsealedObject>> = {
  100: sessionStep(session, 1, { conversation: "c" }),
  200: agent(1, false),
  9000: sessionStep(late, 1),
  9500: note("early in it", { session, actor: MEMBER }),
  12000: agent(2, true),
  15000: note("late in it", { session, actor: MEMBER }),
  15001: note("in the other", { session: late, actor: MEMBER }),
  18000: sessionStep(session, 2, { conversation: "c" }),
  24000: agent(3, false),
};

beforeAll(async () => {
  database = await createTestDatabase();
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  // One verification waits for the other's connection, however slow the machine is.
  pool = createPool({
    connectionString: database.appUrl,
    max: 1,
    applicationName: APPLICATION,
    connectionTimeoutMs: 600_000,
    log: silent,
  });
  await createLedger(superuser, LEDGER);
  for (let from = 2; from <= TOTAL; from += 5_000) {
    const sealed = Array.from({ length: 5_000 }, (_, at) =>
      sealSigned(LEDGER, {
        id: uuid("thread", from + at),
        ...(SPECIAL[from + at] ?? { type: "NOTE", actor: { id: "tester" } }),
      }),
    );
    const [bodies, payloads] = [sealed.map(({ body }) => body), sealed.map(({ payload }) => payload)];
    await superuser.query("SELECT oc_ledger_append($1, $2, $3)", [LEDGER, bodies.join("\n"), payloads.join("\n")]);
  }
  await superuser.query("CREATE SCHEMA original; CREATE TABLE original.state AS SELECT * FROM oc_state");
});

afterAll(async () => {
  await pool.end();
  await superuser.end();
  await database.drop();
});

/** What is found while state rows are changed. */
async function found(change: string) {
  await superuser.query(unguarded(change));
  const { verdict, problems } = await verifyLedger(pool, LEDGER, { workers: 2 });
  await superuser.query(unguarded("DELETE FROM oc_state; INSERT INTO oc_state SELECT * FROM original.state"));
  return { verdict, problems: problems.map(({ seq, detail }) => [seq, detail]) };
}

describe("verifyLedger, in threads", () => {
  it("finds a ledger intact whose things live in several pieces", async () => {
    expect(TOTAL).toBeGreaterThan(2n * RANGE_SIZE);
    for (const workers of [1, 2, 7]) {
      const report = await verifyLedger(pool, LEDGER, { workers });
      expect(report).toMatchObject({ verdict: "INTACT", problems: [], checkedEntries: TOTAL });
    }
  });

  it("needs one connection of the pool, and leaves none of its own behind", async () => {
    await Promise.all([verifyLedger(pool, LEDGER, { workers: 2 }), verifyLedger(pool, LEDGER, { workers: 1 })]);
    await waitUntil(async () => {
      const { rows } = await superuser.query<{ n: number }>(
        "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1",
        [APPLICATION],
      );
      return rows[0]?.n === 1;
    });
  });

  it("names rows of things that other pieces move", async () => {
    const agentRow = "WHERE id = 'agent-7'";
    expect(await found(`DELETE FROM oc_state ${agentRow}`)).toEqual({
      verdict: "STATE_MISMATCH",
      problems: [200n, 12_000n, 24_000n].map((seq, version) => [
        seq,
        `oc_state PRINCIPAL agent-7 does not list this entry as its version ${version + 1}`,
      ]),
    });
    const back = `UPDATE oc_state s SET version = 2, updated_seq = 12000, entries = entries[1:2], hash = e.hash,
      state = e.entry::jsonb #> '{body,states,0,state}' FROM oc_audit_log e ${agentRow.replace("id", "s.id")} AND e.seq = 12000`;
    expect(await found(back)).toEqual({
      verdict: "STATE_MISMATCH",
      problems: [[24_000n, "oc_state PRINCIPAL agent-7 does not list this entry as its version 3"]],
    });
    expect(await found(`UPDATE oc_state SET entries[2] = 12001 ${agentRow}`)).toEqual({
      verdict: "STATE_MISMATCH",
      problems: [[12_000n, "oc_state PRINCIPAL agent-7 does not list this entry as its version 2"]],
    });
    const sessionRow = `WHERE id = '${session}'`;
    expect(await found(`UPDATE oc_state SET actor_id = 'mallory' ${sessionRow}`)).toEqual({
      verdict: "STATE_MISMATCH",
      problems: [[18_000n, `oc_state SESSION ${session}: actor_id is mallory, in the entry it is member`]],
    });
    expect(await found(`UPDATE oc_state SET conversation = '' ${sessionRow}`)).toMatchObject({
      problems: [[18_000n, `oc_state SESSION ${session}: conversation is , in the entry it is c`]],
    });
  });

  it("follows what entries depend on into earlier pieces", async () => {
    const { verdict, problems } = await found(`UPDATE oc_state SET entries[2] = 14000 WHERE id = '${session}'`);
    expect(verdict).toBe("ILLEGAL_STEP");
    expect(problems).toContainEqual([15_000n, expect.stringContaining("which it did not have then")]);
    expect(problems).toContainEqual([18_000n, expect.stringContaining("does not list this entry as its version 2")]);
    expect(await verifyLedger(pool, LEDGER, { fromSeq: 15_000n, toSeq: 15_001n })).toMatchObject({ verdict: "INTACT" });
  });

  it("rejects, and ends, when a thread loses its connection", async () => {
    const outcome = verifyLedger(pool, LEDGER, { workers: 1 }).catch((error: unknown) => error);
    // It reads the first piece of three.
    await waitUntil(async () => {
      const { rows } = await superuser.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = $1 AND query LIKE 'COPY%' AND state = 'active'`,
        [APPLICATION],
      );
      return rows.length > 0;
    });
    expect(await outcome).toMatchObject({ code: "57P01" });
    expect((await verifyLedger(pool, LEDGER)).verdict).toBe("INTACT");
  });

  it("rejects a task for a thread without a connection, and ends the thread", async () => {
    const thread = startThread({
      connectionString: "postgresql://127.0.0.1:1/none",
      applicationName: "x",
      role: "x",
      statementTimeoutMs: 0,
    });
    const piece = { from: 1n, to: 1n };
    const piecework = { ledger: LEDGER, range: piece, piece, states: [], keys: [], digestKey: "", limit: 1 } as const;
    const task = { ...piecework, thorough: false };
    await expect(thread.run(task)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await thread.close();
    await expect(thread.run(task)).rejects.toThrow("the worker thread ended");
  });
});
