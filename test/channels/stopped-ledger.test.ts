import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { manipulate } from "../ledger/manipulate-states.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

let database: TestDatabase;
let receiver: WebhookReceiver;
let app: App;

beforeAll(async () => {
  [database, receiver] = await Promise.all([createTestDatabase(), startWebhookReceiver()]);
  const environment = { CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1", CHANNEL_INTERVAL: "0.1" };
  app = await startApp({ databaseUrl: database.appUrl, environment });
  const signingSecrets = [`whsec_${randomBytes(24).toString("base64")}`];
  await app.ask(
    "mutation($input:ConfigureChannelInput!){configureChannel(input:$input){userErrors{code}}}",
    { input: { name: "events", webhook: { url: receiver.url, signingSecrets } } },
    "admin",
  );
});
afterAll(async () => {
  await app?.stop();
  await receiver?.close();
  await forget(app);
  await database?.drop();
});

async function propose(): Promise<string> {
  const { proposeAction } = await app.ask<{ proposeAction: { action: { uuid: string } } }>(
    "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{uuid}}}",
    {
      input: {
        idempotencyKey: randomUUID(),
        platform: "reservations",
        tool: "book_reservation",
        arguments: { user_id: randomUUID() },
      },
    },
    "agent",
  );
  return proposeAction.action.uuid;
}

const about = (uuid: string) => receiver.received.filter(({ body }) => body.includes(uuid));
const noticed = (line: string) => app.lines.some((one) => one.includes(line));

it("sends nothing that cannot be recorded: of a ledger that is stopped, until somebody acknowledges why", async () => {
  receiver.respond((response) => void response.writeHead(503).end());
  const damaged = await propose();
  const waiting = await propose();
  await waitUntil(() => about(damaged).length > 0);
  const set = (state: string) =>
    manipulate(database.superuserUrl, "UPDATE oc_state SET state = state || $2 WHERE kind = 'NOTICE' AND id = $1", [
      `${damaged}/events`,
      state,
    ]);
  await set('{"opened":true}');
  const condition = async () =>
    (await app.ask<{ ledger: { health: { condition: string } } }>("{ledger{health{condition}}}", {}, "auditor")).ledger
      .health.condition;
  await waitUntil(async () => (await condition()) === "STOPPED");
  await set('{"opened":false}');
  const tried = () => [about(damaged).length, about(waiting).length] as const;
  const [first, second] = tried();
  receiver.respond((response) => void response.writeHead(204).end());
  await waitUntil(() => noticed("work on the notices of a ledger ended"));

  await app.ask('mutation{acknowledgeLedger(input:{note:"a test"}){userErrors{code}}}', {}, "admin");
  await waitUntil(() => tried()[0] > first && tried()[1] > second);
  expect(tried()).toEqual([first + 1, second + 1]);
});
