import { randomUUID } from "node:crypto";
import { open, rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { makeDataDir, type TestServer, withClient } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";

let postgresDir: string;
let postgres: TestServer;
let app: App | undefined;

beforeAll(async () => {
  postgresDir = await makeDataDir();
  postgres = await startEmbeddedPostgres({ dataDir: postgresDir, log: silent });
});
afterAll(async () => {
  await app?.stop();
  if (app !== undefined) await forget(app);
  await postgres.stop();
  await rm(postgresDir, { recursive: true, force: true });
});

/** Bytes of a page of PostgreSQL. */
const PAGE = 8_192;

/** Changes a byte in the page that has the proposal of an action, while the database is stopped. */
async function damageProposal(id: string): Promise<void> {
  const { file: name, block } = await withClient(postgres.url, async (client) => {
    const { rows } = await client.query<{ file: string; block: string; checksums: string }>(
      `SELECT current_setting('data_directory') || '/' || pg_relation_filepath(tableoid) AS file,
              (ctid::text::point)[0] AS block, current_setting('data_checksums') AS checksums
         FROM oc_audit_log WHERE action_id = $1 AND type = 'ACTION_PROPOSED'`,
      [id],
    );
    expect(rows).toMatchObject([{ checksums: "on" }]);
    return rows[0]!;
  });
  // The first page has what the directory needs.
  expect(Number(block)).toBeGreaterThan(0);
  await postgres.stop();
  const file = await open(path.normalize(name), "r+");
  await file.write(Buffer.from([0xff]), 0, 1, Number(block) * PAGE + 8_000);
  await file.close();
  postgres = await startEmbeddedPostgres({ dataDir: postgresDir, log: silent });
}

interface Health {
  readonly condition: string;
  readonly problems: readonly { readonly verdict: string; readonly detail: string }[];
}

describe("a server whose database has a damaged page", () => {
  it("starts, says so, stops the ledger, and reports it by codes of their own", async () => {
    const first = await startApp({ databaseUrl: postgres.url });
    const propose = (on: App) =>
      on.gql<{ proposeAction: { action: { id: string; uuid: string } } }>(
        "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id uuid}}}",
        { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} } },
        "agent",
      );
    let last: { readonly id: string; readonly uuid: string } | undefined;
    for (let n = 0; n < 12; n += 1) last = (await propose(first)).data?.proposeAction.action;
    await first.stop();
    const { id, uuid } = last!;
    await damageProposal(uuid);

    app = await startApp({ databaseUrl: postgres.url, dataDir: first.dataDir });
    const server = app;
    const health = async () => {
      const text = "{ledger{health{condition problems{verdict detail}}}}";
      return (await server.ask<{ ledger: { health: Health } }>(text, {}, "auditor")).ledger.health;
    };
    await waitUntil(async () => (await health()).condition === "STOPPED");
    expect((await health()).problems).toMatchObject([
      { verdict: "UNVERIFIABLE", detail: expect.stringContaining("invalid page in block") },
    ]);
    // What is proposed is compared with earlier entries before anything is recorded.
    expect(["LEDGER_STOPPED", "DATABASE_CORRUPT"]).toContain((await propose(app)).errors?.[0]?.extensions?.code);
    const verification = await app.ask<{ verifyLedger: object }>(
      "{verifyLedger{verdict problems{verdict detail}}}",
      {},
      "auditor",
    );
    expect(verification.verifyLedger).toMatchObject({ verdict: "UNVERIFIABLE" });
    const read = await app.gql("query($id:ID!){action(id:$id){rendered}}", { id }, "agent");
    expect(read.errors?.[0]?.extensions?.code).toBe("DATABASE_CORRUPT");
    expect((await fetch(new URL("/livez", app.url))).status).toBe(200);
    expect((await fetch(new URL("/readyz", app.url))).status).toBe(503);
  });
});
