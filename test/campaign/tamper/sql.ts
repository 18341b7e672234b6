import { withClient } from "../../support/server.ts";

/** Functions of the session: entries of acme/eu that are changed together with what depends on them. */
const FUNCTIONS = `
  CREATE FUNCTION pg_temp.rehash(k bigint) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE e record; prev bytea := coalesce((SELECT hash FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = k - 1), decode(repeat('00', 32), 'hex'));
          bytes text;
  BEGIN
    FOR e IN SELECT * FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq >= k ORDER BY seq LOOP
      bytes := regexp_replace(e.entry, '"prevHash":"[0-9a-f]{64}"', '"prevHash":"' || encode(prev, 'hex') || '"');
      UPDATE oc_audit_log SET entry = bytes, prev_hash = prev, hash = sha256(convert_to(bytes, 'UTF8')) WHERE ledger = 'acme/eu' AND seq = e.seq;
      prev := sha256(convert_to(bytes, 'UTF8'));
    END LOOP;
    UPDATE oc_ledger_head SET hash = prev WHERE ledger = 'acme/eu';
    UPDATE oc_state s SET hash = l.hash FROM oc_audit_log l WHERE l.ledger = s.ledger AND l.seq = s.updated_seq;
  END $$;
  CREATE FUNCTION pg_temp.edit(k bigint, pattern text, replacement text) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE oc_audit_log SET entry = regexp_replace(entry, pattern, replacement) WHERE ledger = 'acme/eu' AND seq = k;
    IF (SELECT hash = sha256(convert_to(entry, 'UTF8')) FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = k) THEN
      RAISE EXCEPTION 'entry % does not have %', k, pattern;
    END IF;
    UPDATE oc_audit_log SET hash = sha256(convert_to(entry, 'UTF8')) WHERE ledger = 'acme/eu' AND seq = k;
  END $$;
  CREATE FUNCTION pg_temp.cut(k bigint) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM oc_audit_payload WHERE ledger = 'acme/eu' AND seq > k;
    DELETE FROM oc_state WHERE ledger = 'acme/eu' AND first_seq > k;
    DELETE FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq > k;
    UPDATE oc_state s SET version = n.version, entries = s.entries[:n.version], updated_seq = e.seq, hash = e.hash, state = t.state,
           status = t.state ->> 'status', expires_at = (t.state ->> 'expiresAt')::timestamptz
      FROM (SELECT kind, id, (SELECT count(*) FROM unnest(entries) x WHERE x <= k)::integer AS version FROM oc_state WHERE ledger = 'acme/eu') n,
           oc_audit_log e, LATERAL (SELECT x -> 'state' AS state, x ->> 'kind' AS kind, x ->> 'id' AS id
                                      FROM jsonb_array_elements(e.entry::jsonb #> '{body,states}') x) t
     WHERE s.ledger = 'acme/eu' AND s.updated_seq > k AND n.kind = s.kind AND n.id = s.id AND e.ledger = s.ledger
       AND e.seq = s.entries[n.version] AND t.kind = s.kind AND t.id = s.id;
    UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at
      FROM oc_audit_log e WHERE h.ledger = 'acme/eu' AND e.ledger = h.ledger AND e.seq = k;
  END $$;`;

/** Takes off what refuses changes of rows, without a trace: the catalog says afterwards what it said before. */
const TAKE_OFF = `
  CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT oid, tgenabled FROM pg_trigger;
  CREATE TEMP TABLE kept_events ON COMMIT DROP AS SELECT oid, evtenabled FROM pg_event_trigger;
  CREATE TEMP TABLE kept_checks ON COMMIT DROP AS SELECT oid, relchecks FROM pg_class WHERE relname ~ '^oc_(audit_log|state|ledger_head)';
  UPDATE pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'D';
  UPDATE pg_class c SET relchecks = 0 FROM kept_checks k WHERE c.oid = k.oid`;
const PUT_BACK = `
  UPDATE pg_trigger t SET tgenabled = k.tgenabled FROM kept k WHERE t.oid = k.oid;
  UPDATE pg_event_trigger t SET evtenabled = k.evtenabled FROM kept_events k WHERE t.oid = k.oid;
  UPDATE pg_class c SET relchecks = k.relchecks FROM kept_checks k WHERE c.oid = k.oid`;

/** Runs `sql` as a superuser who takes the guards off and puts them back, in one transaction. */
export async function unguarded(superuserUrl: string, sql: string): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    // Event triggers would look at the tables, and the session then remembers their triggers.
    await client.query("SET event_triggers = off");
    await client.query(FUNCTIONS);
    await client.query("BEGIN; SET LOCAL allow_system_table_mods = on");
    await client.query(TAKE_OFF);
    await client.query(sql);
    await client.query(PUT_BACK);
    await client.query("COMMIT");
  });
}

/** Runs statements as a superuser who switched event triggers off. */
export async function plainly(superuserUrl: string, sql: string): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    await client.query("SET event_triggers = off");
    // ALTER SYSTEM cannot be in a block of several statements.
    for (const statement of sql.startsWith("ALTER SYSTEM") ? [sql, "SELECT pg_reload_conf()"] : [sql]) {
      await client.query(statement);
    }
  });
}
