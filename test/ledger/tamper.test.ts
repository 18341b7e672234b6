import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerHead } from "../../src/facts/entry.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { inOwnDatabase } from "./guards.fixture.ts";
import { ATTACKS, DISARM, REHASH } from "./tamper.attacks.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

/**
 * A superuser who bypasses everything. Each attack runs in a copy of one ledger of 101 entries; the triggers and
 * constraints in its way are dropped first, and put back afterwards, so that the entries alone must give it away.
 */
const LEDGER = "acme/eu";
let database: TestDatabase;
let superuser: Client;
let pool: Pool;
let head: LedgerHead;

beforeAll(async () => {
  database = await createTestDatabase();
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  pool = new Pool({ connectionString: database.superuserUrl, max: 3 });
  await createLedger(superuser, LEDGER);
  await appendActions(superuser, LEDGER, 0, 20);
  const { rows } = await superuser.query<{ seq: string; hash: string }>(
    "SELECT seq, encode(hash, 'hex') AS hash FROM oc_ledger_head",
  );
  head = { seq: BigInt(rows[0]!.seq), hash: rows[0]!.hash };
  await superuser.query(DISARM);
  await superuser.query(`${REHASH}
    CREATE SCHEMA original;
    CREATE TABLE original.log AS SELECT * FROM oc_audit_log; CREATE TABLE original.payload AS SELECT * FROM oc_audit_payload;
    CREATE TABLE original.head AS SELECT * FROM oc_ledger_head; CREATE TABLE original.state AS SELECT * FROM oc_state;
    CREATE TABLE original.month AS SELECT * FROM oc_ledger_month;`);
});

afterAll(async () => {
  await pool.end();
  await waitUntil(async () => {
    const { rows } = await superuser.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
    return rows.length === 0;
  });
  await superuser.end();
  await database.drop();
});

async function restore(): Promise<void> {
  await superuser.query(`
    DELETE FROM oc_audit_log; DELETE FROM oc_audit_payload; DELETE FROM oc_ledger_head; DELETE FROM oc_state;
    DELETE FROM oc_ledger_month; INSERT INTO oc_ledger_month SELECT * FROM original.month;
    INSERT INTO oc_audit_log SELECT * FROM original.log; INSERT INTO oc_audit_payload SELECT * FROM original.payload;
    INSERT INTO oc_ledger_head SELECT * FROM original.head; INSERT INTO oc_state SELECT * FROM original.state`);
}

/** The problems of the entries; those of the guards are the price of this test's attacks. */
async function tamper(sql: string, known: { knownHead?: LedgerHead; earlierHeads?: readonly LedgerHead[] } = {}) {
  await restore();
  await superuser.query(sql);
  const report = await verifyLedger(pool, LEDGER, known);
  expect(report.problems.some(({ verdict }) => verdict === "UNGUARDED")).toBe(true);
  return { ...report, problems: report.problems.filter(({ verdict }) => verdict !== "UNGUARDED") };
}

describe("verifyLedger, of a ledger that a superuser changed", () => {
  it("finds the untouched copy right but for its guards", async () => {
    const report = await tamper("SELECT", { knownHead: head });
    expect(report).toMatchObject({ verdict: "UNGUARDED", problems: [], checkedEntries: 101n });
  });

  it.each(Object.keys(ATTACKS))("finds %s", async (name) => {
    const [sql, verdict, seq, detail] = ATTACKS[name]!;
    const report = await tamper(sql);
    expect(report.problems[0]).toEqual({ verdict, seq, detail: expect.stringMatching(detail) });
    expect(report.verdict).toBe(verdict);
  });

  it("names each of several, the first one first", async () => {
    const report = await tamper(`
      UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 90;
      UPDATE oc_audit_log SET tool = 'other' WHERE seq = 20; DELETE FROM oc_audit_log WHERE seq = 55`);
    // Position 55 is also the one an action's state row says it was last changed at, or lists.
    expect(new Set(report.problems.map(({ verdict, seq }) => `${seq} ${verdict}`))).toEqual(
      new Set(["20 CONTENT_MISMATCH", "55 SEQUENCE_GAP", "90 CONTENT_MISMATCH"]),
    );
    expect(report.problems.map(({ seq }) => seq)).toEqual([20n, 55n, 90n]);
    expect(report.checkedEntries).toBe(100n);
  });

  it("names at most 100", async () => {
    const report = await tamper("UPDATE oc_audit_log SET tool = 'other'");
    // The first 90 positions, and 10 of what is wrong with the guards.
    expect(report.problems.map(({ seq }) => seq)).toEqual(Array.from({ length: 90 }, (_, at) => BigInt(at + 1)));
  });

  it("finds it also when only a part is verified, and not when the part is another one", async () => {
    await restore();
    await superuser.query("UPDATE oc_audit_log SET tool = 'other' WHERE seq = 40");
    expect((await verifyLedger(pool, LEDGER, { fromSeq: 30n, toSeq: 40n })).problems[0]).toMatchObject({
      verdict: "CONTENT_MISMATCH",
      seq: 40n,
    });
    expect((await verifyLedger(pool, LEDGER, { fromSeq: 41n, toSeq: 60n })).verdict).toBe("UNGUARDED");
  });
});

describe("verifyLedger, with the head known outside the database", () => {
  const hashAt = async (seq: number): Promise<LedgerHead> => {
    const { rows } = await superuser.query<{ hash: string }>(
      "SELECT encode(hash, 'hex') AS hash FROM original.log WHERE seq = $1",
      [seq],
    );
    return { seq: BigInt(seq), hash: rows[0]!.hash };
  };
  const rewrite = `UPDATE oc_audit_log SET entry = replace(entry, '"latencyMs":1234', '"latencyMs":1') WHERE seq = 90; SELECT pg_temp.rehash(50)`;
  const change = `UPDATE oc_audit_log SET entry = replace(entry, '"version":"2.1.0"', '"version":"2.1.1"') WHERE seq = 65;`;

  it("detects a ledger that was re-hashed from some position on", async () => {
    expect((await tamper(`${change} ${rewrite}`)).problems).toEqual([]); // consistent in itself: nothing inside can tell, and the entry is none that is signed
    const report = await tamper(`${change} ${rewrite}`, { knownHead: head });
    expect(report.verdict).toBe("CHECKPOINT_INCONSISTENT");
    expect(report.problems).toEqual([
      {
        verdict: "CHECKPOINT_INCONSISTENT",
        seq: 101n,
        detail: expect.stringContaining("history was rewritten from positions 1 to 101 on"),
      },
    ]);
  });

  it("narrows down where by the heads seen earlier", async () => {
    const earlierHeads: LedgerHead[] = [];
    for (const seq of [70, 20, 64, 60]) earlierHeads.push(await hashAt(seq));
    const report = await tamper(`${change} ${rewrite}`, { knownHead: head, earlierHeads });
    expect(report.problems).toEqual([
      {
        verdict: "CHECKPOINT_INCONSISTENT",
        seq: 70n,
        detail: expect.stringContaining("rewritten from positions 65 to 70 on"),
      },
    ]);
  });

  it("finds the rewriting after the ledger has grown beyond the known head", async () => {
    const report = await tamper(`${change} ${rewrite}`, { knownHead: await hashAt(80) });
    expect(report).toMatchObject({ verdict: "CHECKPOINT_INCONSISTENT", problems: [{ seq: 80n }] });
  });

  const cut = `DELETE FROM oc_audit_log WHERE seq > 98;
    UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98;`;

  it("detects a truncated ledger", async () => {
    const report = await tamper(cut, { knownHead: head });
    expect(report).toMatchObject({ verdict: "TRUNCATED", problems: [{ seq: 99n }] });
  });

  it("detects an earlier, consistent state put in place of the ledger", async () => {
    const back = `${cut} DELETE FROM oc_audit_payload WHERE seq > 96; DELETE FROM oc_audit_log WHERE seq > 96;
      UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 96;
      UPDATE oc_state s SET version = 4, status = 'EXECUTING', updated_seq = e.seq, entries = entries[1:4], hash = e.hash,
             state = e.entry::jsonb #> '{body,states,0,state}', expires_at = (e.entry::jsonb #>> '{body,states,0,state,expiresAt}')::timestamptz
        FROM oc_audit_log e WHERE s.updated_seq > 96 AND e.seq = s.entries[4]`;
    expect((await tamper(back)).problems).toEqual([]);
    const report = await tamper(back, { knownHead: head });
    expect(report).toMatchObject({ verdict: "ROLLED_BACK", problems: [{ seq: 97n }] });
    expect(report.problems[0]?.detail).toContain("was known to reach 101 and ends at 96");
  });

  it("detects a head that alone was moved back", async () => {
    const report = await tamper(
      "UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98",
      { knownHead: head },
    );
    expect(report).toMatchObject({ verdict: "ROLLED_BACK", problems: [{ seq: 99n }] });
  });

  it("does not reject a range that ends at a removed position", async () => {
    await restore();
    await superuser.query(cut);
    const report = await verifyLedger(pool, LEDGER, { fromSeq: 90n, toSeq: 101n, knownHead: head });
    expect(report).toMatchObject({ verdict: "TRUNCATED", fromSeq: 90n, toSeq: 98n, checkedEntries: 9n });
  });
});

describe("verifyLedger, of a ledger with weakened guards", () => {
  it("is UNGUARDED, naming the guard, while the entries are right", async () => {
    await inOwnDatabase(async (client, own) => {
      await createLedger(client, LEDGER);
      await appendActions(client, LEDGER, 0, 2);
      expect((await verifyLedger(own, LEDGER)).verdict).toBe("INTACT");
      await client.query(
        "SET countersign.migration = 'on'; ALTER TABLE oc_audit_log_default DISABLE TRIGGER oc_refuse_statement",
      );
      const report = await verifyLedger(own, LEDGER);
      expect(report).toMatchObject({ verdict: "UNGUARDED", checkedEntries: 11n });
      expect(report.problems).toContainEqual({
        verdict: "UNGUARDED",
        seq: undefined,
        detail: expect.stringMatching(
          /^public.oc_audit_log_default: missing: trigger always CREATE TRIGGER oc_refuse_statement/,
        ),
      });
    });
  });

  it("reports ghost rows of an inheritance child as a weakened guard", async () => {
    await inOwnDatabase(async (client, own) => {
      await createLedger(client, LEDGER);
      await client.query(`SET countersign.migration = 'on'; CREATE TABLE ghosts () INHERITS (oc_ledger_head);
        INSERT INTO ghosts SELECT * FROM ONLY oc_ledger_head`);
      const report = await verifyLedger(own, LEDGER);
      expect(report.verdict).toBe("UNGUARDED");
      expect(report.problems.map(({ detail }) => detail)).toContainEqual(
        expect.stringContaining("public.ghosts: unexpected: table owner"),
      );
    });
  });
});
