import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { propose } from "./load.ts";

let databaseDir: string;
let postgres: EmbeddedPostgres;
let app: App;
/** Listens, and never reads on: what is notified stays in the queue for its sake. */
let sleeper: Client;
let filler: Client;

beforeAll(async () => {
  databaseDir = await makeDataDir();
  // The smallest queue there can be: half a megabyte.
  postgres = await startEmbeddedPostgres({
    dataDir: databaseDir,
    log: silent,
    settings: { max_notify_queue_pages: "64" },
  });
  app = await startApp({ databaseUrl: postgres.url });
  sleeper = new Client({ connectionString: postgres.url });
  filler = new Client({ connectionString: postgres.url });
  await Promise.all([sleeper.connect(), filler.connect()]);
});

afterAll(async () => {
  await Promise.all([sleeper.end(), filler.end()]);
  await app.stop();
  await forget(app);
  await postgres.stop();
  await rm(databaseDir, { recursive: true, force: true });
});

/** Notifies until PostgreSQL has no room for more. */
async function fillQueue(): Promise<void> {
  for (let n = 0; n < 1_000; n += 1) {
    try {
      await filler.query("SELECT pg_notify('filler', $1)", [`${n} ${"x".repeat(7_900)}`]);
    } catch (error) {
      expect(error).toMatchObject({ code: "54000" });
      return;
    }
  }
  throw new Error("the queue does not become full");
}

const warnings = () => app.lines.filter((line) => line.includes("followers could not be notified"));
const ready = async () => (await fetch(new URL("/readyz", app.url))).status;

/** The text of a stream of pending approvals, as it grows. */
async function follow(after: string, signal: AbortSignal): Promise<() => string> {
  const query = `subscription { pendingApprovals(after: "${after}") { cursor change } }`;
  const response = await fetch(app.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await app.token("approver")}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
    body: JSON.stringify({ query }),
    signal,
  });
  let text = "";
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
  })();
  reading.catch(() => undefined);
  return () => text;
}

describe("a full queue of notifications", () => {
  it("fails no append and no readiness check; followers find entries by polling, and the log says so once", async () => {
    await sleeper.query("LISTEN filler");
    await sleeper.query("BEGIN; SELECT 1");
    await fillQueue();

    const stopped = new AbortController();
    const first = await propose(app, randomUUID());
    const received = await follow(first.seq ?? "", stopped.signal);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => propose(app, randomUUID())));
    expect(outcomes.map(({ code }) => code)).toEqual(outcomes.map(() => undefined));
    expect(await ready()).toBe(200);
    const last = Math.max(...outcomes.map(({ seq }) => Number(seq)));
    await waitUntil(() => received().includes(`"cursor":"${last}"`), 20_000);
    for (let n = 0; n < 5; n += 1) expect((await propose(app, randomUUID())).code).toBeUndefined();
    expect(warnings()).toHaveLength(1);

    await sleeper.query("COMMIT");
    const next = await propose(app, randomUUID());
    await waitUntil(() => received().includes(`"cursor":"${next.seq}"`), 20_000);
    expect(await ready()).toBe(200);
    stopped.abort();
  });
});
