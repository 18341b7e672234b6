import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../channels/webhook-receiver.ts";
import { waitUntil } from "../support/wait.ts";
import { countersign } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

let folder: string;
let receiver: WebhookReceiver;
let serving: Serving;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-lineage-"));
  receiver = await startWebhookReceiver();
  const file = path.join(folder, "targets.json");
  await writeFile(file, JSON.stringify({ acme: { url: `${receiver.url}/api/v1/lineage` } }));
  serving = await startServing([], {
    OPENLINEAGE_FILE: file,
    CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
    CHANNEL_INTERVAL: "0.05",
  });
});
afterAll(async () => {
  await serving?.close();
  await receiver?.close();
  await rm(folder, { recursive: true, force: true });
});

it("a server sends the run events that an export writes", async () => {
  const tokens = await openDemoTokens(settings({ dataDir: serving.dataDir }));
  const propose = async (tool: string) => {
    const input = { idempotencyKey: randomUUID(), platform: "crm", tool, arguments: {} };
    const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
    const response = await fetch(serving.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${await tokens.sign("agent")}` },
      body: JSON.stringify({ query, variables: { input } }),
    });
    expect(await response.json()).toEqual({ data: { proposeAction: { userErrors: [] } } });
  };
  await propose("get_user_details");
  await propose("no_such_tool");
  await waitUntil(() => receiver.received.length === 3);
  const { stdout } = await countersign(["export", "--format", "openlineage"], serving.environment);
  expect(`${receiver.received.map(({ body }) => body).join("\n")}\n`).toBe(stdout);
});

it("a file that says nothing useful is named before a server starts", async () => {
  const file = path.join(folder, "bad.json");
  await writeFile(file, JSON.stringify({ acme: { url: "http://marquez.acme.example" } }));
  for (const command of [["check"], ["serve", "--port", "0"]]) {
    const { code, stdout, stderr } = await countersign(command, { ...serving.environment, OPENLINEAGE_FILE: file });
    expect(code).toBe(exitCodes.USAGE);
    expect(`${stdout}${stderr}`).toContain("bad.json (OPENLINEAGE_FILE): acme.url at line 1, column");
  }
});
