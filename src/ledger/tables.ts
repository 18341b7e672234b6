/**
 * The tables that only the ledger's functions write, partitions of oc_audit_log aside. `oc_guard.names()` in
 * sql/000005 has the same list; a test compares them.
 */
export const LEDGER_TABLES = [
  "oc_audit_log",
  "oc_audit_payload",
  "oc_ledger_head",
  "oc_ledger_month",
  "oc_state",
  "oc_lineage_edge",
] as const;
