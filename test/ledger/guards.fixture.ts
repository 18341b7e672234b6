import type { ClientBase } from "pg";
import type { GuardFact } from "../../src/ledger/guards.ts";

/** What sql/guards.json has to say about a freshly migrated database: facts by class, both sorted. */
export async function describeGuards(client: ClientBase): Promise<string> {
  const { rows } = await client.query<GuardFact>("SELECT DISTINCT class, fact FROM oc_guard.state()");
  const classes = Map.groupBy(rows, (row) => row.class);
  const sorted = [...classes.keys()].sort().map((name) => [name, classes.get(name)!.map(({ fact }) => fact).sort()]);
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}
