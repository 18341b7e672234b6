import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { connect, dataOf } from "../http/client.ts";
import type { Api } from "../http/harness.ts";
import { serveApis } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { act, propose, WRITE } from "./steps.ts";

const { start: startOne } = serveApis();

/** A server on a ledger of its own, whose writes need an approver, or from an instant on a manager. */
async function start(escalatesAt?: Date) {
  const escalation = escalatesAt && {
    at: escalatesAt.toISOString().replace("Z", "000Z"),
    group: "managers",
  };
  const requirements = [{ id: "r", group: "approvers", needed: 1, ...(escalation && { escalation }) }];
  const api = await startOne({ requirements, heartbeat: 0.2 });
  const organization = `org-${randomUUID().slice(0, 8)}`;
  const claims = (sub: string, more: object) => ({
    ...{ sub, org: organization, kind: "HUMAN", name: sub, email: `${sub}@acme.example`, email_verified: true },
    ...{ roles: [], groups: [], ...more },
  });
  const person = async (sub: string, groups: readonly string[] = [], roles: readonly string[] = []) => {
    const token = await api.sign(claims(sub, { groups: [...groups], roles: [...roles] }));
    await act(api, "startSession", {}, { token }, "userErrors{code}");
    return { id: sub, token };
  };
  const bot = { sub: "bot", name: "bot", roles: ["agent"], groups: [] };
  const agent = { token: await api.sign(claims("mia", { act: bot })) };
  const pending = async () => (await propose(api, {}, agent)).action.id;
  const many = async (count: number) => {
    const actions = Array.from({ length: count }, (_, n) => ({
      ...{ idempotencyKey: randomUUID(), arguments: { user_id: `u${n}` }, ...WRITE },
    }));
    const { results } = await act<{ results: { action: { id: string } }[] }>(
      api,
      "proposeActions",
      { actions },
      agent,
      "results{action{id} userErrors{code}}",
    );
    return results.map(({ action }) => action.id);
  };
  const lend = async (from: { token: string }, to: { id: string }, more: object = {}) => {
    const input = { toPrincipalId: to.id, group: "approvers", endsAt: inSeconds(3_600), ...more };
    const { delegation } = await act<{ delegation: { id: string; startsAt: string } }>(
      ...[api, "delegateApprovals", input, from, "delegation{id startsAt} userErrors{code message}"],
    );
    return delegation;
  };
  const end = async (by: { token: string }, { id }: { id: string }) =>
    expect(await act(api, "endDelegation", { delegationId: id }, by, "userErrors{code}")).toEqual({ userErrors: [] });
  const suspend = async ({ id }: { id: string }) => {
    const input = { principalId: id, reason: "they left" };
    return act(api, "suspendPrincipal", input, await person("root", [], ["admin"]), "userErrors{code}");
  };
  return { api, person, pending, many, lend, end, suspend };
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();

interface Event {
  readonly cursor: string;
  readonly change: string;
  readonly action: { readonly id: string } | null;
}

/** What somebody is told of what they can decide, in order; heartbeats too. */
async function inbox(api: Api, by: { token: string }, after = "") {
  const client = await connect(api.wsUrl, by.token);
  const query = `subscription{pendingApprovals(onlyDecidable:true${after}){cursor change action{id}}}`;
  client.send({ type: "subscribe", id: "1", payload: { query } });
  const all = () =>
    client.messages
      .filter(({ type }) => type === "next")
      .map((message) => dataOf<{ pendingApprovals: Event }>(message).pendingApprovals);
  const ids = (change: string) => all().flatMap((one) => (one.change === change ? [one.action?.id] : []));
  /** That one more pass was made without anything to tell. */
  const quiet = async () => {
    const before = ids("HEARTBEAT").length;
    await waitUntil(() => ids("HEARTBEAT").length > before + 1);
  };
  await quiet();
  return {
    all,
    quiet,
    added: () => ids("ADDED"),
    removed: () => ids("REMOVED"),
    leave: async () => {
      client.socket.close();
      await client.closed;
    },
  };
}

const sorted = (ids: readonly unknown[]) => [...ids].sort();
const same = (ids: readonly unknown[], others: readonly unknown[]) => isDeepStrictEqual(sorted(ids), sorted(others));

/** The most actions that came in one pass: one after the other, by no entry of their own, with no heartbeat between them. */
function mostAtOnce(events: readonly Event[]): number {
  let [most, run] = [0, 0];
  for (const [at, { change, cursor }] of events.entries()) {
    const last = events[at - 1];
    run = change === last?.change && cursor === last.cursor ? run + 1 : 1;
    if (change !== "HEARTBEAT") most = Math.max(most, run);
  }
  return most;
}

describe.concurrent("a subscription to what one can decide, of somebody who is lent a right", () => {
  it("adds what waits when the right begins, removes it when it is ended, and tells nothing of what comes later", async () => {
    const { api, person, pending, lend, end } = await start();
    const [ada, dan] = [await person("ada", ["approvers"]), await person("dan")];
    const waiting = [await pending(), await pending()];
    const told = await inbox(api, dan);
    expect(told.added()).toEqual([]);
    const right = await lend(ada, dan);
    await waitUntil(() => same(told.added(), waiting));
    const list = "{pendingApprovals(onlyDecidable:true){nodes{id}}}";
    const { data } = await api.gql<{ pendingApprovals: { nodes: { id: string }[] } }>(list, {}, dan);
    expect(sorted(data.pendingApprovals.nodes.map(({ id }) => id))).toEqual(sorted(waiting));
    const third = await pending();
    await waitUntil(() => told.added().includes(third));
    await end(ada, right);
    await waitUntil(() => same(told.removed(), [...waiting, third]));
    const later = await pending();
    await told.quiet();
    expect(JSON.stringify(told.all())).not.toContain(later);
    await told.leave();
  });

  it("does so at the beginning and the end that were given, of which no entry says anything", async () => {
    const { api, person, pending, lend } = await start();
    const [ada, dan] = [await person("ada", ["approvers"]), await person("dan")];
    const waiting = await pending();
    const told = await inbox(api, dan);
    const startsAt = inSeconds(2);
    const endsAt = inSeconds(5);
    await lend(ada, dan, { startsAt, endsAt });
    await waitUntil(() => same(told.added(), [waiting]));
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(startsAt));
    await waitUntil(() => same(told.removed(), [waiting]));
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(endsAt));
    await told.quiet();
    expect([told.added(), told.removed()]).toEqual([[waiting], [waiting]]);
    await told.leave();
  });

  it("removes what a right was about that ended while nobody listened, and names nothing that came afterwards", async () => {
    const { api, person, pending, lend, end } = await start();
    const [ada, dan] = [await person("ada", ["approvers"]), await person("dan")];
    const right = await lend(ada, dan);
    const waiting = await pending();
    const before = await inbox(api, dan);
    const cursor = before.all().at(-1)?.cursor;
    await before.leave();
    await end(ada, right);
    const later = await pending();
    const told = await inbox(api, dan, `,after:"${cursor}"`);
    await waitUntil(() => same(told.removed(), [waiting]));
    expect(JSON.stringify(told.all())).not.toContain(later);
    await told.leave();
  });

  it("names nothing because of a right that never began, or was void when it was ended", async () => {
    const { api, person, pending, lend, end, suspend } = await start();
    const [ada, dan] = [await person("ada", ["approvers"]), await person("dan")];
    const bea = await person("bea", ["approvers"]);
    const never = await lend(ada, dan, { startsAt: inSeconds(1_800) });
    const ofSuspended = await lend(bea, dan);
    await suspend(bea);
    const told = await inbox(api, dan);
    const cursor = told.all().at(-1)?.cursor;
    const waiting = await pending();
    await end(ada, never);
    await end(await person("root", [], ["admin"]), ofSuspended);
    await told.quiet();
    expect(JSON.stringify(told.all())).not.toContain(waiting);
    await told.leave();
    const again = await inbox(api, dan, `,after:"${cursor}"`);
    expect(JSON.stringify(again.all())).not.toContain(waiting);
    await again.leave();
  });

  it("adds an action once that somebody can decide by a right that was lent, and then by an escalation", async () => {
    const at = new Date(Date.now() + 8_000);
    const { api, person, pending, lend } = await start(at);
    const [ada, max] = [await person("ada", ["approvers"]), await person("max", ["managers"])];
    const told = await inbox(api, max);
    const waiting = await pending();
    await lend(ada, max);
    await waitUntil(() => same(told.added(), [waiting]));
    await waitUntil(() => Date.now() > at.getTime());
    await told.quiet();
    expect([told.added(), told.removed()]).toEqual([[waiting], []]);
    await told.leave();
  });
});

describe.concurrent("a subscription for which much begins at once", () => {
  it("adds everything that escalates, a hundred in one pass at most", async () => {
    const at = new Date(Date.now() + 8_000);
    const { api, person, many } = await start(at);
    const max = await person("max", ["managers"]);
    await person("ada", ["approvers"]);
    const told = await inbox(api, max);
    const waiting = [...(await many(100)), ...(await many(50))];
    await waitUntil(() => told.added().length >= 150);
    expect(sorted(told.added())).toEqual(sorted(waiting));
    expect(mostAtOnce(told.all())).toBeLessThanOrEqual(100);
    await told.leave();
  });

  it("adds everything that a right is about, a hundred in one pass at most", async () => {
    const { api, person, many, lend, end } = await start();
    const [ada, dan] = [await person("ada", ["approvers"]), await person("dan")];
    const waiting = [...(await many(100)), ...(await many(50))];
    const told = await inbox(api, dan);
    const right = await lend(ada, dan);
    await waitUntil(() => told.added().length >= 150);
    expect(sorted(told.added())).toEqual(sorted(waiting));
    await end(ada, right);
    await waitUntil(() => told.removed().length >= 150);
    expect(mostAtOnce(told.all())).toBeLessThanOrEqual(100);
    await told.leave();
  });
});
