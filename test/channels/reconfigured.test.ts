import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { act, propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { startMailServer } from "./mail-server.ts";
import { configure, noticesOf, queueOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

/** A notice says where it went, whatever its channel was or is configured with. */

const { api } = serveApi({ channels: { interval: 0.1 } });
let receivers: readonly WebhookReceiver[];

beforeAll(async () => {
  receivers = await Promise.all([startWebhookReceiver(), startWebhookReceiver(), startWebhookReceiver()]);
});
afterAll(() => Promise.all((receivers ?? []).map((one) => one.close())));

const hostOf = ({ url }: WebhookReceiver) => new URL(url).host;
async function lead(to: WebhookReceiver): Promise<void> {
  const webhook = { url: to.url, signingSecrets: [`whsec_${randomBytes(24).toString("base64")}`] };
  expect(await configure(api, { name: "events", webhook })).toMatchObject({ userErrors: [] });
}
const noticed = async (id: string) => (await noticesOf(api, id))[0];

it("leads where the channel does until it was sent, and to where it was sent from then on", async () => {
  const [first, second, third] = receivers as [WebhookReceiver, WebhookReceiver, WebhookReceiver];
  first.respond((response) => void response.writeHead(503).end());
  await lead(first);
  const { action } = await propose(api);
  await waitUntil(async () => ((await queueOf(api, "events"))?.failures ?? 0) > 0);
  expect(await noticed(action.id)).toMatchObject({ status: "QUEUED", to: hostOf(first) });
  second.respond((response) => void response.writeHead(503).end());
  await lead(second);
  expect(await noticed(action.id)).toMatchObject({ to: hostOf(second) });
  second.respond((response) => void response.writeHead(204).end());
  await waitUntil(async () => (await noticed(action.id))?.status === "SENT");
  await lead(third);
  expect(await noticed(action.id)).toMatchObject({ to: hostOf(second) });
  for (let times = 0; times < 2; times += 1) {
    const { notice } = await act<{ notice: { to: string } }>(
      api,
      "openNotice",
      { actionId: action.id, channel: "events" },
      "approver",
      "notice{to} userErrors{code}",
    );
    expect(notice.to).toBe(hostOf(second));
  }
  expect(await noticed(action.id)).toMatchObject({ to: hostOf(second), firstOpenedAt: expect.any(String) });
  const { data } = await api.gql("{verifyLedger{verdict problems{detail}}}", {}, { as: "auditor" });
  expect(data).toEqual({ verifyLedger: { verdict: "INTACT", problems: [] } });
});

it("leads nowhere any more when the channel was removed before it was sent", async () => {
  const [, , third] = receivers as [WebhookReceiver, WebhookReceiver, WebhookReceiver];
  third.respond((response) => void response.writeHead(503).end());
  const { action } = await propose(api);
  await waitUntil(() => third.received.some(({ body }) => body.includes(action.uuid)));
  expect(await noticed(action.id)).toMatchObject({ to: hostOf(third) });
  await act(api, "removeChannel", { name: "events" }, "admin", "userErrors{code}");
  expect(await noticed(action.id)).toMatchObject({ to: "events", sentAt: null });
});

it("names those of the recipients that the mail server accepted", async () => {
  const mail = await startMailServer({
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith("gone@") ? Object.assign(new Error("no such user"), { responseCode: 550 }) : null),
  });
  try {
    const email = {
      from: "countersign@acme.example",
      to: ["gone@ACME.example", "Ann@Acme.example", "ops@acme.example"],
      host: "127.0.0.1",
      port: mail.port,
      security: "NONE",
    };
    expect(await configure(api, { name: "mail", email })).toMatchObject({ userErrors: [] });
    const { action } = await propose(api);
    await waitUntil(async () => (await noticed(action.id))?.status === "SENT");
    expect(await noticed(action.id)).toMatchObject({ to: "Ann@Acme.example, ops@acme.example" });
  } finally {
    await mail.close();
  }
});
