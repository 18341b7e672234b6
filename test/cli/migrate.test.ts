import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { createEmptyDatabase, type TestDatabase } from "../support/postgres.ts";
import { withClient } from "../support/server.ts";
import { countersign } from "./run.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createEmptyDatabase();
});
afterAll(() => database?.drop());

describe("migrate", () => {
  it("prints what it applied, then that there is nothing left", async () => {
    const first = await countersign(["migrate"], { MIGRATION_DATABASE_URL: database.superuserUrl });
    expect(first.stderr).toMatch(/migrate (\d+)\/\1\n$/);
    expect(first.stdout).toMatch(/^applied 000001_roles\napplied 000002_ledger\n/);
    expect(first.code).toBe(exitCodes.OK);
    const again = await countersign(["migrate", "--database-url", database.superuserUrl]);
    expect(again.stdout).toMatch(/^Nothing to do, the database is at 0\d{5}_\w+\.\n$/);
    expect(again.code).toBe(exitCodes.OK);
  });

  it("refuses a database that newer code has migrated", async () => {
    await withClient(database.superuserUrl, (client) =>
      client.query("INSERT INTO oc_migrations (name, run_on) VALUES ('999999_future', now())"),
    );
    const { code, stderr } = await countersign(["migrate"], { DATABASE_URL: database.superuserUrl });
    expect(stderr).toContain("999999_future");
    expect(code).toBe(exitCodes.FAILED);
  });

  it("ends with 3 when the database cannot be reached", async () => {
    const { code } = await countersign(["migrate", "--database-url", "postgres://nobody@127.0.0.1:1/none"]);
    expect(code).toBe(exitCodes.UNREACHABLE);
  });
});
