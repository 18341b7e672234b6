import { approve, claim } from "./attempts.ts";
import type { Manipulation } from "./manipulation.ts";
import type { ActionName, Facts } from "./prepare.ts";

const where = (facts: Facts, of: ActionName, type = "ACTION_PROPOSED") =>
  `WHERE ledger = 'acme/eu' AND seq = (SELECT seq FROM oc_audit_log WHERE type = '${type}' AND action_id = '${facts.actions[of].uuid}')`;
const replaced = (facts: Facts, of: ActionName, from: string, to: string) =>
  `UPDATE oc_audit_payload SET payload = regexp_replace(payload::text, '${from}', '${to}')::json ${where(facts, of)}`;

export const OF_PAYLOADS: readonly Manipulation[] = [
  {
    name: "the arguments of a pending action changed",
    sql: (facts) => replaced(facts, "pending", '"reservation_id":"NO6JO3"', '"reservation_id":"8C8K4E"'),
    attempts: [approve("pending")],
  },
  {
    name: "the text that approvers are shown changed",
    sql: (facts) => replaced(facts, "pending", '("rendered":\\{"salt":"[0-9a-f]+","value":")', "\\1Harmless. "),
    attempts: [approve("pending")],
  },
  {
    name: "the values of a pending action deleted",
    sql: (facts) => `DELETE FROM oc_audit_payload ${where(facts, "pending")}`,
    attempts: [approve("pending")],
  },
  {
    name: "the arguments of an approved action changed",
    sql: (facts) => replaced(facts, "approved", '"reservation_id":"NO6JO3"', '"reservation_id":"8C8K4E"'),
    attempts: [claim("approved")],
  },
  { name: "all values truncated", sql: () => "TRUNCATE oc_audit_payload", attempts: [approve("pending")] },
  {
    name: "a note of an approver removed",
    sql: (facts) => `DELETE FROM oc_audit_payload ${where(facts, "approved", "ACTION_APPROVED")}`,
  },
  { name: "a salt changed", sql: (facts) => replaced(facts, "failed", '"salt":"[0-9a-f]{2}', '"salt":"00') },
  {
    name: "a value added",
    sql: (facts) => replaced(facts, "failed", "^\\{", `{"a":{"salt":"${"0".repeat(32)}","value":1},`),
  },
  {
    name: "the values of two actions swapped",
    sql: (facts) => `CREATE TEMP TABLE two AS SELECT a.seq AS a, b.seq AS b FROM oc_audit_log a, oc_audit_log b
       WHERE a.type = 'ACTION_PROPOSED' AND b.type = 'ACTION_PROPOSED' AND a.action_id = '${facts.actions.pending.uuid}'
         AND b.action_id = '${facts.actions.approved.uuid}';
      UPDATE oc_audit_payload SET seq = CASE seq WHEN a THEN b ELSE a END + 100000 FROM two WHERE ledger = 'acme/eu' AND seq IN (a, b);
      UPDATE oc_audit_payload SET seq = seq - 100000 WHERE seq > 100000`,
    attempts: [approve("pending")],
  },
  {
    name: "a value dated elsewhere, where reads do not look",
    sql: (facts) =>
      `UPDATE oc_audit_payload SET recorded_at = recorded_at + interval '20 years' ${where(facts, "pending")}`,
    attempts: [approve("pending")],
  },
  {
    name: "what the person asked for changed, of an action that is over",
    sql: (facts) => replaced(facts, "succeeded", '"value":"Please\\."', '"value":"Please!"'),
  },
];
