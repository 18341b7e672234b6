import type { LedgerVerdict } from "../../src/ledger/verify.ts";

/** Takes away what stands in the way of a superuser who changes entries. */
export const DISARM = `
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
export const REHASH = `
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

/** What is done to the ledger of tamper.test.ts, and what has to be found: verdict, position, words. */
export type Attack = readonly [sql: string, verdict: LedgerVerdict, seq: bigint, detail: RegExp];
export const ATTACKS: Readonly<Record<string, Attack>> = {
  "one byte of one entry changed": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 42`,
    "CONTENT_MISMATCH",
    42n,
    /^the stored bytes hash to [0-9a-f]{64}, the row says [0-9a-f]{64}$/,
  ],
  "one byte of the last entry changed": [
    `UPDATE oc_audit_log SET entry = replace(entry, 'latencyMs":1234', 'latencyMs":1235') WHERE seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /stored bytes hash to/,
  ],
  "a byte changed so that it is no JSON any more": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{"body":[') WHERE seq = 7`,
    "CONTENT_MISMATCH",
    7n,
    /stored bytes hash to/,
  ],
  "one entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 42;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 42`,
    "LINK_BROKEN",
    43n,
    /not the hash of the entry before it/,
  ],
  "the last entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 101;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 101`,
    "LINK_BROKEN",
    101n,
    /the head row says the last entry's hash is/,
  ],
  "a hash changed": [
    `UPDATE oc_audit_log SET hash = sha256(hash) WHERE seq = 42`,
    "CONTENT_MISMATCH",
    42n,
    /stored bytes hash to/,
  ],
  "a link column changed": [
    `UPDATE oc_audit_log SET prev_hash = sha256(prev_hash) WHERE seq = 42`,
    "LINK_BROKEN",
    42n,
    /the bytes name [0-9a-f]{64} as predecessor, the row [0-9a-f]{64}/,
  ],
  "a payload value changed": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, 'reservation_id', 'Reservation_id')::json WHERE seq = 90`,
    "CONTENT_MISMATCH",
    90n,
    /^the payload value at result is not the one the entry committed to$/,
  ],
  "a salt changed": [
    `UPDATE oc_audit_payload SET payload = regexp_replace(payload::text, '"salt":"[0-9a-f]{2}', '"salt":"zz')::json WHERE seq = 51`,
    "CONTENT_MISMATCH",
    51n,
    /payload value at actor.profile/,
  ],
  "a payload value moved to another place": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, '"actor.profile"', '"onBehalfOf.profile"')::json WHERE seq = 51`,
    "CONTENT_MISMATCH",
    51n,
    /a value at onBehalfOf.profile that the entry never committed to/,
  ],
  "a payload value added": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, '{"actor.profile"', '{"a":{"salt":"${"0".repeat(32)}","value":1},"actor.profile"')::json WHERE seq = 51`,
    "CONTENT_MISMATCH",
    51n,
    /a value at a that the entry never committed to/,
  ],
  "a payload renamed inside": [
    `UPDATE oc_audit_payload SET payload = replace(payload::text, '"value":', '"wrong":')::json WHERE seq = 51`,
    "CONTENT_MISMATCH",
    51n,
    /payload value at/,
  ],
  "a payload that is no object": [
    `UPDATE oc_audit_payload SET payload = '[1]' WHERE seq = 51`,
    "CONTENT_MISMATCH",
    51n,
    /payload/,
  ],
  "payloads of two entries swapped": [
    `UPDATE oc_audit_payload SET seq = CASE seq WHEN 22 THEN 23 ELSE 22 END + 1000 WHERE seq IN (22, 23); UPDATE oc_audit_payload SET seq = seq - 1000 WHERE seq > 1000`,
    "CONTENT_MISMATCH",
    22n,
    /payload value at/,
  ],
  ...Object.fromEntries(
    Object.entries({
      id: "gen_random_uuid()",
      type: "'ACTION_DENIED'",
      actor_id: "'somebody'",
      session_id: "gen_random_uuid()",
      action_id: "gen_random_uuid()",
      action_version: "9",
      platform: "'elsewhere'",
      tool: "NULL",
      effect: "'READ'",
      chain: "gen_random_uuid()",
      source_chain: "gen_random_uuid()",
      recorded_at: "recorded_at + interval '1 microsecond'",
    }).map(([column, value]): [string, Attack] => [
      `search column ${column} changed`,
      [
        `UPDATE oc_audit_log SET ${column} = ${value} WHERE seq = 33`,
        "CONTENT_MISMATCH",
        33n,
        new RegExp(`column ${column} says`),
      ],
    ]),
  ),
  "an entry removed": [
    `DELETE FROM oc_audit_log WHERE seq = 60`,
    "SEQUENCE_GAP",
    60n,
    /^there is no entry at this position$/,
  ],
  "several entries removed": [
    `DELETE FROM oc_audit_log WHERE seq BETWEEN 60 AND 69`,
    "SEQUENCE_GAP",
    60n,
    /positions 60 to 69/,
  ],
  "the first entry removed": [
    `DELETE FROM oc_audit_log WHERE seq = 1`,
    "SEQUENCE_GAP",
    1n,
    /no entry at this position/,
  ],
  "an entry removed and the others moved up": [
    `DELETE FROM oc_audit_log WHERE seq = 60; UPDATE oc_audit_log SET seq = seq - 1 WHERE seq > 60; UPDATE oc_ledger_head SET seq = 100`,
    "LINK_BROKEN",
    60n,
    /the bytes say they are position 61/,
  ],
  "the last three entries removed": [
    `DELETE FROM oc_audit_log WHERE seq > 98`,
    "TRUNCATED",
    99n,
    /the head row says the ledger ends at 101, but positions 99 to 101 hold no entry/,
  ],
  "the last three entries removed and the head moved back": [
    `DELETE FROM oc_audit_log WHERE seq > 98;
     UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98`,
    "TRUNCATED",
    99n,
    /belong to entries up to 101, but the ledger ends at 98/,
  ],
  "the head moved back": [
    `UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 98`,
    "FORKED",
    99n,
    /ends at position 98 by its head row but has entries up to 101/,
  ],
  "the head row removed": [`DELETE FROM oc_ledger_head`, "FORKED", 1n, /has no head row/],
  "the head's hash changed": [
    `UPDATE oc_ledger_head SET hash = sha256(hash)`,
    "LINK_BROKEN",
    101n,
    /the head row says/,
  ],
  "a row inserted at a taken position": [
    `INSERT INTO oc_audit_log SELECT * FROM oc_audit_log WHERE seq = 77;
     UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"'), hash = sha256(convert_to(replace(entry, '"region":"eu"', '"region":"us"'), 'UTF8'))
      WHERE ctid = (SELECT max(ctid) FROM oc_audit_log WHERE seq = 77)`,
    "FORKED",
    77n,
    /2 rows stand at this position/,
  ],
  "the same row twice": [`INSERT INTO oc_audit_log SELECT * FROM oc_audit_log WHERE seq = 77`, "FORKED", 77n, /2 rows/],
  "a row inserted behind the end": [
    `INSERT INTO oc_audit_log SELECT ledger, 102, recorded_at, replace(entry, '"seq":"101"', '"seq":"102"'), sha256(convert_to(replace(entry, '"seq":"101"', '"seq":"102"'), 'UTF8')),
       prev_hash, gen_random_uuid(), type FROM oc_audit_log WHERE seq = 101`,
    "FORKED",
    102n,
    /which the append function did not put there/,
  ],
  "two rows swapped": [
    `UPDATE oc_audit_log SET seq = CASE seq WHEN 30 THEN 35 ELSE 30 END + 1000 WHERE seq IN (30, 35); UPDATE oc_audit_log SET seq = seq - 1000 WHERE seq > 1000`,
    "LINK_BROKEN",
    30n,
    /the bytes say they are position 35/,
  ],
  "two neighbours swapped": [
    `UPDATE oc_audit_log SET seq = CASE seq WHEN 30 THEN 31 ELSE 30 END + 1000 WHERE seq IN (30, 31); UPDATE oc_audit_log SET seq = seq - 1000 WHERE seq > 1000`,
    "LINK_BROKEN",
    30n,
    /the bytes say they are position 31/,
  ],
  "another ledger's entry put in place": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"ledger":"acme/eu"', '"ledger":"acme/us"'), hash = sha256(convert_to(replace(entry, '"ledger":"acme/eu"', '"ledger":"acme/us"'), 'UTF8')) WHERE seq = 30`,
    "LINK_BROKEN",
    30n,
    /position 30 of ledger acme\/us/,
  ],
  "time running backwards, hashed and all": [
    `UPDATE oc_audit_log SET recorded_at = recorded_at - interval '1 day',
            entry = replace(entry, to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), to_char((recorded_at - interval '1 day') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) WHERE seq = 50;
     SELECT pg_temp.rehash(50)`,
    "CONTENT_MISMATCH",
    50n,
    /dated before the entry it follows/,
  ],
  "an entry of an unknown format, hashed and all": [
    `UPDATE oc_audit_log SET entry = regexp_replace(entry, '"v":1}$', '"v":9}') WHERE seq = 50; SELECT pg_temp.rehash(50)`,
    "UNVERIFIABLE",
    50n,
    /entry format 9 is not known/,
  ],
  "an entry that is no JSON, hashed and all": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{"body":{{') WHERE seq = 50; SELECT pg_temp.rehash(50)`,
    "UNVERIFIABLE",
    50n,
    /not JSON/,
  ],
  "an entry with words around it, hashed and all": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{ "body":{') WHERE seq = 50; SELECT pg_temp.rehash(50)`,
    "CONTENT_MISMATCH",
    50n,
    /not of the form that entries have/,
  ],
  "an action's state changed": [
    `UPDATE oc_action SET status = 'APPROVED' WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /status is APPROVED, the entry says SUCCEEDED/,
  ],
  "an action's votes changed": [
    `UPDATE oc_action SET approvals = 7 WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /approvals is 7, the entry says 1/,
  ],
  "an action's deadline changed": [
    `UPDATE oc_action SET expires_at = now() WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /expires_at is/,
  ],
  "an action given to another agent": [
    `UPDATE oc_action SET agent_id = 'mallory' WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /agent_id is mallory/,
  ],
  "an action's grant forged": [
    `UPDATE oc_action SET grant_hash = sha256('mine') WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /grant_hash is [0-9a-f]{64}, the entry says nothing/,
  ],
  "an action's list of entries changed": [
    `UPDATE oc_action SET entries[3] = 2 WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    61n,
    /does not list this entry as its version 3/,
  ],
  "an action's state removed": [
    `DELETE FROM oc_action WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    21n,
    /does not list this entry as its version 1/,
  ],
  "an action's state set back to an earlier version": [
    `UPDATE oc_action SET version = 2, status = 'APPROVED', updated_seq = entries[2], entries = entries[1:2], expires_at = '2026-11-22T23:45:27.499390Z'
      WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    61n,
    /does not list this entry as its version 3/,
  ],
  "an action invented": [
    `INSERT INTO oc_action SELECT ledger, gen_random_uuid(), version, status, agent_id, on_behalf_of_id, approvals, expires_at, grant_id, grant_hash, grant_expires_at, proposed_seq, updated_seq, entries
       FROM oc_action WHERE updated_seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /id is .*, the entry says/,
  ],
  "a routing chain changed": [
    `UPDATE oc_chain SET chain = gen_random_uuid() WHERE started_seq = 2`,
    "CONTENT_MISMATCH",
    2n,
    /oc_chain/,
  ],
  "a routing chain removed": [
    `DELETE FROM oc_chain WHERE started_seq = 2`,
    "CONTENT_MISMATCH",
    2n,
    /no row of oc_chain/,
  ],
};
