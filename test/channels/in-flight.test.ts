import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

const { api, database } = serveApi({ channels: { interval: 0.1 } });
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const webhook = { url: receiver.url, signingSecrets: [`whsec_${randomBytes(24).toString("base64")}`] };
  expect(await configure(api, { name: "events", webhook })).toMatchObject({ userErrors: [] });
});
afterAll(() => receiver?.close());

it("sends the next messages, in order and a few at most, while the first are being recorded, which are recorded together", async () => {
  const actions: Awaited<ReturnType<typeof propose>>["action"][] = [];
  await withClient(database.superuserUrl, async (client) => {
    await client.query(
      "INSERT INTO oc_work.channel_pause (ledger, channel, failures, pauses, resume_at) VALUES ('acme/eu', 'events', 0, 0, 'infinity')",
    );
    for (let times = 0; times < 12; times += 1) actions.push((await propose(api)).action);
    const queued = async () => {
      const all = await Promise.all(actions.map(({ id }) => noticesOf(api, id)));
      return all.every(([notice]) => notice?.status === "QUEUED");
    };
    await waitUntil(queued);
    // Nothing is recorded from here on.
    await client.query("BEGIN; SELECT FROM oc_ledger_head WHERE ledger = 'acme/eu' FOR UPDATE");
    await withClient(database.superuserUrl, (other) =>
      other.query("UPDATE oc_work.channel_pause SET resume_at = NULL"),
    );
    await waitUntil(() => receiver.received.length === 8);
    expect(await queued()).toBe(true);
    await client.query("COMMIT");
  });
  for (const { id } of actions) await waitUntil(async () => (await noticesOf(api, id))[0]?.status === "SENT");
  const order = receiver.received.map(({ body }) => (JSON.parse(body) as { subject: string }).subject);
  expect(order).toEqual(actions.map(({ uuid }) => uuid));
  const [{ times } = { times: 12 }] = await withClient(database.superuserUrl, async (client) => {
    const { rows } = await client.query<{ times: number }>(
      "SELECT count(DISTINCT recorded_at)::integer AS times FROM oc_audit_log WHERE type = 'NOTICE_SENT'",
    );
    return rows;
  });
  expect(times).toBeLessThan(12);
});
