import { expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { withClient } from "../support/postgres.ts";
import { propose } from "./steps.ts";

const { api, database } = serveApi();

const VERIFY = "{verifyLedger{verdict problems{verdict seq detail}}}";

it("reports a ledger in which nothing can be recorded, rather than failing like other calls", async () => {
  await propose(api);
  await withClient(database.superuserUrl, (client) =>
    client.query(`
      BEGIN; SET LOCAL countersign.migration = 'on'; ALTER TABLE oc_ledger_head DISABLE TRIGGER ALL;
      UPDATE oc_ledger_head SET seq = seq - 1; ALTER TABLE oc_ledger_head ENABLE ALWAYS TRIGGER oc_refuse_statement,
      ENABLE ALWAYS TRIGGER oc_refuse_beginning, ENABLE ALWAYS TRIGGER oc_refuse_row; COMMIT`),
  );
  const ready = async () => (await (await fetch(api.url.replace("/graphql", "/readyz"))).json()).checks.heads;
  await expect.poll(ready).toBe(false);
  await expect(propose(api)).rejects.toThrow("LEDGER_CORRUPT");
  const { data, errors } = await api.gql<{ verifyLedger: { problems: unknown[] } }>(VERIFY, {}, { as: "auditor" });
  expect(errors).toBeUndefined();
  expect(data?.verifyLedger.problems).not.toEqual([]);
});
