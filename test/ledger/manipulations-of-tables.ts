import { type Manipulations, to } from "./manipulations.ts";

export const OF_TABLES: Manipulations = {
  tables: {
    "a trigger disabled": to(
      "public.oc_audit_log_default",
      "ALTER TABLE oc_audit_log_default DISABLE TRIGGER oc_refuse_statement",
      /^unexpected: trigger disabled CREATE TRIGGER oc_refuse_statement/,
    ),
    "a trigger dropped": to(
      "public.oc_ledger_head",
      "DROP TRIGGER oc_refuse_row ON oc_ledger_head",
      /^missing: trigger always CREATE TRIGGER oc_refuse_row/,
    ),
    "a trigger said to be PostgreSQL's": to(
      "public.oc_state",
      `CREATE TRIGGER meddle BEFORE UPDATE ON oc_state FOR EACH ROW EXECUTE FUNCTION oc_refuse_change();
       UPDATE pg_catalog.pg_trigger SET tgisinternal = true WHERE tgname = 'meddle'`,
      /^unexpected: internal trigger not for replicas CREATE TRIGGER meddle/,
    ),
    "triggers that PostgreSQL does not look for": to(
      "public.oc_audit_log",
      "UPDATE pg_catalog.pg_class SET relhastriggers = false WHERE relname = 'oc_audit_log'",
      /^unexpected: partitioned table owner oc_owner row-level security triggers switched off$/,
    ),
    "checks that PostgreSQL does not look for": to(
      "public.oc_audit_log_default",
      "UPDATE pg_catalog.pg_class SET relchecks = 0 WHERE relname = 'oc_audit_log_default'",
      /^unexpected: table owner oc_owner .* 0 of 5 checks$/,
    ),
    "a constraint dropped": to(
      "public.oc_audit_log",
      "ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash",
      /^missing: constraint oc_audit_log_hash/,
    ),
    "a constraint put back for new rows alone": to(
      "public.oc_state",
      `ALTER TABLE oc_state DROP CONSTRAINT oc_state_check;
       ALTER TABLE oc_state ADD CONSTRAINT oc_state_check CHECK (cardinality(entries) = version) NOT VALID`,
      /^unexpected: constraint oc_state_check .* not validated$/,
    ),
    "a constraint not enforced": to(
      "public.oc_ledger_head",
      "UPDATE pg_catalog.pg_constraint SET conenforced = false WHERE conname = 'oc_ledger_head_ledger_check'",
      /^unexpected: constraint oc_ledger_head_ledger_check .* not enforced$/,
    ),
    "a column that may be null": to(
      "public.oc_audit_payload",
      "ALTER TABLE oc_audit_payload ALTER COLUMN payload DROP NOT NULL",
      /^missing: column payload json not null$/,
    ),
    "a column that compares otherwise": to(
      "public.oc_state",
      `CREATE COLLATION public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       UPDATE pg_catalog.pg_attribute SET attcollation = 'public.blind'::pg_catalog.regcollation
        WHERE attrelid = 'public.oc_state'::pg_catalog.regclass AND attname = 'status'`,
      /^missing: column status text$/,
    ),
    "a column that has values where rows have none": to(
      "public.oc_state",
      `UPDATE pg_catalog.pg_attribute SET atthasmissing = true
        WHERE attrelid = 'public.oc_state'::pg_catalog.regclass AND attname = 'status'`,
      /^missing: column status text$/,
    ),
    "a column that is stored otherwise than its type": to(
      "public.oc_audit_payload_default",
      `UPDATE pg_catalog.pg_attribute SET attalign = 'd'
        WHERE attrelid = 'public.oc_audit_payload_default'::pg_catalog.regclass AND attname = 'payload'`,
      /^missing: column payload json not null$/,
    ),
    "a function as a default": to(
      "public.oc_audit_log",
      `CREATE FUNCTION public.act() RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
       ALTER TABLE oc_audit_log ADD COLUMN remark text; ALTER TABLE oc_audit_log ALTER COLUMN remark SET DEFAULT public.act()`,
      /^unexpected: column remark text default public\.act\(\)$/,
    ),
    "a generated column": to(
      "public.oc_state",
      "ALTER TABLE oc_state ADD COLUMN remark text GENERATED ALWAYS AS (upper(id)) STORED",
      /^unexpected: column remark text generated s default upper\(id\)$/,
    ),
    "a column whose type runs code": to(
      "public.oc_ledger_month",
      `CREATE FUNCTION public.act(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
       CREATE DOMAIN public.checked AS text CHECK (public.act(VALUE)); ALTER TABLE oc_ledger_month ADD COLUMN remark public.checked`,
      /^unexpected: column remark public\.checked$/,
    ),
    "an index that runs code": to(
      "public.oc_state",
      `CREATE FUNCTION public.act(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
       CREATE INDEX remark ON oc_state (public.act(id))`,
      /^unexpected: index CREATE INDEX remark ON public\.oc_state/,
    ),
    "an index that runs code, part by part": to(
      "public.oc_audit_log_default",
      `CREATE FUNCTION public.act(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
       CREATE INDEX remark ON oc_audit_log (public.act(type))`,
      /^unexpected: index part of public\.remark$/,
    ),
    "an index dropped": to(
      "public.oc_audit_log_default",
      "DROP INDEX oc_audit_log_default_prev_hash",
      /^missing: index unique public\.oc_audit_log_default_prev_hash on prev_hash, ledger /,
    ),
    "an index that is not used": to(
      "public.oc_state",
      "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'oc_state_pkey'::regclass",
      /^missing: index CREATE UNIQUE INDEX oc_state_pkey/,
    ),
    "an index that is not unique any more": to(
      "public.oc_audit_log_default",
      "UPDATE pg_catalog.pg_index SET indisunique = false WHERE indexrelid = 'oc_audit_log_default_seq'::regclass",
      /^missing: index unique public\.oc_audit_log_default_seq /,
    ),
    "a part of an index unlike the whole": to(
      "public.oc_audit_log_default",
      `UPDATE pg_catalog.pg_index SET indpred = NULL WHERE indrelid = 'oc_audit_log_default'::regclass
          AND indexrelid IN (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = 'oc_audit_log_tool'::regclass)`,
      /^missing: index part of public\.oc_audit_log_tool$/,
    ),
    "a rule": to(
      "public.oc_audit_payload",
      "CREATE RULE quiet AS ON INSERT TO oc_audit_payload DO INSTEAD NOTHING",
      /^unexpected: rule not for replicas CREATE RULE quiet/,
    ),
    "a policy": to(
      "public.oc_audit_log",
      "CREATE POLICY hide ON oc_audit_log AS RESTRICTIVE FOR SELECT TO oc_app USING (seq <> 5)",
      /^unexpected: policy hide restrictive for r to oc_app using \(seq <> 5\)$/,
    ),
    "a policy for more": to(
      "public.oc_state",
      "ALTER POLICY oc_report ON oc_state USING (true)",
      /^unexpected: policy oc_report for r to oc_reporting using true$/,
    ),
    "row-level security disabled": to(
      "public.oc_state",
      "ALTER TABLE oc_state DISABLE ROW LEVEL SECURITY",
      /^missing: table owner oc_owner row-level security$/,
    ),
    "row-level security that binds the owner": to(
      "public.oc_audit_log",
      "ALTER TABLE oc_audit_log FORCE ROW LEVEL SECURITY",
      /forced row-level security$/,
    ),
    "a table of another owner": to(
      "public.oc_bi_access",
      "ALTER TABLE oc_bi_access OWNER TO oc_app",
      /^unexpected: table owner oc_app$/,
    ),
    "a table that is not logged": to(
      "oc_work.probe",
      "ALTER TABLE oc_work.probe SET UNLOGGED",
      /owner oc_owner not logged$/,
    ),
    "a view of other rows": to(
      "public.oc_report_lineage",
      `DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW oc_report_lineage AS ' || replace(pg_get_viewdef('oc_report_lineage'::regclass),
         'oc_report_lineage_between()', 'oc_report_lineage_between(''2030-01-01'')'); END $$`,
      /^unexpected: definition sha256 /,
    ),
    "a view with the rights of its owner": to(
      "public.oc_action",
      "ALTER VIEW oc_action RESET (security_invoker)",
      /^unexpected: view owner oc_owner$/,
    ),
    "an inheritance child": to(
      "public.ghosts",
      "CREATE TABLE ghosts () INHERITS (oc_state)",
      /^unexpected: table owner superuser part of public\.oc_state$/,
    ),
    "a partition detached": to(
      "public.oc_audit_payload_default",
      "ALTER TABLE oc_audit_payload DETACH PARTITION oc_audit_payload_default",
      /^unexpected: table owner oc_owner$/,
    ),
    "a table renamed": to(
      "public.oc_ledger_month",
      "ALTER TABLE oc_ledger_month RENAME TO oc_ledger_weeks; CREATE VIEW oc_ledger_month AS SELECT * FROM oc_ledger_weeks; GRANT SELECT ON oc_ledger_month TO PUBLIC",
      /^missing: table owner oc_owner$/,
    ),
  },
};
