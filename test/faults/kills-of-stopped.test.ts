import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { waitUntil } from "../support/wait.ts";
import { propose } from "./load.ts";

let database: TestDatabase;
const apps: App[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  const all = apps.splice(0);
  for (const app of all) await app.stop();
  for (const app of all) await forget(app);
  await database.drop();
});

/** A server that finds within seconds whatever it can. */
const IMPATIENT = { WATCH_SHARE: "100", WATCH_INTERVAL: "0.5", WATCH_WHOLE_INTERVAL: "1" };

async function start(dataDir?: string, databaseUrl = database.appUrl): Promise<App> {
  const app = await startApp({ databaseUrl, environment: IMPATIENT, ...(dataDir === undefined ? {} : { dataDir }) });
  apps.push(app);
  return app;
}

/** By a superuser who takes the triggers off and puts them back. */
async function tamper(statement: string): Promise<void> {
  await withClient(database.superuserUrl, async (client) => {
    await client.query("BEGIN; SET LOCAL allow_system_table_mods = on");
    await client.query(
      "UPDATE pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'D'",
    );
    await client.query(statement);
    await client.query(
      "UPDATE pg_trigger SET tgenabled = 'A' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'A'; COMMIT",
    );
  });
}

const codeOf = async (app: App) => (await propose(app, randomUUID())).code ?? "recorded";
const NOTE = "what people found out";
const acknowledge = (app: App) =>
  app.gql(`mutation { acknowledgeLedger(input: { note: "${NOTE}" }) { userErrors { code } } }`, {}, "admin");

/** Resolves when the ledger is stopped, and that is on disk. */
async function stopped(app: App): Promise<void> {
  const query = "{ ledger { health { condition } } }";
  const condition = async () =>
    (await app.ask<{ ledger: { health: { condition: string } } }>(query, {}, "auditor")).ledger.health.condition;
  await waitUntil(async () => (await condition()) === "STOPPED");
  expect(await codeOf(app)).toBe("LEDGER_STOPPED");
  await waitUntil(() => existsSync(path.join(app.dataDir, "problems", "acme__eu.json")));
}

/** Each is found in another way: with new entries and at the end of the ledger, and only when all of it is verified. */
const MANIPULATIONS = {
  "an entry": "UPDATE oc_audit_log SET tool = 'other' WHERE ledger = 'acme/eu' AND seq = 3",
  "a state that no entry made": `INSERT INTO oc_state
    SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).* FROM oc_state s
     WHERE s.ledger = 'acme/eu' AND s.kind = 'ACTION' LIMIT 1`,
};

describe.each(Object.entries(MANIPULATIONS))("a server that stopped a ledger for %s", (_what, statement) => {
  it("and was killed refuses the first call when it starts again, until that is acknowledged", async () => {
    const app = await start();
    for (let times = 0; times < 5; times += 1) expect(await codeOf(app)).toBe("recorded");
    await tamper(statement);
    await stopped(app);
    await app.kill();

    const again = await start(app.dataDir);
    expect(await codeOf(again)).toBe("LEDGER_STOPPED");
    await acknowledge(again);
    expect(await codeOf(again)).toBe("recorded");
    await again.kill();
    expect(await codeOf(await start(app.dataDir))).toBe("recorded");
  });
});

describe("a server that was killed after an acknowledgement was recorded, and before it had an effect", () => {
  it("records again when it starts", async () => {
    const proxy = await startProxy(database.appUrl);
    try {
      const app = await start(undefined, proxy.url);
      for (let times = 0; times < 5; times += 1) expect(await codeOf(app)).toBe("recorded");
      await tamper(MANIPULATIONS["an entry"]);
      await stopped(app);
      // Only the append has it.
      proxy.muteFrom(NOTE);
      const acknowledging = acknowledge(app).catch(() => "no answer");
      await waitUntil(() =>
        withClient(database.superuserUrl, async (client) => {
          const { rowCount } = await client.query("SELECT FROM oc_audit_log WHERE type = 'LEDGER_ACKNOWLEDGED'");
          return rowCount === 1;
        }),
      );
      await app.kill();
      expect(await acknowledging).toBe("no answer");
      expect(await codeOf(await start(app.dataDir))).toBe("recorded");
    } finally {
      await proxy.close();
    }
  });
});
