import { approve, cancel, claim, complete, redeem, step, suspend, useRevokedToken } from "./attempts.ts";
import type { Manipulation } from "./manipulation.ts";
import type { ActionName, Facts } from "./prepare.ts";

const action = (set: string, of: ActionName) => (facts: Facts) =>
  `UPDATE oc_state SET ${set} WHERE kind = 'ACTION' AND id = '${facts.actions[of].uuid}'`;
const status = (to: string) => `status = '${to}', state = jsonb_set(state, '{status}', '"${to}"')`;
export const NO_LATER =
  "That nothing was recorded of an action since is asked of the database, and no hash can prove it. Whoever makes the database say so " +
  "is found by the watcher, by the guards or by the gap, and by every verification.";

/** The row of an action as it was at version `version`. */
export const putBack = (version: number, of: ActionName) => (facts: Facts) =>
  `UPDATE oc_state s SET version = ${version}, entries = s.entries[:${version}], updated_seq = e.seq, hash = e.hash,
          state = e.entry::jsonb #> '{body,states,0,state}', status = e.entry::jsonb #>> '{body,states,0,state,status}',
          expires_at = (e.entry::jsonb #>> '{body,states,0,state,expiresAt}')::timestamptz
     FROM oc_audit_log e
    WHERE s.kind = 'ACTION' AND s.id = '${facts.actions[of].uuid}' AND e.ledger = s.ledger AND e.seq = s.entries[${version}]`;

export const OF_ACTIONS: readonly Manipulation[] = [
  {
    name: "changed, and put back before anybody looked",
    sql: ({ actions }) => `CREATE TEMP TABLE before AS SELECT * FROM oc_state WHERE id = '${actions.pending.uuid}';
      UPDATE oc_state SET status = 'APPROVED' WHERE id = '${actions.pending.uuid}';
      UPDATE oc_state s SET status = b.status FROM before b WHERE s.id = b.id`,
    undetectable:
      "What is changed and put back leaves nothing to find. No decision rests on it meanwhile: every one compares what it reads with " +
      "entries.",
  },
  {
    name: "PENDING to APPROVED",
    sql: action(
      `status = 'APPROVED', expires_at = NULL, state = '{"status":"APPROVED","approvals":1,"grant":{"expiresAt":"2099-01-01T00:00:00.000000Z"}}'`,
      "pending",
    ),
    attempts: [claim("pending")],
  },
  {
    name: "PENDING to APPROVED in the column alone",
    sql: action("status = 'APPROVED'", "pending"),
    attempts: [claim("pending")],
  },
  {
    name: "EXECUTING to APPROVED, its grant redeemed again",
    sql: putBack(3, "executing"),
    attempts: [redeem("executing")],
  },
  {
    name: "EXECUTING to APPROVED, another grant claimed",
    sql: putBack(2, "executing"),
    attempts: [claim("executing")],
  },
  { name: "DENIED to PENDING", sql: putBack(1, "denied"), attempts: [approve("denied")] },
  {
    name: "DENIED to PENDING, and the entry of the denial removed",
    sql: (facts) => `${putBack(1, "denied")(facts)};
      DELETE FROM oc_audit_log WHERE type = 'ACTION_DENIED' AND action_id = '${facts.actions.denied.uuid}'`,
    attempts: [approve("denied")],
    passes: NO_LATER,
  },
  { name: "CANCELLED to PENDING", sql: putBack(1, "cancelled"), attempts: [approve("cancelled")] },
  { name: "EXPIRED to PENDING", sql: putBack(1, "expired"), attempts: [approve("expired")] },
  { name: "BLOCKED to ALLOWED", sql: action(status("ALLOWED"), "blocked"), attempts: [claim("blocked")] },
  { name: "FAILED to EXECUTING, reported again", sql: putBack(4, "failed"), attempts: [complete("failed")] },
  {
    name: "an approval more than there was",
    sql: action("state = jsonb_set(state, '{approvals}', '1')", "pending"),
    attempts: [approve("pending")],
  },
  { name: "another agent", sql: action("actor_id = 'bot-1'", "pending"), attempts: [cancel("pending")] },
  { name: "another hash", sql: action("hash = sha256(hash)", "approved"), attempts: [claim("approved")] },
  {
    name: "a row deleted",
    sql: ({ actions }) => `DELETE FROM oc_state WHERE id = '${actions.approved.uuid}'`,
    attempts: [claim("approved")],
  },
  { name: "all rows truncated", sql: () => "TRUNCATE oc_state", attempts: [claim("approved"), approve("pending")] },
  {
    name: "a row invented",
    sql: ({
      actions,
    }) => `INSERT INTO oc_state SELECT ledger, kind, gen_random_uuid()::text, version, state, status, expires_at, actor_id, on_behalf_of_id,
      conversation, first_seq, updated_seq, entries, hash FROM oc_state WHERE id = '${actions.approved.uuid}'`,
  },
  {
    name: "the approval of another action",
    sql: ({ actions }) => `UPDATE oc_state s SET (version, status, state, expires_at, updated_seq, entries, hash) =
      (SELECT o.version, o.status, o.state, o.expires_at, o.updated_seq, s.entries[1] || o.entries[2:], o.hash FROM oc_state o WHERE o.id = '${actions.approved.uuid}')
      WHERE s.id = '${actions.pending.uuid}'`,
    attempts: [claim("pending")],
  },
];

const session = (set: string) => (facts: Facts) =>
  `UPDATE oc_state SET ${set} WHERE kind = 'SESSION' AND id = '${facts.session.uuid}'`;
export const OF_SESSIONS: readonly Manipulation[] = [
  {
    name: "its deadline moved ten years",
    sql: session(
      "expires_at = expires_at + interval '10 years', state = jsonb_set(state, '{expiresAt}', '\"2036-11-26T00:00:00.000000Z\"')",
    ),
    attempts: [step("session")],
  },
  {
    name: "its deadline moved in the column alone",
    sql: session("expires_at = expires_at + interval '10 years'"),
    attempts: [step("session")],
  },
  {
    name: "ended, and opened again",
    sql: ({
      ended,
      session: open,
    }) => `UPDATE oc_state s SET version = 1, entries = s.entries[:1], updated_seq = e.seq, hash = e.hash, status = 'OPEN',
        state = e.entry::jsonb #> '{body,states,0,state}', expires_at = (e.entry::jsonb #>> '{body,states,0,state,expiresAt}')::timestamptz
      FROM oc_audit_log e WHERE s.id = '${ended.uuid}' AND e.ledger = s.ledger AND e.seq = s.entries[1];
      UPDATE oc_state SET conversation = '${open.conversation}' WHERE id = '${ended.uuid}'; DELETE FROM oc_state WHERE id = '${open.uuid}'`,
    attempts: [step("session")],
  },
  { name: "open, and ended", sql: session("status = 'ENDED', state = jsonb_set(state, '{status}', '\"ENDED\"')") },
  { name: "another person's", sql: session("on_behalf_of_id = 'approver'") },
  { name: "another conversation", sql: session("conversation = 'conversation-idle'") },
  { name: "a row deleted", sql: ({ session: { uuid } }) => `DELETE FROM oc_state WHERE id = '${uuid}'` },
];

const principal = (set: string, id: string) => () =>
  `UPDATE oc_state SET ${set} WHERE kind = 'PRINCIPAL' AND id = '${id}'`;
export const OF_DIRECTORY: readonly Manipulation[] = [
  {
    name: "a suspended principal reinstated",
    sql: principal("state = jsonb_set(state, '{suspended}', 'false')", "approver2"),
    attempts: [approve("pending", "approver2")],
  },
  {
    name: "the row of a suspended principal deleted",
    sql: () => "DELETE FROM oc_state WHERE kind = 'PRINCIPAL' AND id = 'approver2'",
    attempts: [approve("pending", "approver2")],
  },
  {
    name: "the entry of a suspension deleted, and its row",
    sql: () =>
      `DELETE FROM oc_audit_log WHERE type = 'PRINCIPAL_SUSPENDED'; DELETE FROM oc_state WHERE kind = 'PRINCIPAL' AND id = 'approver2'`,
    attempts: [approve("pending", "approver2")],
  },
  {
    name: "a member made an administrator",
    sql: principal(`state = jsonb_set(state, '{roles}', '["admin"]')`, "member"),
    attempts: [suspend],
  },
  {
    name: "the entry of a role changed, re-hashed",
    sql: () => `SELECT pg_temp.edit(seq, '"roles":\\["member"\\],"suspended"', '"roles":["admin"],"suspended"'), pg_temp.rehash(seq)
        FROM oc_audit_log WHERE type = 'PRINCIPAL_ROLES_CHANGED';
      UPDATE oc_state SET state = jsonb_set(state, '{roles}', '["admin"]') WHERE kind = 'PRINCIPAL' AND id = 'member'`,
    attempts: [suspend],
  },
  {
    name: "a revoked token restored",
    sql: ({ revoked }) => `DELETE FROM oc_state WHERE kind = 'TOKEN' AND id LIKE '%${revoked.jti}'`,
    attempts: [useRevokedToken],
  },
  {
    name: "the entry of a revocation made one of another type",
    sql: () =>
      "UPDATE oc_audit_log SET type = 'AUDIT_READ' WHERE type = 'TOKEN_REVOKED'; DELETE FROM oc_state WHERE kind = 'TOKEN'",
    attempts: [useRevokedToken],
  },
  {
    name: "an invited agent given to another owner",
    sql: principal(`state = jsonb_set(state, '{owner}', '"approver"')`, "bot-1"),
  },
  {
    name: "a principal invented",
    sql: () => `INSERT INTO oc_state SELECT ledger, kind, 'mallory', 1, '{"kind":"HUMAN","roles":["admin"],"suspended":false}', status, expires_at, actor_id,
      on_behalf_of_id, conversation, updated_seq, updated_seq, ARRAY[updated_seq], hash FROM oc_state WHERE kind = 'PRINCIPAL' AND id = 'member'`,
  },
];

const chain = (set: string) => (facts: Facts) =>
  `UPDATE oc_state SET ${set} WHERE kind = 'CHAIN' AND id = '${facts.idle.chain}'`;
export const OF_CHAINS: readonly Manipulation[] = [
  { name: "another platform", sql: chain(`state = jsonb_set(state, '{platform}', '"crm"')`), attempts: [step("idle")] },
  { name: "another number", sql: chain("state = jsonb_set(state, '{number}', '7')"), attempts: [step("idle")] },
  { name: "closed", sql: chain("status = 'CLOSED', state = jsonb_set(state, '{status}', '\"CLOSED\"')") },
  { name: "another id", sql: chain("id = gen_random_uuid()::text") },
  { name: "a row deleted", sql: ({ idle }) => `DELETE FROM oc_state WHERE kind = 'CHAIN' AND id = '${idle.chain}'` },
  {
    name: "the source of a write changed in its entry, re-hashed",
    sql: ({
      idle,
    }) => `SELECT pg_temp.edit(seq, '"sourceChain":"[^"]*"', '"sourceChain":"00000000-0000-5000-8000-000000000001"'), pg_temp.rehash(seq) FROM oc_audit_log
       WHERE type = 'ACTION_PROPOSED' AND chain = '${idle.chain}' AND source_chain IS NOT NULL;
      UPDATE oc_audit_log SET source_chain = '00000000-0000-5000-8000-000000000001' WHERE chain = '${idle.chain}' AND source_chain IS NOT NULL`,
  },
];

export const OF_DEADLINES: readonly Manipulation[] = [
  {
    name: "the deadline of an approval moved ten years",
    sql: action(
      "expires_at = expires_at + interval '10 years', state = jsonb_set(state, '{expiresAt}', '\"2036-11-26T00:00:00.000000Z\"')",
      "pending",
    ),
    attempts: [approve("pending")],
  },
  {
    name: "a deadline moved in the column alone",
    sql: action("expires_at = expires_at + interval '10 years'", "pending"),
    attempts: [approve("pending")],
  },
  {
    name: "a deadline in the past, so that the server lets it expire",
    sql: action("expires_at = now() - interval '1 hour'", "pending"),
    attempts: [approve("pending")],
  },
  {
    name: "a grant prolonged",
    sql: action(`state = jsonb_set(state, '{grant,expiresAt}', '"2036-11-26T00:00:00.000000Z"')`, "claimed"),
    attempts: [redeem("claimed")],
  },
  { name: "a grant that was voided put back", sql: putBack(3, "claimedTwice"), attempts: [redeem("claimedTwice")] },
  {
    name: "a grant of another token",
    sql: action("state = jsonb_set(state, '{grant,hash}', to_jsonb(repeat('0', 64)))", "claimed"),
    attempts: [redeem("claimed")],
  },
  {
    name: "the deadline in the entry moved, re-hashed",
    sql: ({
      actions,
    }) => `SELECT pg_temp.edit(seq, '"expiresAt":"20', '"expiresAt":"21'), pg_temp.rehash(seq) FROM oc_audit_log
       WHERE type = 'ACTION_PROPOSED' AND action_id = '${actions.pending.uuid}';
      UPDATE oc_state SET state = jsonb_set(state, '{expiresAt}', to_jsonb(regexp_replace(state ->> 'expiresAt', '^20', '21'))),
             expires_at = regexp_replace(state ->> 'expiresAt', '^20', '21')::timestamptz WHERE id = '${actions.pending.uuid}'`,
    attempts: [approve("pending")],
  },
];
