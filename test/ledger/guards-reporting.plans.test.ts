import { afterAll, beforeAll, expect, it } from "vitest";
import { withClient } from "../support/postgres.ts";
import { note, openScene, type Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  await scene.ledgers.append("acme/eu", note("an entry"));
});
afterAll(() => scene.close());

it.each(["oc_app", "oc_auditor"])("row-level security leaves the plans of %s as they were", async (role) => {
  const plan = await withClient(scene.database.superuserUrl, async (client) => {
    await client.query(`SET ROLE ${role}`);
    return client.query<{ "QUERY PLAN": string }>(
      "EXPLAIN SELECT * FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = 3",
    );
  });
  const text = plan.rows.map((row) => row["QUERY PLAN"]).join("\n");
  expect(text).toContain("Index Cond: ((ledger = 'acme/eu'::text) AND (seq = 3))");
  expect(text).not.toContain("Filter");
  expect(text).not.toContain("SubPlan");
});
