import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect, dataOf, openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;
let nginx: Nginx;

beforeAll(async () => {
  database = await createTestDatabase();
  // No heartbeat before the test ends: what a proxy holds back is not pushed on by what follows.
  api = await startApi(database.appUrl, { heartbeat: 300, publicUrl: "https://countersign.example" });
  const upstream = new URL(api.url).origin;
  nginx = await startNginx(`
    location / { proxy_pass ${upstream}; }
    location /websocket/ {
      proxy_pass ${upstream}/;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }`);
});

afterAll(async () => {
  await nginx?.stop();
  await api?.close();
  await database?.drop();
});

const post = async (query: string, accept: string) =>
  fetch(new URL("/graphql", nginx.url), {
    method: "POST",
    headers: { "content-type": "application/json", accept, authorization: `Bearer ${await api.token("auditor")}` },
    body: JSON.stringify({ query }),
  });

const propose = () =>
  api.gql(
    "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}",
    { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} } },
    { as: "agent" },
  );

describe("behind nginx as it comes, with a bare proxy_pass,", () => {
  it("operations get their results", async () => {
    const response = await post("{viewer{id}}", "application/json");
    expect(await response.json()).toEqual({ data: { viewer: { id: "auditor" } } });
  });

  it("a stream begins at once, and each event arrives when it happens", async () => {
    await propose();
    const response = await post('subscription{auditEntries(after:"2"){entry{type}}}', "text/event-stream");
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toMatch(/^:/);
    await propose();
    let events = "";
    while (!events.includes("ACTION_PROPOSED")) events += (await reader.read()).value;
    await reader.cancel();
  });

  it("a WebSocket carries operations, also from a page at PUBLIC_URL", async () => {
    const url = new URL("/websocket/graphql", nginx.url.replace("http", "ws")).href;
    const client = await connect(url, await api.token("auditor"));
    client.send({ type: "subscribe", id: "1", payload: { query: "{viewer{id}}" } });
    expect(dataOf(await client.next(({ id }) => id === "1"))).toEqual({ viewer: { id: "auditor" } });
    client.socket.close();
    const page = await openSocket(url, { headers: { origin: "https://countersign.example" } });
    page.socket.close();
    await expect(openSocket(url, { headers: { origin: "https://evil.example" } })).rejects.toThrow("403");
  });
});
