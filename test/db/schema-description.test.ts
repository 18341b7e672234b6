import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { describeSchema } from "./schema-description.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

const describeAfter = (change?: string) =>
  withClient(database.superuserUrl, async (client) => {
    if (change !== undefined) await client.query(`SET countersign.migration = 'on'; ${change}`);
    return describeSchema(client);
  });

describe("describeSchema", () => {
  it("equals sql/schema.txt", async () => {
    const committed = await readFile(new URL("../../sql/schema.txt", import.meta.url), "utf8");
    const advice = "The schema has changed: run `npm run schema:db` and review what it changes in sql/schema.txt.";
    expect(await describeAfter(), advice).toBe(committed);
  });

  it("does not change as months go by", async () => {
    const before = await describeAfter();
    expect(before.match(/^table oc_audit_log_<month> /gm)).toHaveLength(1);
    expect(before).not.toMatch(/20\d\d/);
    expect(
      await describeAfter("SELECT oc_ensure_partition(current_date + 200), oc_ensure_partition(current_date + 300)"),
    ).toBe(before);
  });

  it("shows one partition that differs from the others, a dropped guard and a new right", async () => {
    const thisMonth = new Date().toISOString().slice(0, 7).replace("-", "_");
    const changed = await describeAfter(`
      ALTER TABLE oc_audit_log_default DISABLE TRIGGER oc_refuse_statement;
      CREATE INDEX extra ON oc_audit_log_${thisMonth} (type);
      GRANT INSERT ON oc_audit_log TO oc_app`);
    expect(changed).toContain("trigger [DISABLED] CREATE TRIGGER oc_refuse_statement");
    expect(changed.match(/^table oc_audit_log_<month> /gm)).toHaveLength(2);
    expect(changed).toContain("index CREATE INDEX extra ON public.oc_audit_log_<month> USING btree (type)");
    expect(changed).toContain("grant INSERT, SELECT to oc_app");
  });
});
