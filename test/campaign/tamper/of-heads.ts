import { approve, claim, redeem } from "./attempts.ts";
import type { Manipulation } from "./manipulation.ts";

const YEAR = new Date().getUTCFullYear();
const dated = (seq: number, year: number) =>
  `'"recordedAt":"${YEAR}', '"recordedAt":"${year}'), pg_temp.rehash(${seq})`;
const HEAD = "UPDATE oc_ledger_head h SET";
const ACME = "h.ledger = 'acme/eu'";

const WRONG_HEAD =
  "The heads of ledgers in use are compared with their entries every second. The first call of a server that did not use the ledger " +
  "before may be recorded after the wrong head, where verification reports it. What is claimed had been approved.";

export const OF_HEADS: readonly Manipulation[] = [
  { name: "the row deleted", sql: () => `DELETE FROM oc_ledger_head h WHERE ${ACME}`, attempts: [claim("approved")] },
  {
    name: "moved back",
    sql: ({ last }) =>
      `${HEAD} seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE ${ACME} AND e.ledger = h.ledger AND e.seq = ${last - 3}`,
    attempts: [claim("approved")],
  },
  {
    name: "another hash",
    sql: () => `${HEAD} hash = sha256(hash) WHERE ${ACME}`,
    attempts: [claim("approved")],
    passes: WRONG_HEAD,
  },
  {
    name: "beyond the last entry",
    sql: () => `${HEAD} seq = seq + 5 WHERE ${ACME}`,
    attempts: [claim("approved")],
    passes: WRONG_HEAD,
  },
  { name: "of another ledger", sql: () => `${HEAD} ledger = 'acme/us' WHERE ${ACME}`, attempts: [claim("approved")] },
  {
    name: "set to the beginning",
    sql: () => `${HEAD} seq = 0, hash = decode(repeat('00', 32), 'hex') WHERE ${ACME}`,
    attempts: [claim("approved")],
  },
];

export const OF_CLOCK: readonly Manipulation[] = [
  {
    name: "the head dated 2100",
    sql: () => `${HEAD} recorded_at = '2100-01-01T00:00:00Z' WHERE ${ACME}`,
    attempts: [approve("pending"), redeem("claimed")],
  },
  { name: "the head dated earlier", sql: () => `${HEAD} recorded_at = recorded_at - interval '1 day' WHERE ${ACME}` },
  {
    name: "an entry dated before the one ahead, re-hashed",
    sql: ({ last }) => `SELECT pg_temp.edit(${last - 5}, ${dated(last - 5, YEAR - 1)};
      UPDATE oc_audit_log SET recorded_at = recorded_at - interval '1 year' WHERE ledger = 'acme/eu' AND seq = ${last - 5}`,
  },
  {
    name: "the last entry dated 2100, re-hashed",
    sql: ({ last }) => `SELECT pg_temp.edit(${last}, ${dated(last, 2100)};
      UPDATE oc_audit_log SET recorded_at = recorded_at + interval '${2100 - YEAR} years' WHERE ledger = 'acme/eu' AND seq = ${last};
      ${HEAD} recorded_at = h.recorded_at + interval '${2100 - YEAR} years' WHERE ${ACME}`,
  },
  {
    name: "the column of a date changed",
    sql: ({ last }) =>
      `UPDATE oc_audit_log SET recorded_at = recorded_at - interval '1 second' WHERE ledger = 'acme/eu' AND seq = ${last - 5}`,
  },
  {
    name: "clock_timestamp replaced",
    plain: `CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE STRICT AS $$ SELECT pg_catalog.now() + interval '2 days' $$`,
    attempts: [approve("pending"), redeem("claimed")],
  },
  {
    name: "clock_timestamp shadowed",
    plain: `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.now() + interval '2 days' $$`,
  },
  {
    name: "the clock of the append replaced",
    plain: `DO $$ BEGIN EXECUTE replace(pg_get_functiondef('oc_append_batches'::regproc), 'clock_timestamp()', '(now() - interval ''2 days'')'); END $$`,
  },
];
