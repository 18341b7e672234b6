import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { pausePostgres } from "../support/pause.ts";
import { type Proxy as PostgresProxy, startProxy } from "../support/proxy.ts";
import { makeDataDir } from "../support/server.ts";
import { type Outcome, propose } from "./load.ts";

/** Short, so that the test is; what is shown is that no caller waits longer than what follows from them. */
const LIMITS = {
  APPEND_TIMEOUT: "1",
  READ_TIMEOUT: "1",
  READINESS_TIMEOUT: "1",
  HEAD_LOCK_TIMEOUT: "0.5",
  JOB_TIMEOUT: "10",
};
/** Milliseconds: a read or an append, ten seconds in which its outcome is looked for, and something for a slow machine. */
const LONGEST = 25_000;

let databaseDir: string;
let postgres: EmbeddedPostgres;
let proxy: PostgresProxy;
let app: App;

beforeEach(async () => {
  databaseDir = await makeDataDir();
  postgres = await startEmbeddedPostgres({ dataDir: databaseDir, log: silent });
  proxy = await startProxy(postgres.url);
  app = await startApp({ databaseUrl: proxy.url, environment: LIMITS });
});

afterEach(async () => {
  await app.stop();
  await forget(app);
  await proxy.close();
  await postgres.stop();
  await rm(databaseDir, { recursive: true, force: true });
}, 120_000);

async function ready(): Promise<number> {
  return (await fetch(new URL("/readyz", app.url))).status;
}

async function timed<Result>(call: Promise<Result>): Promise<{ readonly result: Result; readonly ms: number }> {
  const started = performance.now();
  const result = await call;
  return { result, ms: performance.now() - started };
}

/** What 40 callers get, each with a key of its own. */
function proposals(): Promise<readonly Outcome[]> {
  return Promise.all(Array.from({ length: 40 }, () => propose(app, randomUUID())));
}

async function expectEachRecordedOnce(outcomes: readonly Outcome[]): Promise<void> {
  const positions = new Set<string | undefined>();
  for (const { key, seq } of outcomes) {
    const again = await propose(app, key);
    expect(again.seq).toBeDefined();
    if (seq !== undefined) expect(again.seq).toBe(seq);
    positions.add(again.seq);
  }
  expect(positions.size).toBe(outcomes.length);
}

describe("a database that is paused", () => {
  it("keeps no caller waiting, is reported by /readyz, and is used again as soon as it goes on", async () => {
    expect((await propose(app, randomUUID())).seq).toBeDefined();
    const running = proposals();
    const resume = await pausePostgres(postgres.pid);
    try {
      const first = await timed(running);
      const second = await timed(proposals());
      expect(Math.max(first.ms, second.ms)).toBeLessThan(LONGEST);
      expect(new Set(second.result.map(({ code }) => code))).toEqual(new Set(["LEDGER_UNAVAILABLE"]));
      const probe = await timed(ready());
      expect(probe).toMatchObject({ result: 503 });
      expect(probe.ms).toBeLessThan(4_000);
      resume();
      await expect.poll(async () => (await propose(app, randomUUID())).code, { timeout: 15_000 }).toBeUndefined();
      await expect.poll(ready, { timeout: 15_000 }).toBe(200);
      await expectEachRecordedOnce([...first.result, ...second.result]);
    } finally {
      resume();
    }
  }, 120_000);
});

describe("connections that are dead without being closed", () => {
  it("are given up, and what was recorded over them is found", async () => {
    expect((await propose(app, randomUUID())).seq).toBeDefined();
    const running = proposals();
    proxy.swallow();
    const { result, ms } = await timed(running);
    expect(ms).toBeLessThan(LONGEST);
    const after = await timed(proposals());
    expect(after.ms).toBeLessThan(LONGEST);
    await expect.poll(async () => (await propose(app, randomUUID())).code, { timeout: 15_000 }).toBeUndefined();
    await expectEachRecordedOnce([...result, ...after.result]);
  }, 120_000);
});
