import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { waitUntil } from "../support/wait.ts";
import { type Outcome, PROPOSE, type Proposed, propose, startLoad } from "./load.ts";

const ENTRY = `query ($seq: Sequence!) { auditEntry(seq: $seq) { hash } }`;
interface Found {
  readonly auditEntry: { readonly hash: string } | null;
}

const VERIFY = `{ verifyLedger { verdict checkedEntries head { seq } problems { verdict seq detail } } }`;

interface Verified {
  readonly verifyLedger: { readonly verdict: string; readonly problems: readonly unknown[] };
}

const apps: App[] = [];
afterEach(async () => {
  // Two apps of a test may share a directory: none may be running when it goes.
  const ended = apps.splice(0);
  for (const app of ended) await app.stop();
  for (const app of ended) await forget(app);
});

async function start(dataDir?: string): Promise<App> {
  const app = await startApp(dataDir === undefined ? {} : { dataDir });
  apps.push(app);
  return app;
}

async function expectNothingLost(app: App, acknowledged: readonly Outcome[]): Promise<void> {
  const { verifyLedger } = await app.ask<Verified>(VERIFY, {}, "auditor");
  expect(verifyLedger.problems).toEqual([]);
  expect(verifyLedger.verdict).toBe("INTACT");
  expect(acknowledged.length).toBeGreaterThan(0);
  for (const { seq, hash } of acknowledged) {
    const { auditEntry } = await app.ask<Found>(ENTRY, { seq }, "auditor");
    expect(auditEntry?.hash).toBe(hash);
  }
}

async function postmaster(dataDir: string): Promise<number> {
  const file = await readFile(path.join(dataDir, "postgres", "postmaster.pid"), "utf8");
  return Number(file.split("\n")[0]);
}

describe("the database killed under load", () => {
  it("loses no acknowledged entry, returns LEDGER_UNAVAILABLE, and continues", async () => {
    const app = await start();
    const clients = startLoad(app, 16);
    await waitUntil(() => clients.acknowledged().length >= 100);
    process.kill(await postmaster(app.dataDir), "SIGKILL");
    const before = clients.acknowledged().length;
    await waitUntil(() => clients.acknowledged().length >= before + 100);
    await clients.stop();

    const codes = new Set(clients.outcomes.flatMap(({ code }) => (code === undefined ? [] : [code])));
    expect([...codes].filter((code) => code !== "LEDGER_UNAVAILABLE")).toEqual([]);
    // Whoever was turned away repeats the call and is answered, once.
    for (const { key } of clients.refused()) {
      const again = await propose(app, key);
      expect(again.seq).toBeDefined();
      expect((await propose(app, key)).seq).toBe(again.seq);
    }
    await expectNothingLost(app, clients.acknowledged());
  });
});

describe("the server killed under load", () => {
  it("loses no acknowledged entry and serves again on the same data", async () => {
    const first = await start();
    const clients = startLoad(first, 16);
    await waitUntil(() => clients.acknowledged().length >= 100);
    await first.kill();
    await clients.stop();

    const second = await start(first.dataDir);
    await expectNothingLost(second, clients.acknowledged());
    const { proposeAction } = await second.ask<Proposed>(
      PROPOSE,
      { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} } },
      "agent",
    );
    expect(proposeAction?.action?.status).toBe("ALLOWED");
  });

  it("stops gracefully: requests in progress complete", async () => {
    const app = await start();
    const clients = startLoad(app, 8);
    await waitUntil(() => clients.acknowledged().length >= 50);
    const code = app.stop();
    await clients.stop();
    expect(await code).toBe(0);
    const second = await start(app.dataDir);
    await expectNothingLost(second, clients.acknowledged());
  });
});
