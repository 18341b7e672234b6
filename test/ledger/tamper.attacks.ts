import type { LedgerVerdict } from "../../src/ledger/verify.ts";

/** Takes away what stands in the way of a superuser who changes entries. */
export const DISARM = `
  DROP EVENT TRIGGER oc_guard_ddl; DROP EVENT TRIGGER oc_guard_function; DROP EVENT TRIGGER oc_guard_drop;
  DROP EVENT TRIGGER oc_guard_rewrite;
  ALTER TABLE oc_audit_log DISABLE TRIGGER ALL; ALTER TABLE oc_ledger_head DISABLE TRIGGER ALL;
  ALTER TABLE oc_ledger_month DISABLE TRIGGER ALL; ALTER TABLE oc_state DISABLE TRIGGER ALL;
  DO $$ DECLARE part regclass; BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass LOOP
      EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', part);
      EXECUTE (SELECT string_agg(format('DROP INDEX %s', indexrelid::regclass), ';') FROM pg_index WHERE indrelid = part AND indisunique);
    END LOOP;
  END $$;
  ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash, DROP CONSTRAINT oc_audit_log_prev_hash,
    DROP CONSTRAINT oc_audit_log_seq_check;`;

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
    UPDATE oc_state s SET hash = l.hash FROM oc_audit_log l WHERE l.ledger = s.ledger AND l.seq = s.updated_seq;
  END $$;`;

/** What is done to the ledger of tamper.test.ts, and what has to be found: verdict, position, words. */
export type Attack = readonly [sql: string, verdict: LedgerVerdict, seq: bigint | undefined, detail: RegExp];
export const ATTACKS: Readonly<Record<string, Attack>> = {
  "one byte of one entry changed": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 42`,
    "CONTENT_MISMATCH",
    42n,
    /^the hash of the stored bytes is [0-9a-f]{64}, that in the row [0-9a-f]{64}$/,
  ],
  "one byte of the last entry changed": [
    `UPDATE oc_audit_log SET entry = replace(entry, 'latencyMs":1234', 'latencyMs":1235') WHERE seq = 101`,
    "CONTENT_MISMATCH",
    101n,
    /hash of the stored bytes is/,
  ],
  "a byte changed so that it is no JSON any more": [
    `UPDATE oc_audit_log SET entry = replace(entry, '{"body":{', '{"body":[') WHERE seq = 7`,
    "CONTENT_MISMATCH",
    7n,
    /hash of the stored bytes is/,
  ],
  "one entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"version":"2.1.0"', '"version":"2.1.1"') WHERE seq = 62;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 62`,
    "LINK_BROKEN",
    63n,
    /not the hash of the entry before it/,
  ],
  "a signed entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"version":"2.1.0"', '"version":"2.1.1"') WHERE seq = 42;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 42`,
    "BAD_SIGNATURE",
    42n,
    /is not one of these facts by key/,
  ],
  "the last entry changed and its hash with it": [
    `UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"') WHERE seq = 101;
     UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE seq = 101`,
    "LINK_BROKEN",
    101n,
    /the hash of the last entry is/,
  ],
  "a hash changed": [
    `UPDATE oc_audit_log SET hash = sha256(hash) WHERE seq = 42`,
    "CONTENT_MISMATCH",
    42n,
    /hash of the stored bytes is/,
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
    /value at onBehalfOf.profile is not the one the entry committed to/,
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
  "all payloads truncated": [
    "TRUNCATE oc_audit_payload",
    "PAYLOAD_MISSING",
    2n,
    /^no value is stored for actor.profile, arguments/,
  ],
  "a payload deleted": [
    "DELETE FROM oc_audit_payload WHERE seq = 51",
    "PAYLOAD_MISSING",
    51n,
    /^no value is stored for actor.profile, .*and no entry ordered its erasure/,
  ],
  "a value removed from a payload": [
    `UPDATE oc_audit_payload SET payload = (payload::jsonb - 'result')::json WHERE seq = 90`,
    "CONTENT_MISMATCH",
    90n,
    /payload/,
  ],
  "a value removed from a payload, byte for byte": [
    `UPDATE oc_audit_payload SET payload = regexp_replace(payload::text, ',"result":.*}}}$', '}')::json WHERE seq = 90`,
    "PAYLOAD_MISSING",
    90n,
    /^no value is stored for result, and no entry ordered its erasure/,
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
      state_version: "9",
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
        new RegExp(`column ${column} is`),
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
    /the bytes are for position 61/,
  ],
  "the last three entries removed": [
    `DELETE FROM oc_audit_log WHERE seq > 98`,
    "TRUNCATED",
    99n,
    /according to the head row the ledger ends at 101, but positions 99 to 101 hold no entry/,
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
    /in the head row|according to the head row/,
  ],
  "a row inserted at a taken position": [
    `INSERT INTO oc_audit_log SELECT * FROM oc_audit_log WHERE seq = 77;
     UPDATE oc_audit_log SET entry = replace(entry, '"region":"eu"', '"region":"us"'), hash = sha256(convert_to(replace(entry, '"region":"eu"', '"region":"us"'), 'UTF8'))
      WHERE ctid = (SELECT max(ctid) FROM oc_audit_log WHERE seq = 77)`,
    "FORKED",
    77n,
    /2 rows have this position/,
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
    /the bytes are for position 35/,
  ],
  "two neighbours swapped": [
    `UPDATE oc_audit_log SET seq = CASE seq WHEN 30 THEN 31 ELSE 30 END + 1000 WHERE seq IN (30, 31); UPDATE oc_audit_log SET seq = seq - 1000 WHERE seq > 1000`,
    "LINK_BROKEN",
    30n,
    /the bytes are for position 31/,
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
  "a payload dated elsewhere, where reads do not look": [
    "UPDATE oc_audit_payload SET recorded_at = recorded_at + interval '1 year' WHERE seq = 51",
    "CONTENT_MISMATCH",
    51n,
    /^the payload is dated 20\S+Z, the entry 20\S+Z$/,
  ],
  "a payload dated a moment later": [
    "UPDATE oc_audit_payload SET recorded_at = recorded_at + interval '1 microsecond' WHERE seq = 51",
    "CONTENT_MISMATCH",
    51n,
    /^the payload is dated 20\S+Z, the entry 20\S+Z$/,
  ],
  "a month said to begin elsewhere": [
    "UPDATE oc_ledger_month SET first_seq = 40",
    "CONTENT_MISMATCH",
    40n,
    /^oc_ledger_month names other first entries/,
  ],
  "a month taken for another": [
    "UPDATE oc_ledger_month SET starts = starts - interval '40 days', ends = ends - interval '40 days'",
    "CONTENT_MISMATCH",
    1n,
    /^oc_ledger_month names other first entries/,
  ],
  "a second month invented": [
    "INSERT INTO oc_ledger_month SELECT ledger, 50, ends, ends + interval '30 days' FROM oc_ledger_month",
    "CONTENT_MISMATCH",
    50n,
    /^oc_ledger_month names other first entries/,
  ],
  "the months forgotten": [
    "DELETE FROM oc_ledger_month",
    "CONTENT_MISMATCH",
    undefined,
    /^oc_ledger_month names other first entries/,
  ],
  "an action's state changed": [
    `UPDATE oc_state SET state = state || '{"status":"APPROVED"}' WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /^oc_state ACTION .{36}: state is .*"APPROVED".*, in the entry it is .*"SUCCEEDED"/,
  ],
  "an action's status changed": [
    `UPDATE oc_state SET status = 'APPROVED' WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /status is APPROVED, in the entry it is SUCCEEDED/,
  ],
  "an action's votes changed": [
    `UPDATE oc_state SET state = state || '{"approvals":7}' WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /state is .*"approvals": 7/,
  ],
  "an action's deadline changed": [
    `UPDATE oc_state SET expires_at = now() WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /expires_at is .*Z, in the entry it is nothing/,
  ],
  "an action given to another agent": [
    `UPDATE oc_state SET actor_id = 'mallory' WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /actor_id is mallory, in the entry it is agent-/,
  ],
  "an action carried out for nobody": [
    `UPDATE oc_state SET on_behalf_of_id = NULL WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /on_behalf_of_id is nothing, in the entry it is member/,
  ],
  "an action moved to another conversation": [
    `UPDATE oc_state SET conversation = '' WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /conversation is , in the entry it is conversation 4/,
  ],
  "an action's grant forged": [
    `UPDATE oc_state SET state = state || '{"grant":{"hash":"00"}}' WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /state is .*"grant"/,
  ],
  "an action tied to another entry's hash": [
    `UPDATE oc_state SET hash = sha256(hash) WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /hash is [0-9a-f]{64}, in the entry it is [0-9a-f]{64}/,
  ],
  "an action's list of entries changed": [
    `UPDATE oc_state SET entries[3] = 2 WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    61n,
    /does not list this entry as its version 3/,
  ],
  "an action's versions counted up": [
    `UPDATE oc_state SET version = 6, entries = entries[1:4] || 100::bigint || entries[5] WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /version is 6, in the entry it is 5/,
  ],
  "an action said to have begun later": [
    `UPDATE oc_state SET first_seq = 41 WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /first_seq is 41, its first entry is 21/,
  ],
  "an action's state removed": [
    `DELETE FROM oc_state WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    21n,
    /^oc_state ACTION .{36} does not list this entry as its version 1$/,
  ],
  "an action's state set back to an earlier version": [
    `UPDATE oc_state s SET version = 2, updated_seq = e.seq, entries = entries[1:2], hash = e.hash, status = 'APPROVED',
            state = e.entry::jsonb #> '{body,states,0,state}', expires_at = NULL
       FROM oc_audit_log e WHERE s.kind = 'ACTION' AND s.updated_seq = 101 AND e.seq = s.entries[2]`,
    "STATE_MISMATCH",
    61n,
    /does not list this entry as its version 3/,
  ],
  "an action invented": [
    `INSERT INTO oc_state SELECT ledger, kind, gen_random_uuid()::text, version, state, status, expires_at, actor_id, on_behalf_of_id, conversation,
            first_seq, updated_seq, entries, hash FROM oc_state WHERE kind = 'ACTION' AND updated_seq = 101`,
    "STATE_MISMATCH",
    101n,
    /^oc_state ACTION .{36}: the entry has no state of it/,
  ],
  "a thing invented that no entry has ever moved": [
    `INSERT INTO oc_state VALUES ('acme/eu', 'PRINCIPAL', 'mallory', 1, '{"roles":["admin"]}', NULL, NULL, 'admin', NULL, '', 30, 30, '{30}', sha256('x'))`,
    "STATE_MISMATCH",
    30n,
    /^oc_state PRINCIPAL mallory: the entry has no state of it$/,
  ],
  "a routing chain changed": [
    `UPDATE oc_state SET id = gen_random_uuid()::text WHERE kind = 'CHAIN' AND updated_seq = 2`,
    "STATE_MISMATCH",
    2n,
    /oc_state CHAIN .{36} does not list this entry as its version 1/,
  ],
  "a routing chain moved to another platform": [
    `UPDATE oc_state SET state = state || '{"platform":"web"}' WHERE kind = 'CHAIN' AND updated_seq = 2`,
    "STATE_MISMATCH",
    2n,
    /oc_state CHAIN .{36}: state is .*"web"/,
  ],
  "a routing chain removed": [
    `DELETE FROM oc_state WHERE kind = 'CHAIN' AND updated_seq = 2`,
    "STATE_MISMATCH",
    2n,
    /oc_state CHAIN .{36} does not list this entry as its version 1/,
  ],
  "an entry whose members are not in order, hashed and all": [
    `UPDATE oc_audit_log SET entry = regexp_replace(entry, '("outcome":"SUCCEEDED"),("platform":"[a-z]+")', '\\2,\\1') WHERE seq = 90;
     SELECT pg_temp.rehash(90)`,
    "CONTENT_MISMATCH",
    90n,
    /not of the form that entries have: it is not RFC 8785 text/,
  ],
  "a ledger begun a second time, hashed and all": [
    `UPDATE oc_audit_log SET type = 'LEDGER_CREATED', entry = replace(entry, '"type":"ACTION_COMPLETED"', '"type":"LEDGER_CREATED"') WHERE seq = 90;
     SELECT pg_temp.rehash(90)`,
    "RULE_BROKEN",
    90n,
    /a ledger begins with LEDGER_CREATED, and has it nowhere else/,
  ],
  "a ledger that begins with something else, hashed and all": [
    `UPDATE oc_audit_log SET type = 'NOTE', entry = replace(entry, '"type":"LEDGER_CREATED"', '"type":"NOTE"'), hash = sha256(convert_to(replace(entry, '"type":"LEDGER_CREATED"', '"type":"NOTE"'), 'UTF8')) WHERE seq = 1;
     SELECT pg_temp.rehash(2)`,
    "LINK_BROKEN",
    1n,
    /a ledger begins with LEDGER_CREATED/,
  ],
  "an id used a second time, hashed and all": [
    `UPDATE oc_audit_log l SET id = o.id, entry = replace(l.entry, l.id::text, o.id::text) FROM oc_audit_log o WHERE l.seq = 90 AND o.seq = 89;
     SELECT pg_temp.rehash(90)`,
    "RULE_BROKEN",
    90n,
    /an earlier entry has the id/,
  ],
  "an entry before the first": [
    `INSERT INTO oc_audit_log SELECT ledger, -7, recorded_at, entry, hash, prev_hash, id, type FROM oc_audit_log WHERE seq = 1`,
    "LINK_BROKEN",
    -7n,
    /there can be no entry before position 1/,
  ],
  "a session invented that an entry was made in, hashed and all": [
    `UPDATE oc_audit_log SET session_id = '00000000-0000-7000-8000-000000000001',
            entry = replace(entry, '"states":[', '"session":"00000000-0000-7000-8000-000000000001","states":[') WHERE seq = 90;
     SELECT pg_temp.rehash(90)`,
    "ILLEGAL_STEP",
    90n,
    /depends on version 1 of SESSION 00000000-0000-7000-8000-000000000001, which no state row has/,
  ],
};
