import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../src/facts/parse-json.ts";
import { connect } from "../http/client.ts";
import { serveApi } from "../http/served-api.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { withClient } from "../support/postgres.ts";

const { api, database } = serveApi();

/** Arguments as text: the first makes V8 read a wrong name in the others (nodejs/node#63785). */
const BACKSLASHED = '{"x":1,"\\\\":2}';
const LINE_FEED = '{"x":1,"\\n":2}';
const QUOTE = '{"x":1,"\\"":2}';

const MUTATION =
  "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{uuid arguments rendered} userErrors{code}}}";

/** What the database holds of the arguments of an action. */
async function stored(action: string): Promise<string | undefined> {
  const { rows } = await withClient(database.superuserUrl, (client) =>
    client.query<{ value: string }>(
      `SELECT (p.payload -> 'arguments' -> 'value')::text AS value FROM oc_audit_log e JOIN oc_audit_payload p USING (ledger, seq)
        WHERE e.action_id = $1 AND e.type = 'ACTION_PROPOSED'`,
      [action],
    ),
  );
  return rows[0]?.value;
}

interface Answer {
  readonly proposeAction: { readonly action: { readonly uuid: string; readonly rendered: string } };
}

const variables = (text: string) =>
  `{"input":{"idempotencyKey":"${randomUUID()}","platform":"crm","tool":"get_user_details","arguments":${text}}}`;

async function overHttp(text: string): Promise<string> {
  const authorization = `Bearer ${await api.token("agent")}`;
  const body = `{"query":${JSON.stringify(MUTATION)},"variables":${variables(text)}}`;
  return (await api.post(body, { authorization, "content-type": "application/json" })).text();
}

async function overSocket(text: string): Promise<string> {
  const client = await connect(api.wsUrl, await api.token("agent"));
  let answer = "";
  client.socket.on("message", (data) => {
    if (String(data).includes('"next"')) answer = String(data);
  });
  client.socket.send(
    `{"id":"1","type":"subscribe","payload":{"query":${JSON.stringify(MUTATION)},"variables":${variables(text)}}}`,
  );
  await client.next(({ type }) => type === "complete");
  client.socket.close();
  await client.closed;
  return answer;
}

describe.each([
  ["HTTP", overHttp],
  ["a WebSocket", overSocket],
])("arguments over %s", (_, send) => {
  it("are recorded and shown with the names they were proposed with, whatever was proposed before", async () => {
    for (const [text, canonical] of [
      [BACKSLASHED, '{"\\\\":2,"x":1}'],
      [LINE_FEED, '{"\\n":2,"x":1}'],
      [QUOTE, '{"\\"":2,"x":1}'],
      [LINE_FEED, '{"\\n":2,"x":1}'],
    ] as const) {
      const answer = await send(text);
      const parsed = parseJson(answer) as unknown as {
        readonly data?: Answer;
        readonly payload?: { readonly data: Answer };
      };
      const { action } = (parsed.data ?? parsed.payload?.data ?? { proposeAction: undefined }).proposeAction ?? {};
      expect(await stored(action?.uuid ?? ""), answer).toBe(canonical);
      expect(answer).toContain(`"arguments":${canonical}`);
      expect(action?.rendered).toContain(canonical.slice(1, canonical.indexOf(":")));
    }
  });
});

it("leaves a ledger that verifies, in the same process", async () => {
  expect(await verifyLedger(api.services.pool, "acme/eu")).toMatchObject({ verdict: "INTACT", problems: [] });
});
