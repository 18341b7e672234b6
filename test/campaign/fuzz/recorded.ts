import { DEMO_NAMES } from "../../../src/domain/identity/demo-principals.ts";
import type { JsonObject, JsonValue } from "../../../src/facts/canonical.ts";
import { SYSTEM_ACTOR } from "../../../src/facts/envelope.ts";
import { withClient } from "../../support/server.ts";
import type { Sent } from "./sent.ts";

interface Row {
  readonly ledger: string;
  readonly seq: string;
  readonly type: string;
  readonly actor: string | null;
  readonly payload: string | null;
}

/** Values of payloads that callers send; the others are made by the server or come from tokens. */
const OF_CALLERS = /(^|\.)(arguments|userRequest|rationale|note|reason|result|error)$/;

const ACTORS: ReadonlySet<string> = new Set([...DEMO_NAMES, SYSTEM_ACTOR.id]);

/** What the ledgers of the database at `url` have that nobody sent, and how many entries there are. */
export async function findUnsent(
  url: string,
  sent: Sent,
): Promise<{
  readonly entries: number;
  readonly types: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}> {
  const { rows } = await withClient(url, (client) =>
    client.query<Row>(
      `SELECT l.ledger, l.seq, l.type, l.entry::json -> 'body' -> 'actor' ->> 'id' AS actor, p.payload::text
         FROM oc_audit_log l LEFT JOIN oc_audit_payload p USING (ledger, seq) ORDER BY l.ledger, l.seq`,
    ),
  );
  const faults: string[] = [];
  const types = new Map<string, number>();
  for (const { ledger, seq, type, actor, payload } of rows) {
    types.set(type, (types.get(type) ?? 0) + 1);
    const known = actor === null || ACTORS.has(actor);
    if (!known) faults.push(`entry ${seq} of ${ledger} (${type}) is of ${JSON.stringify(actor)}`);
    for (const [at, { value }] of Object.entries(
      JSON.parse(payload ?? "{}") as Record<string, { value: JsonValue | JsonObject }>,
    )) {
      if (OF_CALLERS.test(at) && !sent.has(value)) {
        faults.push(
          `entry ${seq} of ${ledger} (${type}) has a ${at} that nobody sent: ${JSON.stringify(value).slice(0, 500)}`,
        );
      }
    }
  }
  return { entries: rows.length, types, faults };
}
