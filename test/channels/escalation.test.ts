import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fourEyes, putInForce } from "../graphql/policy-documents.ts";
import { act, propose } from "../graphql/steps.ts";
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
  expect(await configure(api, { name: "chiefs", groups: ["chiefs"], webhook })).toMatchObject({ userErrors: [] });
  const escalating = "require: [{ group: approvers, needed: 1, escalate: { after: 1h, to: chiefs } }]";
  await putInForce(api, fourEyes(1_000).replace("require: [{ group: approvers, needed: 1 }]", escalating));
});
afterAll(() => receiver?.close());

const about = (uuid: string) => receiver.received.filter(({ body }) => body.includes(uuid));
const asked = async () =>
  (await propose(api, { platform: "crm", tool: "send_certificate", arguments: { amount: 1 } })).action;
const statusOf = async (id: string) => (await noticesOf(api, id))[0]?.status;

it("is told of at its time, without anything happening then, and only where the action still waits", async () => {
  const [later, decided, waiting] = [await asked(), await asked(), await asked()];
  await waitUntil(async () => (await statusOf(waiting.id)) === "QUEUED");
  await act(api, "denyAction", { actionId: decided.id, digest: decided.digest, note: "No." }, "approver");
  const planned = () =>
    withClient(database.superuserUrl, async (client) => {
      const { rows } = await client.query<{ wanted: number }>(
        "SELECT wanted FROM oc_work.outbox WHERE action = $1 AND not_before > now() + interval '59 minutes'",
        [decided.uuid],
      );
      return rows[0]?.wanted === 2;
    });
  await waitUntil(planned);
  expect(receiver.received).toEqual([]);
  await withClient(database.superuserUrl, (client) =>
    client.query("UPDATE oc_work.outbox SET not_before = now() WHERE action = ANY ($1::uuid[])", [
      [decided.uuid, waiting.uuid],
    ]),
  );
  await waitUntil(async () => (await statusOf(waiting.id)) === "SENT" && (await statusOf(decided.id)) === "FAILED");
  expect(about(waiting.uuid)).toHaveLength(1);
  expect(await statusOf(later.id)).toBe("QUEUED");
  expect(receiver.received).toHaveLength(1);
});
