import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { countersign } from "./run.ts";

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  for (const ledger of ["one/eu", "two/eu"]) await createLedger(client, ledger);
  await appendActions(client, "one/eu", 0, 850);
  await appendActions(client, "two/eu", 850, 1_300);
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

const run = (...options: readonly string[]) =>
  countersign(["search-index", ...options, "--database-url", database.appUrl]);

describe("countersign search-index", () => {
  it("builds the index of all ledgers, and finds it correct", async () => {
    expect(await run()).toMatchObject({
      code: exitCodes.OK,
      stdout: "0 segments checked, 0 wrong; 3 not built yet.\n",
    });
    expect(await run("--rebuild")).toMatchObject({ code: exitCodes.OK, stdout: "The search index was rebuilt.\n" });
    expect(await run()).toMatchObject({
      code: exitCodes.OK,
      stdout: "3 segments checked, 0 wrong; 0 not built yet.\n",
    });
    expect(await run("--ledger", "two/eu")).toMatchObject({
      stdout: "1 segments checked, 0 wrong; 0 not built yet.\n",
    });
  });

  it("fails when a segment does not match its entries, until it is rebuilt", async () => {
    await client.query(
      "UPDATE oc_work.search_segment SET bits = set_byte(bits, 77, get_byte(bits, 77) # 4) WHERE ledger = 'one/eu' AND segment = 1",
    );
    const { code, stdout, stderr } = await run();
    expect(stdout).toBe("3 segments checked, 1 wrong; 0 not built yet.\n  one/eu segment 1\n");
    expect(stderr).toContain("run `countersign search-index --rebuild`");
    expect(code).toBe(exitCodes.FAILED);
    await run("--rebuild", "--ledger", "one/eu");
    expect(await run()).toMatchObject({
      code: exitCodes.OK,
      stdout: "3 segments checked, 0 wrong; 0 not built yet.\n",
    });
  });
});
