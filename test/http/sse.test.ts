import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createTestDatabase } from "../support/postgres.ts";
import { openSocket } from "./client.ts";
import { startApi } from "./harness.ts";
import { serveApi } from "./served-api.ts";

const { api, database } = serveApi({ heartbeat: 0.2 });

/** The events of a stream, as they come: the data of `next`, and "complete". */
async function* follow(query: string, token: string, signal?: AbortSignal) {
  const response = await fetch(api.url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
    signal: signal ?? null,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const chunk of response.body ?? []) {
    buffered += decoder.decode(chunk as Uint8Array, { stream: true });
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

async function all<Event>(events: AsyncIterable<Event>): Promise<Event[]> {
  const found: Event[] = [];
  for await (const event of events) found.push(event);
  return found;
}

describe("server-sent events", () => {
  it("replay, follow, and send heartbeats", async () => {
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
      if (seen.length === 4) await propose();
      if (seen.length === 5) break;
    }
    leave.abort();
    expect(seen).toEqual([
      "1 LEDGER_CREATED",
      "2 POLICY_STARTED",
      "3 ACTION_PROPOSED",
      "3 heartbeat",
      "4 ACTION_PROPOSED",
    ]);
    const following = () => (api.services.follower as unknown as { following(): number }).following();
    await expect.poll(following).toBe(0);
  });

  it("end when the token does", async () => {
    const events = await all(follow("subscription{auditEntries{cursor}}", await api.token("auditor", { ttl: 2 })));
    expect(events.at(-1)).toBe("complete");
    expect(events.at(-2).errors).toMatchObject([{ extensions: { code: "UNAUTHENTICATED" } }]);
  });

  it("say when a cursor is beyond the ledger", async () => {
    const [first] = await all(follow('subscription{auditEntries(after:"999"){cursor}}', await api.token("auditor")));
    expect(first.errors).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  });

  it("are limited in number, and those that are not read are cut", async () => {
    const other = await createTestDatabase();
    const small = await startApi(other.appUrl, {
      socketLimits: { streamsPerPrincipal: 2 },
      connectionLimits: { sendTimeout: 200 },
    });
    try {
      const args = { text: "x".repeat(50_000) };
      const input = () => ({
        idempotencyKey: randomUUID(),
        platform: "crm",
        tool: "get_user_details",
        arguments: args,
      });
      const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 20 }, () => small.gql(query, { input: input() }, { as: "agent" })));
      }
      const headers = { accept: "text/event-stream", authorization: `Bearer ${await small.token("auditor")}` };
      const body = JSON.stringify({ query: 'subscription{auditEntries(after:"0"){entry{body canonical}}}' });
      const unread = [await small.post(body, headers), await small.post(body, headers)];
      expect(unread.map(({ status }) => status)).toEqual([200, 200]);
      const third = await small.post(body, headers);
      expect([third.status, await third.text()]).toEqual([429, expect.stringContaining('"code":"RATE_LIMITED"')]);
      await expect.poll(small.metrics, { timeout: 20_000 }).toContain("countersign_slow_subscribers_total 2");
      await expect.poll(async () => (await small.post(body, headers)).status).toBe(200);
    } finally {
      await small.close();
      await other.drop();
    }
  });

  it("are limited for a person with all agents that act for them, also over a WebSocket; others have theirs", async () => {
    const few = await startApi(database.appUrl, { socketLimits: { streamsPerPrincipal: 2, streamsPerPerson: 3 } });
    const opened: Response[] = [];
    try {
      const tokenOf = (person: string, agent?: string) =>
        few.sign({
          ...{ sub: person, org: "acme", kind: "HUMAN", roles: ["member"], groups: [] },
          ...(agent === undefined ? {} : { act: { sub: agent, roles: ["agent"], groups: [] } }),
        });
      const open = async (person: string, agent?: string) => {
        const headers = { accept: "text/event-stream", authorization: `Bearer ${await tokenOf(person, agent)}` };
        const response = await few.post('{"query":"subscription{pendingApprovals{cursor}}"}', headers);
        opened.push(response);
        return response.status;
      };
      expect([await open("mia", "one"), await open("mia", "two"), await open("mia")]).toEqual([200, 200, 200]);
      expect([await open("mia", "three"), await open("mia", "one"), await open("mia")]).toEqual([429, 429, 429]);
      const socket = await openSocket(few.wsUrl);
      const authorization = `Bearer ${await tokenOf("mia", "four")}`;
      socket.send({ type: "connection_init", payload: { authorization } });
      expect(await socket.closed).toMatchObject({ code: 1013 });
      expect([await open("noa", "one"), await open("noa")]).toEqual([200, 200]);
      await opened[0]?.body?.cancel();
      await expect.poll(() => open("mia", "three")).toBe(200);
    } finally {
      await Promise.all(opened.map(({ body }) => body?.cancel()));
      await few.close();
    }
  });

  it("end when the server stops, and say so", async () => {
    const other = await createTestDatabase();
    const stopping = await startApi(other.appUrl, { heartbeat: 0.2 });
    const headers = { accept: "text/event-stream", authorization: `Bearer ${await stopping.token("auditor")}` };
    const response = await stopping.post('{"query":"subscription{auditEntries{cursor}}"}', headers);
    const text = response.text();
    await stopping.close();
    expect(await text).toMatch(/"code":"LEDGER_UNAVAILABLE".*event: complete/s);
    await other.drop();
  });

  it("need a token", async () => {
    const response = await api.post(JSON.stringify({ query: "subscription{auditEntries{cursor}}" }), {
      accept: "text/event-stream",
    });
    expect(await response.text()).toContain('"code":"UNAUTHENTICATED"');
  });
});

describe("a subscription that becomes a stream without asking for one by name", () => {
  it.each(["*/*", "text/*", "TEXT/EVENT-STREAM"])(
    "is counted, and ends with its caller's access: %s",
    async (accept) => {
      const few = await startApi(database.appUrl, { socketLimits: { streamsPerPrincipal: 1 } });
      const token = await few.token("approver2");
      const headers = { authorization: `Bearer ${token}`, accept };
      const body = JSON.stringify({ query: "subscription { pendingApprovals { cursor } }" });
      const first = await few.post(body, headers);
      expect(first.headers.get("content-type")).toBe("text/event-stream");
      expect(await (await few.post(body, headers)).text()).toContain("RATE_LIMITED");
      const administer = (name: string, input: string) =>
        few.gql(
          `mutation ($input: ${input}!) { ${name}(input: $input) { entry { type } } }`,
          { input: { principalId: "approver2", reason: "left the company" } },
          { as: "admin" },
        );
      await administer("suspendPrincipal", "SuspendPrincipalInput");
      expect(await first.text()).toContain("UNAUTHENTICATED");
      await administer("reinstatePrincipal", "ReinstatePrincipalInput");
      await few.close();
    },
  );
});
