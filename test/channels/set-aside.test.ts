import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { act, propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf, queueOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

/** A notice that is refused, and those behind it. */

const { api, database } = serveApi({ channels: { interval: 0.1 } });
let receiver: WebhookReceiver;
/** The actions whose notices are refused, with which status. */
const refused = new Map<string, number>();

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  receiver.respond((response: ServerResponse) => {
    const status = [...refused].find(([uuid]) => receiver.received.at(-1)?.body.includes(uuid))?.[1];
    response.writeHead(status ?? 204).end();
  });
  const webhook = { url: receiver.url, signingSecrets: [`whsec_${randomBytes(24).toString("base64")}`] };
  expect(await configure(api, { name: "events", webhook })).toMatchObject({ userErrors: [] });
});
afterAll(() => receiver?.close());

const sql = <Row extends object>(text: string, values: readonly unknown[] = []) =>
  withClient(database.superuserUrl, async (client) => (await client.query<Row>(text, [...values])).rows);
const about = (uuid: string) => receiver.received.filter(({ body }) => body.includes(uuid));
const statusOf = async (id: string) => (await noticesOf(api, id))[0]?.status;
/** Has what is set aside tried now. */
const hurry = () =>
  sql(
    "UPDATE oc_work.outbox SET not_before = clock_timestamp() WHERE not_before > clock_timestamp() AND NOT escalates",
  );

/** An action whose notice is refused, once it was. */
async function refusedWith(status: number) {
  const { action } = await propose(api);
  refused.set(action.uuid, status);
  return action;
}

/** Proposes while nothing is sent, so that what is to be refused is known before. */
async function held<Result>(work: () => Promise<Result>): Promise<Result> {
  const pause =
    "INSERT INTO oc_work.channel_pause (ledger, channel, failures, pauses, resume_at) VALUES ('acme/eu', 'events', 0, 0, 'infinity')";
  await sql(`${pause} ON CONFLICT (ledger, channel) DO UPDATE SET resume_at = 'infinity'`);
  const result = await work();
  await sql("UPDATE oc_work.channel_pause SET resume_at = NULL");
  return result;
}

it("goes on behind a notice that is refused, which is tried again by itself and given up after twelve times", async () => {
  const [bad, good] = await held(async () => [await refusedWith(500), (await propose(api)).action] as const);
  await waitUntil(async () => (await statusOf(good.id)) === "SENT");
  expect(about(bad.uuid)).toHaveLength(1);
  expect(await statusOf(bad.id)).toBe("QUEUED");
  expect((await queueOf(api, "events"))?.problem).toContain("responded 500");
  // It is tried again without anybody's doing.
  await waitUntil(() => about(bad.uuid).length === 2);
  for (let times = 2; times < 12; times += 1) {
    // Others come through in between.
    const { action } = await propose(api);
    await waitUntil(async () => (await statusOf(action.id)) === "SENT");
    expect(await statusOf(bad.id)).toBe("QUEUED");
    await hurry();
    await waitUntil(() => about(bad.uuid).length === times + 1);
  }
  await waitUntil(async () => (await statusOf(bad.id)) === "FAILED");
  expect(about(bad.uuid)).toHaveLength(12);
});

it("says what the action came to once the notice is taken, and in order", async () => {
  const bad = await held(() => refusedWith(500));
  await waitUntil(() => about(bad.uuid).length === 1);
  await act(api, "approveAction", { actionId: bad.id, digest: bad.digest }, "approver");
  refused.delete(bad.uuid);
  await hurry();
  await waitUntil(async () => (await statusOf(bad.id)) === "SENT");
  const { grant } = await act(
    api,
    "claimGrant",
    { actionId: bad.id },
    "agent",
    "grant{token expiresAt} userErrors{code}",
  );
  await act(api, "redeemGrant", { token: grant?.token, digest: bad.digest }, "agent");
  await waitUntil(() => about(bad.uuid).some(({ body }) => body.includes('"EXECUTING"')));
  const told = about(bad.uuid).map(({ body }) => (JSON.parse(body) as { data: { status: string } }).data.status);
  // Each at least once: that it was approved is sent by the notice, and may be once more as what changed since it was queued.
  expect(told.filter((status, at) => status !== told[at - 1])).toEqual(["PENDING", "APPROVED", "EXECUTING"]);
});

it("counts against none when the channel refuses them all, and sends them once it does not", async () => {
  const all = await held(() => Promise.all(Array.from({ length: 3 }, () => refusedWith(500))));
  for (let times = 0; times < 20; times += 1) {
    const before = receiver.received.length;
    await sql("UPDATE oc_work.channel_pause SET resume_at = NULL");
    await hurry();
    await waitUntil(() => receiver.received.length > before);
  }
  const attempts = await sql<{ attempts: number }>("SELECT attempts FROM oc_work.outbox ORDER BY attempts DESC");
  expect(attempts.map((row) => row.attempts)).toEqual([1, 0, 0]);
  expect((await queueOf(api, "events"))?.failures).toBeGreaterThan(10);
  // Somebody whose notice would be taken does not wait for those that are not.
  const { action } = await propose(api);
  await sql("UPDATE oc_work.channel_pause SET resume_at = NULL");
  await hurry();
  await waitUntil(async () => (await statusOf(action.id)) === "SENT");
  refused.clear();
  await waitUntil(async () => {
    await hurry();
    return (await Promise.all(all.map(({ id }) => statusOf(id)))).every((status) => status === "SENT");
  });
});
