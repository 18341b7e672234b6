import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerHead } from "../../src/ledger/entry.ts";
import { type LedgerVerdict, verifyLedger } from "../../src/ledger/verify.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { inOwnDatabase } from "./guards.fixture.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

/**
 * A superuser who bypasses everything. Each attack runs in a copy of one ledger of 101 entries; the triggers and
 * constraints in its way are dropped first, and put back afterwards, so that the entries alone must give it away.
 */
const LEDGER = "acme/eu";
const DISARM = `
  DROP EVENT TRIGGER oc_guard_ddl; DROP EVENT TRIGGER oc_guard_function; DROP EVENT TRIGGER oc_guard_drop;
  DROP EVENT TRIGGER oc_guard_rewrite;
  ALTER TABLE oc_audit_log DISABLE TRIGGER ALL;
  DO $$ DECLARE part regclass; BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass LOOP
      EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', part);
      EXECUTE (SELECT string_agg(format('DROP INDEX %s', indexrelid::regclass), ';') FROM pg_index WHERE indrelid = part AND indisunique);
    END LOOP;
  END $$;
  ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash, DROP CONSTRAINT oc_audit_log_prev_hash;`;

/** Sets an entry's bytes, and the hash that belongs to them. */
const REHASH = `
  CREATE FUNCTION pg_temp.rehash(k bigint) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE e record; prev bytea := (SELECT hash FROM oc_audit_log WHERE seq = k - 1); bytes text;
  BEGIN
    FOR e IN SELECT * FROM oc_audit_log WHERE seq >= k ORDER BY seq LOOP
      bytes := regexp_replace(e.entry, '"prevHash":"[0-9a-f]{64}"', '"prevHash":"' || encode(prev, 'hex') || '"');
      UPDATE oc_audit_log SET entry = bytes, prev_hash = prev, hash = sha256(convert_to(bytes, 'UTF8')) WHERE seq = e.seq;
      prev := sha256(convert_to(bytes, 'UTF8'));
    END LOOP;
    UPDATE oc_ledger_head SET hash = prev;
  END $$;`;

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
  const { rows } = await superuser.query<{ seq: string; hash: string }>("SELECT seq, encode(hash, 'hex') AS hash FROM oc_ledger_head");
  head = { seq: BigInt(rows[0]!.seq), hash: rows[0]!.hash };
  await superuser.query(DISARM);
  await superuser.query(`${REHASH}
    CREATE SCHEMA original;
    CREATE TABLE original.log AS SELECT * FROM oc_audit_log; CREATE TABLE original.payload AS SELECT * FROM oc_audit_payload;
    CREATE TABLE original.head AS SELECT * FROM oc_ledger_head; CREATE TABLE original.action AS SELECT * FROM oc_action;
    CREATE TABLE original.chain AS SELECT * FROM oc_chain;`);
});

afterAll(async () => {
  await pool.end();
  await waitUntil(async () => {
    const { rows } = await superuser.query("SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'");
    return rows.length === 0;
  });
  await superuser.end();
  await database.drop();
});

async function restore(): Promise<void> {
  await superuser.query(`
    DELETE FROM oc_audit_log; DELETE FROM oc_audit_payload; DELETE FROM oc_ledger_head; DELETE FROM oc_action; DELETE FROM oc_chain;
    INSERT INTO oc_audit_log SELECT * FROM original.log; INSERT INTO oc_audit_payload SELECT * FROM original.payload;
    INSERT INTO oc_ledger_head SELECT * FROM original.head; INSERT INTO oc_action SELECT * FROM original.action;
    INSERT INTO oc_chain SELECT * FROM original.chain`);
}

/** The problems of the entries; those of the guards are the price of this test's attacks. */
async function tamper(sql: string, known: { knownHead?: LedgerHead; earlierHeads?: readonly LedgerHead[] } = {}) {
  await restore();
  await superuser.query(sql);
  const report = await verifyLedger(pool, LEDGER, known);
  expect(report.problems.some(({ verdict }) => verdict === "UNGUARDED")).toBe(true);
  return { ...report, problems: report.problems.filter(({ verdict }) => verdict !== "UNGUARDED") };
}

type Attack = readonly [sql: string, verdict: LedgerVerdict, seq: bigint, detail: RegExp];
const ATTACKS: Readonly<Record<string, Attack>> = {
  "one byte of one entry changed": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 42`,
    "CONTENT_MISMATCH", 42n, /^the stored bytes hash to [0-9a-f]{64}, the row says [0-9a-f]{64}$/,
  ],
  "one byte of the last entry changed": [
    `UPDATE oc_audit_log SET entry = replace(entry, 'latencyMs":1234', 'latencyMs":1235') WHERE seq = 101`,
    "CONTENT_MISMATCH", 101n, /stored bytes hash to/,
  ],
  "a byte changed so that it is no JSON any more": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{"body":[') WHERE seq = 7`,
    "CONTENT_MISMATCH", 7n, /stored bytes hash to/,
  ],
  "one entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 42;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 42`,
    "LINK_BROKEN", 43n, /not the hash of the entry before it/,
  ],
  "the last entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 101;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 101`,
    "LINK_BROKEN", 101n, /the head row says the last entry's hash is/,
  ],
  "a hash changed": [`UPDATE oc_audit_log SET hash = sha256(hash) WHERE seq = 42`, "CONTENT_MISMATCH", 42n, /stored bytes hash to/],
  "a link column changed": [
    `UPDATE oc_audit_log SET prev_hash = sha256(prev_hash) WHERE seq = 42`,
    "LINK_BROKEN", 42n, /the bytes name [0-9a-f]{64} as predecessor, the row [0-9a-f]{64}/,
  ],
  "a payload value changed": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, 'reservation_id', 'Reservation_id')::json WHERE seq = 90`,
    "CONTENT_MISMATCH", 90n, /^the payload value at result is not the one the entry committed to$/,
  ],
  "a salt changed": [
    `UPDATE oc_audit_payload SET payload = regexp_replace(payload::text, '"salt":"[0-9a-f]{2}', '"salt":"zz')::json WHERE seq = 51`,
    "CONTENT_MISMATCH", 51n, /payload value at actor.profile/,
  ],
  "a payload value moved to another place": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, '"actor.profile"', '"onBehalfOf.profile"')::json WHERE seq = 51`,
    "CONTENT_MISMATCH", 51n, /a value at onBehalfOf.profile that the entry never committed to/,
  ],
  "a payload value added": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, '{"actor.profile"', '{"a":{"salt":"${"0".repeat(32)}","value":1},"actor.profile"')::json WHERE seq = 51`,
    "CONTENT_MISMATCH", 51n, /a value at a that the entry never committed to/,
  ],
  "a payload renamed inside": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, '"value":', '"wrong":')::json WHERE seq = 51`,
    "CONTENT_MISMATCH", 51n, /payload value at/,
  ],
  "a payload that is no object": [`UPDATE oc_audit_payload SET payload = '[1]' WHERE seq = 51`, "CONTENT_MISMATCH", 51n, /payload/],
  "payloads of two entries swapped": [
    `UPDATE oc_audit_payload SET seq = CASE seq WHEN 22 THEN 23 ELSE 22 END + 1000 WHERE seq IN (22, 23); UPDATE oc_audit_payload SET seq = seq - 1000 WHERE seq > 1000`,
    "CONTENT_MISMATCH", 22n, /payload value at/,
  ],
  ...Object.fromEntries(
    Object.entries({
      id: "gen_random_uuid()", type: "'ACTION_DENIED'", actor_id: "'somebody'", session_id: "gen_random_uuid()",
      action_id: "gen_random_uuid()", action_version: "9", platform: "'elsewhere'", tool: "NULL", effect: "'READ'",
      chain: "gen_random_uuid()", source_chain: "gen_random_uuid()", recorded_at: "recorded_at + interval '1 microsecond'",
    }).map(([column, value]): [string, Attack] => [
      `search column ${column} changed`,
      [`UPDATE oc_audit_log SET ${column} = ${value} WHERE seq = 33`, "CONTENT_MISMATCH", 33n, new RegExp(`column ${column} says`)],
    ]),
  ),
  "an entry removed": [`DELETE FROM oc_audit_log WHERE seq = 60`, "SEQUENCE_GAP", 60n, /^there is no entry at this position$/],
  "several entries removed": [`DELETE FROM oc_audit_log WHERE seq BETWEEN 60 AND 69`, "SEQUENCE_GAP", 60n, /positions 60 to 69/],
  "the first entry removed": [`DELETE FROM oc_audit_log WHERE seq = 1`, "SEQUENCE_GAP", 1n, /no entry at this position/],
  "an entry removed and the others moved up": [
    `DELETE FROM oc_audit_log WHERE seq = 60; UPDATE oc_audit_log SET seq = seq - 1 WHERE seq > 60; UPDATE oc_ledger_head SET seq = 100`,
    "LINK_BROKEN", 60n, /the bytes say they are position 61/,
  ],
  "the last three entries removed": [
    `DELETE FROM oc_audit_log WHERE seq > 98`,
    "TRUNCATED", 99n, /the head row says the ledger ends at 101, but positions 99 to 101 hold no entry/,
  ],
  "the last three entries removed and the head moved back": [
    `DELETE FROM oc_audit_log WHERE seq > 98;
     UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98`,
    "TRUNCATED", 99n, /belong to entries up to 101, but the ledger ends at 98/,
  ],
  "the head moved back": [
    `UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98`,
    "FORKED", 99n, /ends at position 98 by its head row but has entries up to 101/,
  ],
  "the head row removed": [`DELETE FROM oc_ledger_head`, "FORKED", 1n, /has no head row/],
  "the head's hash changed": [`UPDATE oc_ledger_head SET hash = sha256(hash)`, "LINK_BROKEN", 101n, /the head row says/],
  "a row inserted at a taken position": [
    `INSERT INTO oc_audit_log SELECT * FROM oc_audit_log WHERE seq = 77;
     UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"'), hash = sha256(convert_to(replace(entry, '"region":"eu"', '"region":"us"'), 'UTF8'))
      WHERE ctid = (SELECT max(ctid) FROM oc_audit_log WHERE seq = 77)`,
    "FORKED", 77n, /2 rows stand at this position/,
  ],
  "the same row twice": [`INSERT INTO oc_audit_log SELECT * FROM oc_audit_log WHERE seq = 77`, "FORKED", 77n, /2 rows/],
  "a row inserted behind the end": [
    `INSERT INTO oc_audit_log SELECT ledger, 102, recorded_at, replace(entry, '"seq":"101"', '"seq":"102"'), sha256(convert_to(replace(entry, '"seq":"101"', '"seq":"102"'), 'UTF8')),
       prev_hash, gen_random_uuid(), type FROM oc_audit_log WHERE seq = 101`,
    "FORKED", 102n, /which the append function did not put there/,
  ],
  "two rows swapped": [
    `UPDATE oc_audit_log SET seq = CASE seq WHEN 30 THEN 35 ELSE 30 END + 1000 WHERE seq IN (30, 35); UPDATE oc_audit_log SET seq = seq - 1000 WHERE seq > 1000`,
    "LINK_BROKEN", 30n, /the bytes say they are position 35/,
  ],
  "two neighbours swapped": [
    `UPDATE oc_audit_log SET seq = CASE seq WHEN 30 THEN 31 ELSE 30 END + 1000 WHERE seq IN (30, 31); UPDATE oc_audit_log SET seq = seq - 1000 WHERE seq > 1000`,
    "LINK_BROKEN", 30n, /the bytes say they are position 31/,
  ],
  "another ledger's entry put in place": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"ledger":"acme/eu"', '"ledger":"acme/us"'), hash = sha256(convert_to(replace(entry, '"ledger":"acme/eu"', '"ledger":"acme/us"'), 'UTF8')) WHERE seq = 30`,
    "LINK_BROKEN", 30n, /position 30 of ledger acme\/us/,
  ],
  "time running backwards, hashed and all": [
    `UPDATE oc_audit_log SET recorded_at = recorded_at - interval '1 day',
            entry = replace(entry, to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), to_char((recorded_at - interval '1 day') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) WHERE seq = 50;
     SELECT pg_temp.rehash(50)`,
    "CONTENT_MISMATCH", 50n, /dated before the entry it follows/,
  ],
  "an entry of an unknown format, hashed and all": [
    `UPDATE oc_audit_log SET entry = regexp_replace(entry, '"v":1}$', '"v":9}') WHERE seq = 50; SELECT pg_temp.rehash(50)`,
    "UNVERIFIABLE", 50n, /entry format 9 is not known/,
  ],
  "an entry that is no JSON, hashed and all": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{"body":{{') WHERE seq = 50; SELECT pg_temp.rehash(50)`,
    "UNVERIFIABLE", 50n, /not JSON/,
  ],
  "an entry with words around it, hashed and all": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{ "body":{') WHERE seq = 50; SELECT pg_temp.rehash(50)`,
    "CONTENT_MISMATCH", 50n, /not of the form that entries have/,
  ],
  "an action's state changed": [
    `UPDATE oc_action SET status = 'APPROVED' WHERE updated_seq = 101`,
    "CONTENT_MISMATCH", 101n, /status is APPROVED, the entry says SUCCEEDED/,
  ],
  "an action's votes changed": [`UPDATE oc_action SET approvals = 7 WHERE updated_seq = 101`, "CONTENT_MISMATCH", 101n, /approvals is 7, the entry says 1/],
  "an action's deadline changed": [`UPDATE oc_action SET expires_at = now() WHERE updated_seq = 101`, "CONTENT_MISMATCH", 101n, /expires_at is/],
  "an action given to another agent": [`UPDATE oc_action SET agent_id = 'mallory' WHERE updated_seq = 101`, "CONTENT_MISMATCH", 101n, /agent_id is mallory/],
  "an action's grant forged": [
    `UPDATE oc_action SET grant_hash = sha256('mine') WHERE updated_seq = 101`,
    "CONTENT_MISMATCH", 101n, /grant_hash is [0-9a-f]{64}, the entry says nothing/,
  ],
  "an action's list of entries changed": [
    `UPDATE oc_action SET entries[3] = 2 WHERE updated_seq = 101`,
    "CONTENT_MISMATCH", 61n, /does not list this entry as its version 3/,
  ],
  "an action's state removed": [
    `DELETE FROM oc_action WHERE updated_seq = 101`,
    "CONTENT_MISMATCH", 21n, /does not list this entry as its version 1/,
  ],
  "an action's state set back to an earlier version": [
    `UPDATE oc_action SET version = 2, status = 'APPROVED', updated_seq = entries[2], entries = entries[1:2], expires_at = '2026-11-22T23:45:27.499390Z'
      WHERE updated_seq = 101`,
    "CONTENT_MISMATCH", 61n, /does not list this entry as its version 3/,
  ],
  "an action invented": [
    `INSERT INTO oc_action SELECT ledger, gen_random_uuid(), version, status, agent_id, approvals, expires_at, grant_id, grant_hash, grant_expires_at, proposed_seq, updated_seq, entries
       FROM oc_action WHERE updated_seq = 101`,
    "CONTENT_MISMATCH", 101n, /id is .*, the entry says/,
  ],
  "a routing chain changed": [`UPDATE oc_chain SET chain = gen_random_uuid() WHERE started_seq = 2`, "CONTENT_MISMATCH", 2n, /oc_chain/],
  "a routing chain removed": [`DELETE FROM oc_chain WHERE started_seq = 2`, "CONTENT_MISMATCH", 2n, /no row of oc_chain/],
};

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
    expect((await verifyLedger(pool, LEDGER, { fromSeq: 30n, toSeq: 40n })).problems[0]).toMatchObject({ verdict: "CONTENT_MISMATCH", seq: 40n });
    expect((await verifyLedger(pool, LEDGER, { fromSeq: 41n, toSeq: 60n })).verdict).toBe("UNGUARDED");
  });
});

describe("verifyLedger, with the head known outside the database", () => {
  const hashAt = async (seq: number): Promise<LedgerHead> => {
    const { rows } = await superuser.query<{ hash: string }>("SELECT encode(hash, 'hex') AS hash FROM original.log WHERE seq = $1", [seq]);
    return { seq: BigInt(seq), hash: rows[0]!.hash };
  };
  const rewrite = `UPDATE oc_audit_log SET entry = replace(entry, '"latencyMs":1234', '"latencyMs":1') WHERE seq = 90; SELECT pg_temp.rehash(50)`;
  const change = `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 50;`;

  it("tells a ledger re-hashed from some position on from an intact one", async () => {
    expect((await tamper(`${change} ${rewrite}`)).problems).toEqual([]); // consistent in itself: nothing inside can tell
    const report = await tamper(`${change} ${rewrite}`, { knownHead: head });
    expect(report.verdict).toBe("CHECKPOINT_INCONSISTENT");
    expect(report.problems).toEqual([
      { verdict: "CHECKPOINT_INCONSISTENT", seq: 101n, detail: expect.stringContaining("history was rewritten from positions 1 to 101 on") },
    ]);
  });

  it("narrows down where by the heads seen earlier", async () => {
    const earlierHeads = await Promise.all([70, 20, 45, 60].map(hashAt));
    const report = await tamper(`${change} ${rewrite}`, { knownHead: head, earlierHeads });
    expect(report.problems).toEqual([
      { verdict: "CHECKPOINT_INCONSISTENT", seq: 60n, detail: expect.stringContaining("rewritten from positions 46 to 60 on") },
    ]);
  });

  it("finds the rewriting after the ledger has grown beyond the known head", async () => {
    const report = await tamper(`${change} ${rewrite}`, { knownHead: await hashAt(80) });
    expect(report).toMatchObject({ verdict: "CHECKPOINT_INCONSISTENT", problems: [{ seq: 80n }] });
  });

  const cut = `DELETE FROM oc_audit_log WHERE seq > 98;
    UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98;`;

  it("tells a ledger whose end was cut off", async () => {
    const report = await tamper(cut, { knownHead: head });
    expect(report).toMatchObject({ verdict: "TRUNCATED", problems: [{ seq: 99n }] });
  });

  it("tells an earlier state put in place of the ledger, consistent to the last row", async () => {
    const back = `${cut} DELETE FROM oc_audit_payload WHERE seq > 96; DELETE FROM oc_audit_log WHERE seq > 96;
      UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 96;
      UPDATE oc_action SET version = 4, status = 'EXECUTING', updated_seq = entries[4], entries = entries[1:4],
             grant_id = (g ->> 'id')::uuid, grant_hash = decode(g ->> 'hash', 'hex'), grant_expires_at = (g ->> 'expiresAt')::timestamptz
        FROM (SELECT seq, entry::jsonb #> '{body,action,grant}' AS g FROM oc_audit_log) e
       WHERE updated_seq > 96 AND e.seq = entries[4]`;
    expect((await tamper(back)).problems).toEqual([]);
    const report = await tamper(back, { knownHead: head });
    expect(report).toMatchObject({ verdict: "ROLLED_BACK", problems: [{ seq: 97n }] });
    expect(report.problems[0]?.detail).toContain("was known to reach 101 and ends at 96");
  });

  it("tells a head that was moved back alone", async () => {
    const report = await tamper(
      "UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98",
      { knownHead: head },
    );
    expect(report).toMatchObject({ verdict: "ROLLED_BACK", problems: [{ seq: 99n }] });
  });

  it("does not mistake a range asked for up to a removed position for a bad one", async () => {
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
      await client.query("SET countersign.migration = 'on'; ALTER TABLE oc_audit_log_default DISABLE TRIGGER oc_refuse_statement");
      const report = await verifyLedger(own, LEDGER);
      expect(report).toMatchObject({ verdict: "UNGUARDED", checkedEntries: 11n });
      expect(report.problems).toContainEqual({
        verdict: "UNGUARDED",
        seq: undefined,
        detail: expect.stringMatching(/^public.oc_audit_log_default: missing: trigger always CREATE TRIGGER oc_refuse_statement/),
      });
    });
  });

  it("reports ghost rows of an inheritance child as a weakened guard", async () => {
    await inOwnDatabase(async (client, own) => {
      await createLedger(client, LEDGER);
      await client.query(`SET countersign.migration = 'on'; CREATE TABLE ghosts () INHERITS (oc_audit_payload);
        INSERT INTO ghosts VALUES ('acme/eu', 1, '{}')`);
      const report = await verifyLedger(own, LEDGER);
      expect(report.verdict).toBe("UNGUARDED");
      expect(report.problems.map(({ detail }) => detail)).toContainEqual(expect.stringContaining("public.ghosts: unexpected: table owner"));
    });
  });
});
