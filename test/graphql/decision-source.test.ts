import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { approver, calling } from "../domain/support.ts";
import { connect } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose } from "./steps.ts";

let database: TestDatabase;
let one: Api;
let other: Api;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  [one, other] = [await startApi(database.appUrl), await startApi(database.appUrl)];
  sql = new Client({ connectionString: database.superuserUrl });
  await sql.connect();
});

afterAll(async () => {
  await Promise.all([one?.close(), other?.close()]);
  await sql?.end();
  await database?.drop();
});

interface Source {
  readonly firstShownAt: string | null;
  readonly firstShownBy: string | null;
  readonly submittedBy: { readonly id: string; readonly kind: string } | null;
  readonly decidedAt: string;
  readonly assurance: string;
  readonly approver: { readonly id: string };
}
interface Decided {
  readonly action: { readonly decisions: readonly Source[] };
  readonly entry: { readonly body: { readonly digest: string; readonly decision: Readonly<Record<string, unknown>> } };
}
const SELECTION =
  "action{decisions{firstShownAt firstShownBy submittedBy{id kind} decidedAt assurance approver{id}}} entry{body} userErrors{code}";

async function approve(api: Api, { id: actionId, digest }: { readonly id: string; readonly digest: string }) {
  const { action, entry } = await act<Decided>(api, "approveAction", { actionId, digest }, "approver", SELECTION);
  const [decision] = action.decisions;
  if (decision === undefined) throw new Error("nothing was decided");
  return { ...decision, body: entry.body };
}

/** What is remembered of an action: when it was shown to whom. */
async function remembered(uuid: string) {
  const { rows } = await sql.query<{ principal: string; shown_at: Date }>(
    "SELECT principal, shown_at FROM oc_work.first_shown WHERE action = $1 ORDER BY principal",
    [uuid],
  );
  return rows;
}
const isRemembered = (uuid: string, count = 1) =>
  expect.poll(async () => (await remembered(uuid)).length, { timeout: 20_000 }).toBe(count);

const look = (api: Api, id: string, as: "approver" | "agent" | "member" = "approver", fields = "rendered") =>
  api.gql(`query($id:ID!){action(id:$id){${fields}}}`, { id }, { as });

describe("when an action was first shown to whoever decides", () => {
  it("is in the decision, on whichever server it was shown, and however often", async () => {
    const { action, entry } = await propose(one, {}, "agent", "action{id uuid digest} entry{recordedAt}");
    await look(one, action.id);
    await isRemembered(action.uuid);
    const [first] = await remembered(action.uuid);
    await look(one, action.id);
    await look(other, action.id, "approver", "digest");
    const { firstShownAt, firstShownBy, decidedAt, body } = await approve(other, action);
    expect(new Date(String(firstShownAt))).toEqual(first?.shown_at);
    expect(firstShownBy).toBe("API");
    expect(body.decision).toMatchObject({ firstShownAt, firstShownBy: "API" });
    expect(body.digest).toBe(action.digest);
    const recordedAt = (entry as unknown as { readonly recordedAt: string }).recordedAt;
    expect([recordedAt, firstShownAt, decidedAt].toSorted()).toEqual([recordedAt, firstShownAt, decidedAt]);
    expect(await remembered(action.uuid)).toHaveLength(1);
  });

  it("counts lists and subscriptions, and is there for a decision that follows at once", async () => {
    const { action } = await propose(one);
    await one.gql("{pendingApprovals(first:50){nodes{digest}}}", {}, { as: "approver" });
    expect((await approve(one, action)).firstShownAt).not.toBeNull();
    const { action: streamed, entry } = await propose(one);
    const client = await connect(one.wsUrl, await one.token("approver"));
    // From a position on: nobody knows when the subscription has begun.
    const query = `subscription{pendingApprovals(after:"${entry.seq}"){action{id rendered}}}`;
    client.send({ type: "subscribe", id: "1", payload: { query } });
    const { action: next } = await propose(one);
    await client.next(({ type, payload }) => type === "next" && JSON.stringify(payload).includes(next.id));
    client.socket.close();
    await client.closed;
    expect((await approve(one, next)).firstShownAt).not.toBeNull();
    expect((await approve(one, streamed)).firstShownAt).toBeNull();
  });

  it("is not known of what was never shown, what was forgotten, or what cannot be so", async () => {
    const [unseen, forgotten, early, late] = await Promise.all([
      propose(one),
      propose(one),
      propose(one),
      propose(one),
    ]);
    expect(await approve(one, unseen.action)).toMatchObject({ firstShownAt: null, firstShownBy: null });
    for (const { action } of [forgotten, early, late]) {
      await look(one, action.id);
      await isRemembered(action.uuid);
    }
    const change = (text: string, { uuid }: { readonly uuid: string }) => sql.query(text, [uuid]);
    await change("DELETE FROM oc_work.first_shown WHERE action = $1", forgotten.action);
    await change(
      "UPDATE oc_work.first_shown SET shown_at = shown_at - interval '1 day' WHERE action = $1",
      early.action,
    );
    await change(
      "UPDATE oc_work.first_shown SET shown_at = shown_at + interval '1 day' WHERE action = $1",
      late.action,
    );
    for (const { action } of [forgotten, early, late]) expect((await approve(one, action)).firstShownAt).toBeNull();
  });

  it("is written once for each person, and for nobody who never decides on it", async () => {
    const { action } = await propose(one);
    await look(one, action.id);
    await look(one, action.id, "agent");
    await look(one, action.id, "member");
    await isRemembered(action.uuid);
    one.queries();
    await look(one, action.id);
    const { action: decided } = await propose(one);
    await approve(one, decided);
    await look(one, decided.id);
    expect(one.sent.filter((text) => text.includes("INSERT INTO oc_work.first_shown"))).toEqual([]);
    expect((await remembered(action.uuid)).map(({ principal }) => principal)).toEqual(["approver"]);
  });
});

describe("who passed a decision on", () => {
  const slack = { id: "slack", kind: "SERVICE", organization: "acme", roles: [], groups: [] } as const;

  it("is nobody where the approver called", async () => {
    const { action } = await propose(one);
    expect(await approve(one, action)).toMatchObject({
      submittedBy: null,
      assurance: "SESSION",
      approver: { id: "approver" },
    });
  });

  it("is the integration of a channel of the server's, beside the person who decided, and makes it no more than a chat", async () => {
    const { action } = await propose(one);
    const caller = { ...calling(approver), assurance: "KEY", submittedBy: slack } as const;
    const decision = { actionId: action.uuid, digest: action.digest, channel: "SLACK" } as const;
    await one.services.actions.approve(caller, decision);
    const query = "query($id:ID!){action(id:$id){decisions{submittedBy{id kind} assurance channel approver{id}}}}";
    const { data } = await one.gql(query, { id: action.id }, { as: "auditor" });
    expect(data).toEqual({
      action: {
        decisions: [
          {
            submittedBy: { id: "slack", kind: "SERVICE" },
            assurance: "CHAT",
            channel: "SLACK",
            approver: { id: "approver" },
          },
        ],
      },
    });
  });

  it("cannot be who decides, nor anything but a service", async () => {
    const { action } = await propose(one);
    const decision = { actionId: action.uuid, digest: action.digest, channel: "SLACK" } as const;
    for (const submittedBy of [approver, { ...slack, id: approver.id }, { ...slack, kind: "AGENT" } as const]) {
      await expect(one.services.actions.approve({ ...calling(approver), submittedBy }, decision)).rejects.toThrow(
        "by a service, and by nobody who decides",
      );
    }
  });

  it("is set by nothing that a caller sends, and neither is the approver", async () => {
    const { action } = await propose(one);
    for (const member of ["approver", "approverId", "submittedBy", "assurance", "firstShownAt", "channel"]) {
      const input = { actionId: action.id, digest: action.digest, [member]: "ada" };
      const query = "mutation($input:ApproveActionInput!){approveAction(input:$input){action{status}}}";
      const { errors, data } = await one.gql(query, { input }, { as: "approver" });
      expect(errors?.[0]?.message).toContain(member);
      expect(data ?? null).toBeNull();
    }
    const query = `mutation($input:ApproveActionInput!){approveAction(input:$input){${SELECTION}}}`;
    const variables = { input: { actionId: action.id, digest: action.digest } };
    const headers = {
      authorization: `Bearer ${await one.token("approver")}`,
      "x-approver": "ada",
      "x-submitted-by": "ada",
      "x-on-behalf-of": "ada",
      forwarded: "by=ada",
    };
    const response = await one.post(JSON.stringify({ query, variables }), headers);
    const { data } = (await response.json()) as { readonly data: { readonly approveAction: Decided } };
    expect(data.approveAction.action.decisions).toMatchObject([{ approver: { id: "approver" }, submittedBy: null }]);
  });
});
