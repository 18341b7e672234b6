import { Client, type Pool } from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { createLedgers } from "../../src/ledger/ledger.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

const session = uuidv7();
let database: TestDatabase;
let pool: Pool;
let superuser: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.appUrl, max: 4, applicationName: "verify-sessions", log: silent });
  const ledgers = createLedgers({ pool, capacity: 100 });
  const step = (type: string, sessionVersion: number) =>
    ledgers.append("acme/eu", { type, actor: { id: "member" }, session, sessionVersion });
  await step("SESSION_STARTED", 1);
  await step("SESSION_ENDED", 2);
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
});

afterAll(async () => {
  await superuser.end();
  await pool.end();
  await database.drop();
});

/** What is found while `change` is in effect; `undo` takes it back. */
async function found(change: string, undo: string) {
  await superuser.query(change);
  const { verdict, problems } = await verifyLedger(pool, "acme/eu");
  await superuser.query(undo);
  return { verdict, seq: problems[0]?.seq, detail: problems[0]?.detail };
}

describe("verifyLedger, of session rows", () => {
  it("finds them intact as they were left", async () => {
    expect(await verifyLedger(pool, "acme/eu")).toMatchObject({ verdict: "INTACT", problems: [] });
  });

  it("finds one that was opened again", async () => {
    expect(await found("UPDATE oc_session SET ended = false", "UPDATE oc_session SET ended = true")).toMatchObject({
      verdict: "CONTENT_MISMATCH",
      seq: 3n,
      detail: expect.stringContaining("is not what its entries say"),
    });
  });

  it("finds one that was given to somebody else, and one that was removed", async () => {
    expect(
      await found("UPDATE oc_session SET actor_id = 'x'", "UPDATE oc_session SET actor_id = 'member'"),
    ).toMatchObject({ verdict: "CONTENT_MISMATCH", seq: 3n });
    await superuser.query("CREATE TEMP TABLE kept AS SELECT * FROM oc_session");
    expect(await found("DELETE FROM oc_session", "INSERT INTO oc_session SELECT * FROM kept")).toMatchObject({
      verdict: "CONTENT_MISMATCH",
      seq: 2n,
      detail: expect.stringContaining("has no row for the session"),
    });
  });
});
