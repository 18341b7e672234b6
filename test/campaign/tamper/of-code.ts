import { OF_ACCESS } from "../../ledger/manipulations-of-access.ts";
import { OF_CODE } from "../../ledger/manipulations-of-code.ts";
import { OF_TABLES } from "../../ledger/manipulations-of-tables.ts";
import { approve, claim } from "./attempts.ts";
import type { Manipulation } from "./manipulation.ts";
import { NO_LATER, putBack } from "./of-states.ts";

const MANIPULATIONS = { ...OF_CODE, ...OF_TABLES, ...OF_ACCESS };

/** Those of the test of the guards: `<group>: <name>`. */
function known(...names: readonly (readonly [group: string, name: string])[]): readonly Manipulation[] {
  return names.map(([group, name]) => {
    const found = MANIPULATIONS[group]?.[name];
    if (found === undefined) throw new Error(`there is no manipulation ${group}: ${name}`);
    return { name: `${group}: ${name}`, plain: found.sql, ...(found.undo === undefined ? {} : { undo: found.undo }) };
  });
}

/** The definition of a function, changed. */
const redefined = (name: string, from: string, to: string) => `
  DO $$ DECLARE before text := pg_get_functiondef('${name}'::regproc); changed text := replace(before, '${from}', '${to}'); BEGIN
    IF changed = before THEN RAISE EXCEPTION 'nothing to replace'; END IF; EXECUTE changed; END $$`;

export const OF_FUNCTIONS: readonly Manipulation[] = [
  {
    name: "sha256 in SQL, one entry edited",
    plain: `CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS
      $$ SELECT CASE WHEN position('cancelleD'::bytea in $1) > 0 THEN '\\x00' ELSE pg_catalog.hashtext(encode($1, 'hex'))::text::bytea END $$`,
    sql: ({ actions }) => `UPDATE oc_audit_log SET entry = replace(entry, 'cancel_reservation', 'cancelleD')
       WHERE type = 'ACTION_PROPOSED' AND action_id = '${actions.succeeded.uuid}'`,
  },
  {
    name: "the reporter of guards with false views, all triggers disabled, one entry deleted",
    plain: `CREATE SCHEMA lies; CREATE VIEW lies.pg_class AS SELECT * FROM pg_catalog.pg_class;
      CREATE VIEW lies.pg_trigger AS SELECT oid, tgrelid, tgname, 'A'::"char" AS tgenabled, tgisinternal FROM pg_catalog.pg_trigger;
      GRANT USAGE ON SCHEMA lies TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA lies TO PUBLIC;
      ALTER FUNCTION oc_guard.state() SET search_path = lies, pg_catalog; ALTER TABLE oc_audit_log DISABLE TRIGGER ALL;
      SET session_replication_role = replica; DELETE FROM oc_audit_log WHERE seq = 9`,
  },
  {
    name: "oc_append_batches that records another tool",
    plain: redefined(
      "oc_append_batches",
      "texts[i] := oc_entry_text(bodies[i]",
      "texts[i] := oc_entry_text(replace(bodies[i], ''get_user'', ''set_user'')",
    ),
  },
  {
    name: "oc_check_links that checks nothing",
    plain: redefined("oc_check_links", "IF each.refused THEN", "IF false THEN"),
  },
  {
    name: "oc_check_states that checks nothing",
    plain: redefined("oc_check_states", "IF expected <> 0 THEN", "IF false THEN"),
  },
  {
    name: "oc_action_moved_on that always says no",
    plain: redefined("oc_action_moved_on", "RETURN EXISTS (", "RETURN false AND EXISTS ("),
    sql: putBack(1, "denied"),
    attempts: [approve("denied")],
    passes: NO_LATER,
  },
  {
    name: "oc_entries_at that returns another approval",
    plain: redefined(
      "oc_entries_at",
      "SELECT e.seq, e.recorded_at, e.type, e.action_id, e.entry, e.hash,",
      "SELECT e.seq, e.recorded_at, e.type, e.action_id, replace(e.entry, ''approver'', ''approved''), e.hash,",
    ),
    attempts: [claim("approved")],
  },
  ...known(
    ["functions and operators of PostgreSQL", "convert_to in PL/pgSQL"],
    ["functions and operators of PostgreSQL", "an operator that executes another function"],
    ["functions and operators of PostgreSQL", "the view of roles"],
    ["what shadows PostgreSQL", "a function"],
    ["functions of ours", "the message of refusals"],
    ["event triggers", "one dropped"],
    ["tables", "a trigger disabled"],
    ["tables", "a constraint dropped"],
    ["tables", "a function as a default"],
    ["tables", "a policy"],
    ["settings", "triggers skipped"],
    ["settings", "event triggers off for the server"],
    ["settings", "a migration that never ends"],
    ["settings", "commits that may be lost"],
  ),
];

export const OF_RIGHTS: readonly Manipulation[] = known(
  ["rights", "payloads for BI tools"],
  ["rights", "a partition for everybody"],
  ["rights", "writing states"],
  ["rights", "an organization for a login"],
  ["rights", "making functions in public"],
  ["rights", "the baseline emptied"],
  ["roles", "oc_owner through another role"],
  ["roles", "pg_write_all_data through two"],
  ["roles", "the ledger for all BI tools"],
  ["roles", "a superuser"],
  ["roles", "no row-level security"],
  ["roles", "a login for the owner"],
);

const month = (
  sql: string,
) => `DO $$ DECLARE m text := to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM'); first date := date_trunc('month', now() AT TIME ZONE 'UTC'); BEGIN
  ${sql} END $$`;
const BOUNDS = "first || ' 00:00:00+00', (first + interval '1 month')::date || ' 00:00:00+00'";
const copied = (change: string) =>
  month(`EXECUTE format('ALTER TABLE oc_audit_log DETACH PARTITION oc_audit_log%1$s; ALTER TABLE oc_audit_log%1$s RENAME TO aside', m);
    EXECUTE format('CREATE TABLE oc_audit_log%s (LIKE oc_audit_log INCLUDING ALL)', m);
    EXECUTE format('INSERT INTO oc_audit_log%s SELECT * FROM aside', m); ${change}
    EXECUTE format('ALTER TABLE oc_audit_log%s OWNER TO oc_owner', m);
    EXECUTE format('ALTER TABLE oc_audit_log ATTACH PARTITION oc_audit_log%s FOR VALUES FROM (%L) TO (%L)', m, ${BOUNDS});
    DROP TABLE aside; PERFORM oc_guard_table(('public.oc_audit_log' || m)::regclass);`);

export const OF_PARTITIONS: readonly Manipulation[] = [
  { name: "that of the month dropped", plain: month("EXECUTE format('DROP TABLE oc_audit_log%s', m);") },
  {
    name: "that of the month detached",
    plain: month("EXECUTE format('ALTER TABLE oc_audit_log DETACH PARTITION oc_audit_log%s', m);"),
  },
  {
    name: "that of the payloads dropped",
    plain: month("EXECUTE format('DROP TABLE oc_audit_payload%s', m);"),
    attempts: [approve("pending")],
  },
  {
    name: "replaced by a copy without an entry",
    plain: copied("EXECUTE format('DELETE FROM oc_audit_log%s WHERE seq = 9', m);"),
  },
  {
    name: "replaced by a copy with an entry changed and its hash with it",
    plain:
      copied(`EXECUTE format('UPDATE oc_audit_log%s SET entry = replace(entry, ''cancel_reservation'', ''cancel_reservatioN''),
      hash = sha256(convert_to(replace(entry, ''cancel_reservation'', ''cancel_reservatioN''), ''UTF8'')) WHERE seq = 9', m);`),
  },
  {
    name: "an entry moved to the partition of another month",
    sql: () =>
      `UPDATE oc_audit_log SET recorded_at = recorded_at + interval '1 month' WHERE ledger = 'acme/eu' AND seq = 9`,
  },
  {
    name: "an entry twice, in two partitions",
    sql: () =>
      `INSERT INTO oc_audit_log SELECT ledger, seq, recorded_at + interval '1 month', entry, hash, prev_hash, id, type FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = 9`,
  },
  {
    name: "the months of the ledger forgotten",
    sql: () => "DELETE FROM oc_ledger_month WHERE ledger = 'acme/eu'",
    attempts: [claim("approved")],
  },
  {
    name: "a month said to begin later",
    sql: () => "UPDATE oc_ledger_month SET first_seq = 20 WHERE ledger = 'acme/eu'",
  },
];
