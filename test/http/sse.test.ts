import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { heartbeat: 0.2 });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

/** The events of a stream, as they come: the data of `next`, and "complete". */
async function* follow(query: string, token: string, signal?: AbortSignal) {
  const response = await fetch(api.url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
    signal: signal ?? null,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  let buffered = "";
  for await (const chunk of (response.body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream())) {
    buffered += chunk;
    const events = buffered.split("\n\n");
    buffered = events.pop() ?? "";
    for (const event of events) {
      if (event.startsWith("event: next")) yield JSON.parse(event.slice(event.indexOf("data: ") + 6));
      if (event.startsWith("event: complete")) yield "complete";
    }
  }
}

const propose = () =>
  api.gql(
    "mutation($input:ProposeActionInput!){proposeAction(input:$input){entry{seq} userErrors{code}}}",
    { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} } },
    { as: "agent" },
  );

describe("server-sent events", () => {
  it("replay, follow, and tell that nothing happens", async () => {
    await propose();
    const leave = new AbortController();
    const seen: string[] = [];
    for await (const { data } of follow(
      'subscription{auditEntries(after:"0"){cursor entry{type}}}',
      await api.token("auditor"),
      leave.signal,
    )) {
      const { cursor, entry } = data.auditEntries;
      seen.push(`${cursor} ${entry?.type ?? "heartbeat"}`);
      if (seen.length === 3) await propose();
      if (seen.length === 4) break;
    }
    leave.abort();
    expect(seen).toEqual(["1 LEDGER_CREATED", "2 ACTION_PROPOSED", "2 heartbeat", "3 ACTION_PROPOSED"]);
    const following = () => (api.services.follower as unknown as { following(): number }).following();
    await expect.poll(following).toBe(0);
  });

  it("end when the token does", async () => {
    const events = await Array.fromAsync(
      follow("subscription{auditEntries{cursor}}", await api.token("auditor", { ttl: 2 })),
    );
    expect(events.at(-1)).toBe("complete");
    expect(events.at(-2).errors).toMatchObject([{ extensions: { code: "UNAUTHENTICATED" } }]);
  });

  it("say when a cursor is beyond the ledger", async () => {
    const [first] = await Array.fromAsync(
      follow('subscription{auditEntries(after:"999"){cursor}}', await api.token("auditor")),
    );
    expect(first.errors).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  });

  it("need a token", async () => {
    const response = await api.post(JSON.stringify({ query: "subscription{auditEntries{cursor}}" }), {
      accept: "text/event-stream",
    });
    expect(await response.text()).toContain('"code":"UNAUTHENTICATED"');
  });
});
