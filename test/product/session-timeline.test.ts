import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { countersign, root } from "../cli/run.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

const traces = path.join(root, "clients/demo/airline.jsonl");
const catalogFile = path.join(root, "src/domain/policy/sample-catalog.json");

interface Entry {
  readonly seq: string;
  readonly type: string;
  readonly actor: { readonly id: string };
  readonly action: { readonly id: string } | null;
  readonly body: { readonly conversation?: string };
}
interface Page<Node> {
  readonly nodes: readonly Node[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}
interface Session {
  readonly id: string;
  readonly method: string;
  readonly conversationId: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly endReason: string | null;
  readonly expiresAt: string | null;
  readonly principal: { readonly id: string; readonly onBehalfOf: { readonly id: string } | null };
}
const PAGE = "pageInfo { hasNextPage endCursor }";
const ENTRY = "seq type actor { id } action { id } body";
const SESSION = "id method conversationId startedAt endedAt endReason expiresAt principal { id onBehalfOf { id } }";

let database: TestDatabase;
let app: App;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startApp({ databaseUrl: database.appUrl, environment: { CATALOG: catalogFile } });
});
afterAll(async () => {
  await app.stop();
  await forget(app);
  await database.drop();
});

/** Every node of a connection. */
async function all<Node>(read: (after: string | null) => Promise<Page<Node>>): Promise<readonly Node[]> {
  const nodes: Node[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page<Node> = await read(after);
    nodes.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return nodes;
    after = page.pageInfo.endCursor;
  }
}

const sessions = (filter: object, as: DemoName, newestFirst = false) =>
  all<Session>(async (after) => {
    const query = `query ($filter: SessionFilter, $newestFirst: Boolean, $after: String) {
      sessions(filter: $filter, newestFirst: $newestFirst, first: 5, after: $after) { nodes { ${SESSION} } ${PAGE} }
    }`;
    return (await app.ask<{ sessions: Page<Session> }>(query, { filter, newestFirst, after }, as)).sessions;
  });

const timeline = (id: string, as: DemoName) =>
  all<Entry>(async (after) => {
    const query = `query ($id: ID!, $after: String) {
      session(id: $id) { entries(first: 7, after: $after) { nodes { ${ENTRY} } ${PAGE} } }
    }`;
    return (await app.ask<{ session: { entries: Page<Entry> } }>(query, { id, after }, as)).session.entries;
  });

/** Everything the demo agent did, as the auditor reads it. */
const doneByAgent = () =>
  all<Entry>(async (after) => {
    const query = `query ($after: String) {
      auditEntries(filter: { actorId: "agent" }, first: 100, after: $after) { nodes { ${ENTRY} } ${PAGE} }
    }`;
    return (await app.ask<{ auditEntries: Page<Entry> }>(query, { after }, "auditor")).auditEntries;
  });

async function mutate<Answer>(name: string, input: object, selection: string, as: DemoName): Promise<Answer> {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { code } } }`;
  const answer = await app.ask<Readonly<Record<string, Answer & { userErrors: readonly object[] }>>>(
    query,
    { input },
    as,
  );
  expect(answer[name]?.userErrors).toEqual([]);
  return answer[name]!;
}

const begin = async (as: DemoName, conversationId?: string) =>
  (await mutate<{ session: Session }>("startSession", { conversationId }, `session { ${SESSION} }`, as)).session;
const end = async (as: DemoName, sessionId: string) =>
  (await mutate<{ session: Session }>("endSession", { sessionId }, `session { ${SESSION} }`, as)).session;

/** Proposes a read. Answers the id of the session its entry names. */
async function propose(conversationId?: string): Promise<string | null> {
  const call = { platform: "crm", tool: "get_user_details", arguments: { user_id: "mia" } };
  const { entry } = await mutate<{
    entry: { seq: string; session: { id: string } | null; body: { session?: string } };
  }>(
    "proposeAction",
    { idempotencyKey: randomUUID(), ...call, conversationId },
    "entry { seq session { id } body }",
    "agent",
  );
  // An agent does not see the session of its person, but its entry names it.
  return entry.body.session ?? null;
}

const uuidOf = (id: string) => Buffer.from(id, "base64url").toString().slice(-36);
const seqs = (entries: readonly Entry[]) => entries.map(({ seq }) => seq);

describe("the timeline of a session", () => {
  it("of a replayed conversation is login, every step in order, logout, and nothing else", async () => {
    const args = ["replay", traces, "--catalog", catalogFile, "--url", app.url, "--data-dir", app.dataDir];
    const { code, stderr } = await countersign([...args, "--concurrency", "6"]);
    expect(stderr).toContain("replay 63/63");
    expect(code).toBe(0);

    const lines = (await readFile(traces, "utf8")).trim().split("\n");
    const conversations = lines.map((line) => JSON.parse(line) as { id: string; steps: { tool: string }[] });
    const { tools } = JSON.parse(await readFile(catalogFile, "utf8")) as { tools: Record<string, { effect: string }> };
    const found = await sessions({ principalId: "agent" }, "auditor");
    expect(found).toHaveLength(conversations.length);
    const done = await doneByAgent();
    const told: Entry[] = [];
    for (const { id, steps } of conversations) {
      const session = found.find(({ conversationId }) => conversationId?.startsWith(`${id}/`))!;
      expect(session).toMatchObject({
        endReason: "LOGOUT",
        principal: { id: "agent", onBehalfOf: { id: "member" } },
      });
      const entries = await timeline(session.id, "auditor");
      const expected = steps.flatMap(({ tool }) => [
        "ACTION_PROPOSED",
        ...(tools[tool]?.effect === "WRITE" ? ["GRANT_ISSUED"] : []),
        "GRANT_REDEEMED",
        "ACTION_COMPLETED",
      ]);
      expect(entries.map(({ type }) => type)).toEqual(["SESSION_STARTED", ...expected, "SESSION_ENDED"]);
      // The ledger's own word, without any session: what the agent did about the actions of this conversation.
      const actions = new Set(
        done.filter(({ body }) => body.conversation === session.conversationId).map(({ action }) => action?.id),
      );
      const about = done.filter(({ action }) => action !== null && actions.has(action.id));
      expect(seqs(entries.slice(1, -1))).toEqual(seqs(about));
      // The person whom the agent acts for reads the same.
      expect(seqs(await timeline(session.id, "member"))).toEqual(seqs(entries));
      told.push(...entries);
    }
    // Six conversations at once: each entry of the agent stands in one timeline, and all of them together are all it did.
    expect(told.map(({ seq }) => BigInt(seq)).sort((a, b) => (a < b ? -1 : 1))).toEqual(
      done.map(({ seq }) => BigInt(seq)),
    );
  });

  it("is nobody else's to read", async () => {
    const mine = await sessions({}, "member");
    expect(mine.length).toBeGreaterThan(0);
    expect((await sessions({}, "agent")).map(({ id }) => id)).toEqual(mine.map(({ id }) => id));
    expect(await sessions({}, "outsider")).toEqual([]);
    const query = "query ($id: ID!) { session(id: $id) { id } }";
    expect(await app.ask(query, { id: mine[0]!.id }, "outsider")).toEqual({ session: null });
  });

  it("of a person gathers what their agent does without a session of its own", async () => {
    const person = await begin("member");
    expect(await propose("some talk")).toBe(uuidOf(person.id));
    const own = await begin("agent", "some talk");
    expect(await propose("some talk")).toBe(uuidOf(own.id));
    expect(await propose("other talk")).toBe(uuidOf(person.id));
    expect((await end("agent", own.id)).endReason).toBe("LOGOUT");
    expect(await propose("some talk")).toBe(uuidOf(person.id));
    await end("member", person.id);
    expect(await propose("some talk")).toBeNull();
    const types = async (id: string, as: DemoName) =>
      (await timeline(id, as)).map(({ type, actor }) => [type, actor.id]);
    expect(await types(person.id, "member")).toEqual([
      ["SESSION_STARTED", "member"],
      ["ACTION_PROPOSED", "agent"],
      ["ACTION_PROPOSED", "agent"],
      ["ACTION_PROPOSED", "agent"],
      ["SESSION_ENDED", "member"],
    ]);
    expect(await types(own.id, "agent")).toEqual([
      ["SESSION_STARTED", "agent"],
      ["ACTION_PROPOSED", "agent"],
      ["SESSION_ENDED", "agent"],
    ]);
  });

  it("lists who was active when", async () => {
    const before = await begin("approver", "first");
    await end("approver", before.id);
    const going = await begin("approver", "second");
    const ids = async (filter: object, as: DemoName = "auditor", newestFirst = false) =>
      (await sessions({ principalId: "approver", ...filter }, as, newestFirst)).map(({ id }) => id);
    expect(await ids({})).toEqual([before.id, going.id]);
    expect(await ids({}, "admin", true)).toEqual([going.id, before.id]);
    expect(await ids({ active: true })).toEqual([going.id]);
    expect(await ids({ active: false })).toEqual([before.id]);
    expect(await ids({ conversationId: "first" })).toEqual([before.id]);
    const [ended] = await sessions({ principalId: "approver" }, "approver");
    expect(await ids({ to: before.startedAt })).toEqual([before.id]);
    expect(await ids({ from: ended!.endedAt })).toEqual([before.id, going.id]);
    expect(await ids({ from: going.startedAt })).toEqual([going.id]);
    expect(await ids({ from: before.startedAt, to: ended!.endedAt, active: false })).toEqual([before.id]);
    expect(await ids({ to: "2020-01-01T00:00:00.000000Z" })).toEqual([]);
    expect(await ids({ from: "0000-01-01T00:00:00Z" })).toEqual([before.id, going.id]);
    expect(await ids({ from: "9999-01-01T00:00:00Z" })).toEqual([]);
    expect(await ids({}, "member")).toEqual([]);
    expect(Date.parse(going.expiresAt!) - Date.parse(going.startedAt)).toBeGreaterThan(3600_000);
    await end("approver", going.id);
  });
});
