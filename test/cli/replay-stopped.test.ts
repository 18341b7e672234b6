import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../src/cli/api.ts";
import { noCounts } from "../../src/cli/replay/counts.ts";
import { type Inbox, openInbox } from "../../src/cli/replay/inbox.ts";
import { READ_ACTION } from "../../src/cli/replay/operations.ts";
import { replayConversations } from "../../src/cli/replay/run.ts";
import type { ReplayRun } from "../../src/cli/replay/step.ts";
import type { Conversation } from "../../src/cli/replay/traces.ts";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let api: Api;
let inbox: Inbox;
let warnings: string[];

const client = (as: DemoName) => createApi({ url: api.url, token: () => api.token(as) });

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
});
afterAll(async () => {
  await api.close();
  await database.drop();
});

/** A run on the server. `before` is called with each write that is to be decided, before the approvers see it. */
function newRun(id: string, before?: (actionId: string) => Promise<unknown>): ReplayRun {
  warnings = [];
  inbox = openInbox({
    approvers: [client("approver"), client("approver2")],
    token: () => api.token("approver"),
    after: "0",
    warn: (message) => warnings.push(message),
  });
  const { decided } = inbox;
  return {
    id,
    continued: false,
    agent: client("agent"),
    auditor: client("auditor"),
    inbox: {
      ...inbox,
      async decided(actionId) {
        await before?.(actionId);
        return decided(actionId);
      },
    },
    counts: noCounts(),
    warn: (message) => warnings.push(message),
    blockedTools: new Set(),
    unknownTools: new Set(),
  };
}

async function replay(run: ReplayRun, conversations: readonly Conversation[]): Promise<number> {
  let steps = 0;
  try {
    await replayConversations(run, conversations, {
      concurrency: 2,
      onStep: () => {
        steps += 1;
      },
      signal: new AbortController().signal,
    });
  } finally {
    await inbox.close();
  }
  return steps;
}

const READ = { platform: "crm", tool: "get_user_details", arguments: {}, output: "found" };
const WRITE = { platform: "reservations", tool: "book_reservation", arguments: {}, output: "booked" };
const UNKNOWN = { platform: "crm", tool: "send_postcard", arguments: {}, output: "sent" };

const DOCUMENTS = {
  denyAction: "mutation($input:DenyActionInput!){done:denyAction(input:$input){userErrors{code}}}",
  cancelAction: "mutation($input:CancelActionInput!){done:cancelAction(input:$input){userErrors{code}}}",
} as const;

/** Somebody else than the replay stops an action. */
async function stop(mutation: keyof typeof DOCUMENTS, actionId: string, as: DemoName): Promise<void> {
  const { digest } = (await client("auditor").run(READ_ACTION, { id: actionId })).data.action ?? {};
  const input = { actionId, note: "not today", ...(mutation === "denyAction" ? { digest } : {}) };
  const { data } = await api.gql<{ readonly done: { readonly userErrors: readonly unknown[] } }>(
    DOCUMENTS[mutation],
    { input },
    { as },
  );
  expect(data.done.userErrors).toEqual([]);
}

describe("a replay goes on", () => {
  it("after steps that policy blocks, counts them, and reports why once for each tool", async () => {
    const run = newRun("blocked");
    const steps = await replay(run, [
      { id: "one", steps: [READ, UNKNOWN, UNKNOWN, WRITE] },
      { id: "two", steps: [READ] },
    ]);
    expect(steps).toBe(5);
    expect(run.counts).toMatchObject({
      conversations: 2,
      steps: 5,
      readsPermitted: 2,
      writesProposed: 1,
      writesExecuted: 1,
      writesApproved: 1,
      blocked: 2,
      notRun: 0,
      grantsRedeemed: 3,
    });
    expect(warnings).toEqual([
      "one, step 2 (send_postcard): the server returned BLOCKED for send_postcard on crm (unknown-tool-forbidden)",
    ]);
    expect([...run.unknownTools]).toEqual([]);
  });

  it("and remembers a tool that the catalog has and the server does not know", async () => {
    const run = { ...newRun("catalog"), effectOf: () => "WRITE" as const, catalogFile: "tools.json" };
    await replay(run, [{ id: "one", steps: [UNKNOWN, WRITE] }]);
    expect(run.counts).toMatchObject({ steps: 2, blocked: 1, writesExecuted: 1 });
    expect(warnings.join()).toContain("countersign serve --catalog tools.json");
    expect([...run.unknownTools]).toEqual(["send_postcard on crm"]);
  });

  it.each([
    ["denied", "denyAction", "approver2"],
    ["cancelled", "cancelAction", "agent"],
  ] as const)("behind a step that is %s while it waits", async (_how, mutation, as) => {
    let first = true;
    const run = newRun(mutation, async (actionId) => {
      if (first) await stop(mutation, actionId, as);
      first = false;
    });
    await replay(run, [{ id: "one", steps: [READ, WRITE, { ...WRITE, arguments: { again: true } }, READ] }]);
    expect(run.counts).toMatchObject({
      conversations: 1,
      steps: 4,
      writesProposed: 2,
      writesApproved: 1,
      writesExecuted: 1,
      notRun: 1,
      grantsRedeemed: 3,
    });
    expect(warnings).toEqual([]);
  });

  it("behind a step that was denied before this process came to it", async () => {
    const conversation = { id: "one", steps: [WRITE, READ] };
    const denied = newRun("continued", (actionId) => stop("denyAction", actionId, "approver2"));
    await replay(denied, [conversation]);
    const again = { ...newRun("continued"), continued: true };
    await replay(again, [conversation]);
    expect(again.counts).toMatchObject({ steps: 2, notRun: 1, grantsRedeemed: 1 });
  });
});
