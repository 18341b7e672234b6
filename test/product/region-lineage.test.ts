import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startWebhookReceiver, type WebhookReceiver } from "../channels/webhook-receiver.ts";
import { countersign } from "../cli/run.ts";
import { startTwoRegions, type TwoRegions } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

let folder: string;
let receiver: WebhookReceiver;
let regions: TwoRegions;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-lineage-"));
  receiver = await startWebhookReceiver();
  const file = path.join(folder, "targets.json");
  await writeFile(file, JSON.stringify({ acme: { url: receiver.url } }));
  regions = await startTwoRegions({
    OPENLINEAGE_FILE: file,
    CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
    CHANNEL_INTERVAL: "0.05",
  });
});
afterAll(async () => {
  await regions?.close();
  await receiver?.close();
  await rm(folder, { recursive: true, force: true });
});

it("run events of every region are sent, and an export has those of the region that was asked for", async () => {
  for (const region of ["eu", "us", "eu"] as const) expect((await regions.propose(region)).userErrors).toEqual([]);
  await waitUntil(() => receiver.received.length === 3);
  const sent = receiver.received.map(({ body }) => body);
  const environment = { COUNTERSIGN_TOKEN: await regions.app.token("auditor") };
  const exported = async (...args: readonly string[]) => {
    const command = ["export", "--format", "openlineage", "--url", regions.app.url, ...args];
    const { stdout, stderr } = await countersign(command, environment);
    expect(stderr).toMatch(/^\d+ events?$/m);
    return stdout.trimEnd().split("\n");
  };
  const of = (ledger: string) => sent.filter((body) => body.includes(`"ledger":"${ledger}","seq"`));
  expect(of("acme/eu")).toHaveLength(2);
  expect(of("acme/us")).toHaveLength(1);
  // The home region's, where none is named.
  expect(await exported()).toEqual(of("acme/eu"));
  expect(await exported("--region", "us")).toEqual(of("acme/us"));
});
