import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { withClient } from "../../support/postgres.ts";
import { createOrganization, openDirectory, seeing } from "./world.ts";

const { one, world } = openDirectory();

it("who was seen is found by walking an index, not the ledger", async () => {
  const { ledger, person } = createOrganization();
  const people = Array.from({ length: 40 }, (_, n) => person(`seen-${n}`, { email: randomUUID() }));
  await Promise.all(Array.from({ length: 400 }, (_, n) => seeing(one, people[n % people.length] ?? person("nobody"))));
  const plan = await withClient(world.superuserUrl, async (client) => {
    await client.query("ANALYZE oc_audit_log");
    const { rows } = await client.query<{ "QUERY PLAN": string }>(
      `EXPLAIN SELECT e.actor_id, e.seq FROM oc_audit_log e
        WHERE e.ledger = '${ledger}' AND e.actor_id < 'z' ORDER BY e.actor_id DESC, e.seq DESC LIMIT 1`,
    );
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
  expect(plan).toMatch(/actor_id/);
  expect(plan).not.toMatch(/Seq Scan|Sort {2}/);
});
