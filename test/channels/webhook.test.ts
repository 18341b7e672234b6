import { randomBytes } from "node:crypto";
import { type CloudEvent, HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { act, propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf, queueOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

const { api, database } = serveApi({ channels: { interval: 0.1 } });
const secret = () => `whsec_${randomBytes(24).toString("base64")}`;
const [first, second] = [secret(), secret()];
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const webhook = { url: `${receiver.url}/hook`, signingSecrets: [first, second] };
  expect(await configure(api, { name: "events", webhook })).toEqual({ channel: { name: "events" }, userErrors: [] });
});
afterAll(() => receiver.close());

interface Told {
  readonly status: string;
  readonly actionId: string;
  readonly rendered?: string;
  readonly decisions: readonly { readonly by: string }[];
}

/** What was received of an action, oldest first. */
const eventsAbout = (uuid: string) =>
  receiver.received
    .filter(({ body }) => body.includes(uuid))
    .map((one) => ({ one, event: JSON.parse(one.body) as CloudEvent<Told> }));

describe("a webhook", () => {
  it("gets a signed CloudEvent of an action that waits, and of each change", async () => {
    const { action } = await propose(api);
    await waitUntil(() => eventsAbout(action.uuid).length === 1);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    await waitUntil(() => eventsAbout(action.uuid).length === 2);

    for (const { one } of eventsAbout(action.uuid)) {
      for (const key of [first, second]) {
        expect(new Webhook(key).verify(one.body, one.headers as Record<string, string>)).toMatchObject({
          subject: action.uuid,
        });
      }
      expect(() => new Webhook(secret()).verify(one.body, one.headers as Record<string, string>)).toThrow();
      const event = HTTP.toEvent({ headers: one.headers, body: one.body }) as CloudEvent<Told>;
      expect(event.validate()).toBe(true);
      expect(event.data?.rendered).toBeUndefined();
    }
    const [asked, decided] = eventsAbout(action.uuid).map(({ event }) => event);
    expect(asked).toMatchObject({ type: "io.countersign.action.pending", data: { status: "PENDING", decisions: [] } });
    expect(decided).toMatchObject({ data: { status: "APPROVED", decisions: [{ by: "approver", channel: "API" }] } });
    expect(asked?.id).not.toBe(decided?.id);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    expect(await noticesOf(api, action.id)).toMatchObject([
      {
        channel: "WEBHOOK",
        name: "events",
        to: new URL(receiver.url).host,
        sentAt: expect.any(String),
        firstOpenedAt: null,
      },
    ]);
  });

  it("is one question of the notices of a page of actions, however many they are", async () => {
    for (let times = 0; times < 2; times += 1) {
      const { action } = await propose(api);
      await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    }
    const page = async (first: number) => {
      const query = `query{actions(first:${first}){nodes{uuid notices{name}}}}`;
      api.queries();
      const { data } = await api.gql<{ actions: { nodes: readonly unknown[] } }>(query, {}, { as: "auditor" });
      expect(data.actions.nodes).toHaveLength(first);
      return api.sent.filter((text) => /'NOTICE'|kind = \$2|'CHANNEL'/.test(text)).length;
    };
    expect([await page(1), await page(2)]).toEqual([1, 1]);
  });

  it("that fails is tried again, with the same id, and nothing is said twice of what was accepted", async () => {
    receiver.respond((response) => void response.writeHead(500).end(), 2);
    const { action } = await propose(api);
    await waitUntil(() => eventsAbout(action.uuid).length === 3);
    expect(new Set(eventsAbout(action.uuid).map(({ one }) => one.headers["webhook-id"])).size).toBe(1);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
  });

  it.each([
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n",
  ])("that responds %j is tried again", async (text) => {
    receiver.respond((response) => void response.socket?.end(text), 1);
    const { action } = await propose(api);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    expect(eventsAbout(action.uuid)).toHaveLength(2);
  });

  it("that redirects, is gone, or lets nobody in, loses no notice: each waits until it is configured otherwise", async () => {
    for (const status of [302, 401, 404, 410]) {
      receiver.respond((response) => void response.writeHead(status, { location: `${receiver.url}/elsewhere` }).end());
      const { action } = await propose(api);
      await waitUntil(async () => ((await queueOf(api, "events"))?.failures ?? 0) > 0);
      expect((await queueOf(api, "events"))?.problem).toContain(`responded ${status}`);
      expect(await noticesOf(api, action.id)).toMatchObject([{ status: "QUEUED" }]);
      receiver.respond((response) => void response.writeHead(204).end());
      await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    }
    expect(receiver.received.some(({ path }) => path === "/elsewhere")).toBe(false);
  });

  it("that refuses what a notice says gets it no more, until an administrator says so", async () => {
    for (const status of [413, 422]) {
      receiver.respond((response) => void response.writeHead(status).end(), 1);
      const { action } = await propose(api);
      await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "FAILED");
      const retry = (as: "admin" | "approver") =>
        act<{ userErrors: unknown }>(
          api,
          "retryNotice",
          { actionId: action.id, channel: "events" },
          as,
          "userErrors{code}",
        );
      expect(await retry("approver")).toEqual({ userErrors: [{ code: "ADMINISTRATORS_ONLY" }] });
      expect(await retry("admin")).toEqual({ userErrors: [] });
      await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
      expect(await retry("admin")).toEqual({ userErrors: [{ code: "NOTHING_TO_RETRY" }] });
    }
  });

  it("that never responds keeps no other channel waiting", async () => {
    const held: { end(): void }[] = [];
    receiver.respond((response) => void held.push(response));
    const other = await startWebhookReceiver();
    const webhook = { url: other.url, signingSecrets: [first] };
    await configure(api, { name: "others", webhook });
    const { action } = await propose(api);
    await waitUntil(() => other.received.some(({ body }) => body.includes(action.uuid)));
    expect(await noticesOf(api, action.id)).toMatchObject([{ name: "events", status: "QUEUED" }, { name: "others" }]);
    receiver.respond((response) => void response.writeHead(204).end());
    for (const response of held) response.end();
    await waitUntil(async () => (await noticesOf(api, action.id)).every(({ status }) => status === "SENT"));
    await act(api, "removeChannel", { name: "others" }, "admin", "userErrors{code}");
    await other.close();
  });

  it("is configured with secrets that no database has in the clear, and by administrators alone", async () => {
    const { rows } = await withClient(database.superuserUrl, (client) =>
      client.query<{ text: string }>(
        "SELECT entry || payload::text AS text FROM oc_audit_log JOIN oc_audit_payload USING (ledger, seq)",
      ),
    );
    expect(rows.some(({ text }) => text.includes(receiver.url))).toBe(true);
    expect(rows.filter(({ text }) => [first, second].some((one) => text.includes(one.slice("whsec_".length))))).toEqual(
      [],
    );
    for (const as of ["approver", "agent"] as const) {
      const webhook = { url: "https://hooks.acme.example/", signingSecrets: [secret()] };
      expect(await configure(api, { name: "mine", webhook }, { as })).toMatchObject({
        channel: null,
        userErrors: [{ code: "ADMINISTRATORS_ONLY" }],
      });
    }
  });
});
