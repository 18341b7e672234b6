import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, {
    socketLimits: { sendTimeout: 5_000 },
  });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

/** Each of them half a megabyte: what was asked for is in the text that people are shown as well. */
const ENTRIES = 120;
const SUBSCRIPTIONS = 60;
const MEGABYTE = 2 ** 20;

it("a connection that is not read makes the server read a bounded part of the ledger, however much it asks for", async () => {
  const text = "x".repeat(250_000);
  for (let at = 0; at < ENTRIES; at++) {
    const input = {
      idempotencyKey: randomUUID(),
      platform: "crm",
      tool: "get_user_details",
      arguments: { at, text },
    };
    await api.services.actions.propose(
      {
        principal: {
          id: "robot",
          kind: "AGENT",
          organization: "acme",
          roles: ["agent"],
          groups: [],
        },
        client: {
          name: "test",
          confidence: "UNKNOWN",
          modelConfidence: "UNKNOWN",
          evidence: {},
        },
        traceId: "0".repeat(32),
      },
      input,
    );
  }
  const client = await connect(api.wsUrl, await api.token("auditor"));
  client.socket.pause();
  const before = process.memoryUsage.rss();
  for (let at = 0; at < SUBSCRIPTIONS; at++) {
    const query = `subscription{auditEntries(after:"${at}"){cursor entry{body canonical arguments}}}`;
    client.send({ type: "subscribe", id: String(at), payload: { query } });
  }
  const slow = async () => /countersign_slow_subscribers_total (\d+)/.exec(await api.metrics())?.[1];
  let most = 0;
  await expect
    .poll(
      async () => {
        most = Math.max(most, process.memoryUsage.rss() - before);
        return slow();
      },
      { timeout: 30_000, interval: 20 },
    )
    .toBe("1");
  const following = () => (api.services.follower as unknown as { following(): number }).following();
  await expect.poll(following, { timeout: 10_000 }).toBe(0);
  expect(most).toBeLessThan(400 * MEGABYTE);
  client.socket.resume();
  await client.closed;
}, 90_000);
