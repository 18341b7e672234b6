import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { SYSTEM_ACTOR } from "../../facts/envelope.ts";
import { type Queryable, readHead } from "../../ledger/read.ts";
import type { PrincipalKind } from "../identity/principal.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { SeenPrincipals, Sighting } from "./seen-principals.ts";

/** Principals one statement looks up, and entries one statement looks through, at most. */
const STRIDE = 500;
const STRETCH = 10_000;
/** With more entries than this behind it, a look starts from the indexes of principals again. */
const FAR_BEHIND = 200_000n;

// Both columns have an index that continues with ledger and seq. One step of this walk goes down it once: to the last
// entry of the next id. Only that index has the requested order, so PostgreSQL can choose no other plan.
const walk = (column: string, from: string) => `
  WITH RECURSIVE walk(id, seq) AS (
    (SELECT e.${column}, e.seq FROM oc_audit_log e
      WHERE e.ledger = $1 AND ${from} ORDER BY e.${column} DESC, e.seq DESC LIMIT 1)
    UNION ALL
    SELECT n.id, n.seq FROM walk CROSS JOIN LATERAL (
      SELECT e.${column} AS id, e.seq FROM oc_audit_log e
       WHERE e.ledger = $1 AND e.${column} < walk.id ORDER BY e.${column} DESC, e.seq DESC LIMIT 1) n)
  SELECT w.id, '${column}' AS column_name, w.seq, e.entry::json -> 'recordedAt' AS at,
         e.entry::json -> 'body' -> 'actor' AS actor, e.entry::json -> 'body' -> 'onBehalfOf' AS on_behalf_of
    FROM (SELECT * FROM walk LIMIT ${STRIDE}) w CROSS JOIN LATERAL oc_entries_at($1, ARRAY[w.seq]) e
   ORDER BY w.id DESC`;

const NEWER = {
  name: "oc_read_newly_seen",
  text: `
    WITH newer AS MATERIALIZED (
      SELECT e.seq, e.actor_id, e.on_behalf_of_id FROM oc_audit_log e
       WHERE e.ledger = $1 AND e.seq > $2::bigint ORDER BY e.seq LIMIT ${STRETCH}),
    latest AS (
      SELECT n.actor_id AS id, 'actor_id' AS column_name, max(n.seq) AS seq FROM newer n WHERE n.actor_id IS NOT NULL GROUP BY 1
      UNION ALL
      SELECT n.on_behalf_of_id, 'on_behalf_of_id', max(n.seq) FROM newer n WHERE n.on_behalf_of_id IS NOT NULL GROUP BY 1)
    SELECT l.*, e.entry::json -> 'recordedAt' AS at,
           e.entry::json -> 'body' -> 'actor' AS actor, e.entry::json -> 'body' -> 'onBehalfOf' AS on_behalf_of,
           (SELECT max(n.seq) FROM newer n) AS reached
      FROM latest l JOIN oc_audit_log e ON e.ledger = $1 AND e.seq = l.seq`,
};

interface Row {
  readonly id: string;
  readonly column_name: Column;
  readonly seq: string;
  readonly at: string;
  readonly actor: JsonObject | null;
  readonly on_behalf_of: JsonObject | null;
}
interface NewerRow extends Row {
  /** The last position that was looked at. */
  readonly reached: string;
}
type Column = "actor_id" | "on_behalf_of_id";

/**
 * Takes in everybody the ledger saw since `seen` was last brought up to date. What it costs at first grows with how many
 * there are, and later with what was recorded meanwhile. Throws LedgerUnavailableError.
 */
export async function catchUp(db: Queryable, seen: SeenPrincipals): Promise<void> {
  const head = (await withLedgerErrors(readHead(db, seen.ledger)))?.seq ?? 0n;
  if (seen.position === undefined || head - seen.position > FAR_BEHIND) {
    for (const column of ["actor_id", "on_behalf_of_id"] as const) await walkAll(db, seen, column);
    seen.position = head;
  }
  while (seen.position < head) {
    const rows = await readNewer(db, seen, seen.position);
    for (const row of rows) take(seen, row);
    // Entries by nobody: there are none, but nothing here may go on for ever.
    seen.position = rows[0] === undefined ? head : BigInt(rows[0].reached);
  }
}

async function readNewer(db: Queryable, { ledger }: SeenPrincipals, after: bigint): Promise<readonly NewerRow[]> {
  const { rows } = await withLedgerErrors(db.query<NewerRow>({ ...NEWER, values: [ledger, after] }));
  return rows;
}

async function walkAll(db: Queryable, seen: SeenPrincipals, column: Column): Promise<void> {
  const first = walk(column, `e.${column} IS NOT NULL`);
  const further = walk(column, `e.${column} < $2::text`);
  for (let before: string | undefined; ; ) {
    const query =
      before === undefined
        ? db.query<Row>(first, [seen.ledger])
        : db.query<Row>({
            name: `oc_walk_${column}`,
            text: further,
            values: [seen.ledger, before],
          });
    const { rows } = await withLedgerErrors(query);
    for (const row of rows) take(seen, row);
    before = rows.at(-1)?.id;
    if (rows.length < STRIDE) return;
  }
}

function take(seen: SeenPrincipals, row: Row): void {
  const sighting = sightingOf(row);
  if (sighting !== undefined) seen.add(sighting);
}

/** Our own hashed bytes: their shape is trusted. The server itself is nobody of the organization. */
function sightingOf({ id, column_name, seq, at, actor, on_behalf_of }: Row): Sighting | undefined {
  const facts = column_name === "actor_id" ? actor : on_behalf_of;
  if (facts === null || (id === SYSTEM_ACTOR.id && facts.kind === SYSTEM_ACTOR.kind)) return undefined;
  const person = column_name === "actor_id" ? on_behalf_of?.id : undefined;
  return {
    id,
    as: column_name === "actor_id" ? "actor" : "onBehalfOf",
    seq: BigInt(seq),
    at,
    kind: facts.kind as PrincipalKind,
    roles: texts(facts.roles),
    groups: texts(facts.groups),
    onBehalfOf: typeof person === "string" ? person : undefined,
  };
}

function texts(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

const ONE = (column: Column) => ({
  name: `oc_read_seen_${column}`,
  text: `
    SELECT $2::text AS id, '${column}' AS column_name, s.seq, s.entry::json -> 'recordedAt' AS at,
           s.entry::json -> 'body' -> 'actor' AS actor, s.entry::json -> 'body' -> 'onBehalfOf' AS on_behalf_of
      FROM oc_entries_at($1, ARRAY[oc_last_seen($1, '${column}', $2::text)]) s`,
});

/** Where the ledger last saw `id`: acting, or else acted for. Throws LedgerUnavailableError. */
export async function lastSighting(db: Queryable, ledger: LedgerId, id: string): Promise<Sighting | undefined> {
  for (const column of ["actor_id", "on_behalf_of_id"] as const) {
    const { rows } = await withLedgerErrors(db.query<Row>({ ...ONE(column), values: [ledger, id] }));
    const sighting = rows[0] && sightingOf(rows[0]);
    if (sighting !== undefined) return sighting;
  }
  return undefined;
}
