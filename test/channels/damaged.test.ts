import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { manipulate } from "../ledger/manipulate-states.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf } from "./steps.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

/** What the work on notices meets that is not what was recorded. */

const { api, database } = serveApi({ channels: { interval: 0.1 } });
let receiver: WebhookReceiver;
const webhook = () => ({
  url: receiver.url,
  signingSecrets: [`whsec_${randomBytes(24).toString("base64")}`],
});

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  expect(await configure(api, { name: "events", webhook: webhook() })).toMatchObject({ userErrors: [] });
});
afterAll(() => receiver?.close());

async function readiness(): Promise<unknown> {
  return (await fetch(new URL("/readyz", api.url))).json();
}

it("is noted, keeps the notice, and the notices of other ledgers go out", async () => {
  receiver.respond((response) => void response.writeHead(503).end());
  const { action } = await propose(api);
  await waitUntil(() => receiver.received.some(({ body }) => body.includes(action.uuid)));
  const set = (state: string) =>
    manipulate(database.superuserUrl, "UPDATE oc_state SET state = state || $2 WHERE kind = 'NOTICE' AND id = $1", [
      `${action.uuid}/events`,
      state,
    ]);
  expect(await readiness()).toMatchObject({ checks: { heads: true } });
  await set('{"opened":true}');
  await waitUntil(async () => JSON.stringify(await readiness()).includes('"heads":false'));

  receiver.respond((response) => void response.writeHead(204).end());
  const theirs = { org: "globex", kind: "HUMAN", sub: "olga", roles: ["member"] };
  const agent = { token: await api.sign({ ...theirs, act: { sub: "their-agent", roles: ["agent"], groups: [] } }) };
  const admin = await api.token("outsider", { roles: ["admin"] });
  const { data } = await api.gql(
    "mutation($input:ConfigureChannelInput!){configureChannel(input:$input){userErrors{code message}}}",
    { input: { name: "theirs", webhook: webhook() } },
    { token: admin },
  );
  expect(data).toEqual({ configureChannel: { userErrors: [] } });
  const other = await propose(api, {}, agent);
  await waitUntil(() => receiver.received.some(({ body }) => body.includes(other.action.uuid)));

  await set('{"opened":false}');
  await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
});
