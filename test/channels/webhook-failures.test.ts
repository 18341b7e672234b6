import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NoticeMessage } from "../../src/domain/channels/driver.ts";
import { createOutgoing } from "../../src/domain/channels/outbound.ts";
import { createWebhookDriver } from "../../src/domain/channels/webhook/driver.ts";
import { act, propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

const { api, database } = serveApi({ channels: { interval: 0.1 } });
const secrets = { signingSecrets: [`whsec_${randomBytes(24).toString("base64")}`] };
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const webhook = { url: receiver.url, ...secrets };
  expect(await configure(api, { name: "events", webhook })).toMatchObject({ userErrors: [] });
});
afterAll(() => receiver?.close());

const MESSAGE = {
  noticeId: "fd0c7ff4-0d22-5b8b-9f6d-94d5cdb2c0a5",
  organization: "acme",
  region: "eu",
  actionId: "0193d0a0-0000-7000-8000-000000000000",
  reference: "00000000",
  platform: "crm",
  tool: "send_certificate",
  effect: "WRITE",
  severity: "MEDIUM",
  status: "PENDING",
  version: 1,
  digest: `sha256:${"0".repeat(64)}`,
  deadline: undefined,
  requirements: [],
  decisions: [],
  content: undefined,
  link: "https://countersign.acme.example/actions/0193d0a0-0000-7000-8000-000000000000",
} satisfies NoticeMessage;

it.each([
  [429, { down: true, retry: true }],
  [500, { down: false, retry: true }],
  [502, { down: true, retry: true }],
  [503, { down: true, retry: true }],
  [504, { down: true, retry: true }],
  [501, { down: true, retry: true }],
  [302, { down: true, retry: true }],
  [401, { down: true, retry: true }],
  [403, { down: true, retry: true }],
  [404, { down: true, retry: true }],
  [410, { down: true, retry: true }],
  [400, { down: false, retry: true }],
  [413, { down: false, retry: false }],
  [422, { down: false, retry: false }],
])("a response of %i is about the channel, or about the notice", async (status, expected) => {
  receiver.respond((response) => void response.writeHead(status, { "retry-after": "-1e999" }).end(), 1);
  const outgoing = createOutgoing(["127.0.0.1"]);
  const { send } = createWebhookDriver({ outbound: outgoing.request });
  const name = { organization: "acme", name: "events", kind: "WEBHOOK", groups: [], configuredAt: 1n } as const;
  const sending = send({ ...name, settings: { url: receiver.url }, secrets }, MESSAGE, AbortSignal.timeout(10_000));
  await expect(sending).rejects.toMatchObject({ ...expected, retryAfter: undefined });
  outgoing.close();
});

it("sends a notice that was to be tried again by a server that could not note so", async () => {
  receiver.respond((response) => void response.writeHead(422).end(), 1);
  const { action } = await propose(api);
  const status = async () => (await noticesOf(api, action.id))[0]?.status;
  await waitUntil(async () => (await status()) === "FAILED");
  const refuse = `
    CREATE FUNCTION oc_work.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''full''; END';
    CREATE TRIGGER refuse BEFORE INSERT ON oc_work.outbox FOR EACH STATEMENT EXECUTE FUNCTION oc_work.refuse()`;
  await withClient(database.superuserUrl, (client) => client.query(refuse));
  const retried = act(api, "retryNotice", { actionId: action.id, channel: "events" }, "admin", "userErrors{code}");
  await expect(retried).rejects.toThrow();
  expect(await status()).toBe("QUEUED");
  await withClient(database.superuserUrl, (client) => client.query("DROP FUNCTION oc_work.refuse CASCADE"));
  await waitUntil(async () => (await status()) === "SENT");
});
