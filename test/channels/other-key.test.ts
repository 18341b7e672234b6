import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { propose } from "../graphql/steps.ts";
import { serveApis } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf, queueOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

const { start } = serveApis();
let receiver: WebhookReceiver;
let folder: string;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  folder = await mkdtemp(join(tmpdir(), "countersign-other-key-"));
});
afterAll(async () => {
  await receiver?.close();
  await rm(folder, { recursive: true, force: true });
});

it("gives up no notice on a server that has another key, and sends it from one that has that of the channel", async () => {
  const channels = { interval: 0.1, lease: 1 };
  const keyFile = join(folder, "keys.json");
  const first = await start({ keyFile });
  const webhook = { url: receiver.url, signingSecrets: [`whsec_${randomBytes(24).toString("base64")}`] };
  expect(await configure(first, { name: "events", webhook })).toMatchObject({ userErrors: [] });
  const other = await start({ channels });
  const { action } = await propose(other);
  await waitUntil(async () => ((await queueOf(other, "events"))?.failures ?? 0) > 0);
  expect((await queueOf(other, "events"))?.problem).toContain("another key");
  expect(await noticesOf(other, action.id)).toMatchObject([{ status: "QUEUED", to: new URL(receiver.url).host }]);
  expect(receiver.received).toEqual([]);
  await other.services.channels.stop();
  await start({ keyFile, channels });
  await waitUntil(async () => (await noticesOf(first, action.id))[0]?.status === "SENT");
});
