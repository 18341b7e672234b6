import type { Manipulation } from "./manipulation.ts";
import type { ActionName, Facts } from "./prepare.ts";

const at = (facts: Facts, type: string, of: ActionName) =>
  `(SELECT seq FROM oc_audit_log WHERE type = '${type}' AND action_id = '${facts.actions[of].uuid}' ORDER BY seq LIMIT 1)`;
const approved = (facts: Facts) => at(facts, "ACTION_APPROVED", "approved");
const redeemed = (facts: Facts) => at(facts, "GRANT_REDEEMED", "succeeded");
const cancelled = (facts: Facts) => at(facts, "ACTION_CANCELLED", "cancelled");

export const OF_ENTRIES: readonly Manipulation[] = [
  {
    name: "a letter changed",
    sql: (facts) =>
      `UPDATE oc_audit_log SET entry = replace(entry, '"approver"', '"Approver"') WHERE seq = ${approved(facts)}`,
  },
  {
    name: "an entry changed, and its hash with it",
    sql: (facts) => `SELECT pg_temp.edit(${redeemed(facts)}, '"id":"agent"', '"id":"agenT"')`,
  },
  {
    name: "an entry changed, and all after it re-hashed",
    sql: (facts) =>
      `SELECT pg_temp.edit(${cancelled(facts)}, '"region":"us"', '"region":"eu"'), pg_temp.rehash(${cancelled(facts)})`,
  },
  {
    name: "a reader's name changed, and all after it re-hashed",
    sql: () => `SELECT pg_temp.edit(seq, '"id":"auditor"', '"id":"approver"'), pg_temp.rehash(seq) FROM oc_audit_log WHERE type = 'AUDIT_READ';
      UPDATE oc_audit_log SET actor_id = 'approver' WHERE type = 'AUDIT_READ'`,
  },
  {
    name: "the name of an approver changed, and all after it re-hashed",
    sql: (
      facts,
    ) => `SELECT pg_temp.edit(${approved(facts)}, '"id":"approver"', '"id":"approver2"'), pg_temp.rehash(${approved(facts)});
      UPDATE oc_audit_log SET actor_id = 'approver2' WHERE seq = ${approved(facts)}`,
  },
  { name: "an entry removed", sql: (facts) => `DELETE FROM oc_audit_log WHERE seq = ${approved(facts)}` },
  {
    name: "an entry removed, and those after it moved up and re-hashed",
    sql: () => `DELETE FROM oc_audit_payload p USING oc_audit_log l WHERE l.type = 'AUDIT_READ' AND p.ledger = l.ledger AND p.seq = l.seq;
      CREATE TEMP TABLE gone AS SELECT seq FROM oc_audit_log WHERE type = 'AUDIT_READ' ORDER BY seq LIMIT 1;
      DELETE FROM oc_audit_log l USING gone WHERE l.seq = gone.seq AND l.ledger = 'acme/eu';
      UPDATE oc_audit_payload p SET seq = -p.seq + 1 FROM gone WHERE p.ledger = 'acme/eu' AND p.seq > gone.seq;
      UPDATE oc_audit_payload SET seq = -seq WHERE seq < 0;
      UPDATE oc_audit_log l SET seq = -l.seq + 1 FROM gone WHERE l.ledger = 'acme/eu' AND l.seq > gone.seq;
      UPDATE oc_audit_log SET seq = -seq, entry = replace(entry, '"seq":"' || (-seq + 1) || '"', '"seq":"' || -seq || '"') WHERE seq < 0;
      UPDATE oc_state s SET first_seq = first_seq - (first_seq > gone.seq)::integer, updated_seq = updated_seq - (updated_seq > gone.seq)::integer,
             entries = ARRAY(SELECT e - (e > gone.seq)::integer FROM unnest(s.entries) WITH ORDINALITY x(e, n) ORDER BY n) FROM gone WHERE s.ledger = 'acme/eu';
      UPDATE oc_ledger_head SET seq = seq - 1 WHERE ledger = 'acme/eu';
      SELECT pg_temp.rehash(seq) FROM gone`,
  },
  {
    name: "the last three cut off, and nothing else",
    sql: ({ last }) => `DELETE FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq > ${last - 3}`,
  },
  {
    name: "the last three cut off, with their states, values and the head",
    sql: ({ last }) => `SELECT pg_temp.cut(${last - 3})`,
  },
  {
    name: "everything cut off but the first entry",
    sql: () => "SELECT pg_temp.cut(1)",
  },
  {
    name: "two entries swapped",
    sql: (facts) => `CREATE TEMP TABLE two AS SELECT ${approved(facts)} AS a, ${cancelled(facts)} AS b;
      UPDATE oc_audit_log SET seq = CASE seq WHEN a THEN b ELSE a END + 100000 FROM two WHERE ledger = 'acme/eu' AND seq IN (a, b);
      UPDATE oc_audit_log SET seq = seq - 100000 WHERE seq > 100000`,
  },
  {
    name: "a column for searching changed",
    sql: (facts) => `UPDATE oc_audit_log SET actor_id = 'somebody' WHERE seq = ${approved(facts)}`,
  },
  {
    name: "an entry of an unknown format, re-hashed",
    sql: (facts) =>
      `SELECT pg_temp.edit(${cancelled(facts)}, '"v":1}$', '"v":2}'), pg_temp.rehash(${cancelled(facts)})`,
  },
  {
    name: "all entries of the ledger removed, with head, states and values",
    sql: () => `DELETE FROM oc_audit_payload WHERE ledger = 'acme/eu'; DELETE FROM oc_state WHERE ledger = 'acme/eu';
      DELETE FROM oc_audit_log WHERE ledger = 'acme/eu'; DELETE FROM oc_ledger_month WHERE ledger = 'acme/eu'; DELETE FROM oc_ledger_head WHERE ledger = 'acme/eu'`,
  },
  {
    name: "entries read and copied",
    sql: () =>
      "CREATE TEMP TABLE copied AS SELECT entry, payload FROM oc_audit_log JOIN oc_audit_payload USING (ledger, seq)",
    undetectable: "Reading changes nothing, so nothing shows it. A superuser of the database reads every table.",
  },
];
