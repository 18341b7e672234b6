import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_ACTIONS } from "../../src/domain/actions/input.ts";
import type { Api } from "../http/harness.ts";
import {
  action,
  answerTo,
  codesOf,
  FLIGHTS,
  idsOf,
  positionsOf,
  proposeTogether,
  startTwoServers,
  type TwoServers,
  transactionsOf,
} from "./propose-together.ts";
import { act, type Proposed, propose, READ, WRITE } from "./steps.ts";

let servers: TwoServers;
let api: Api;
let other: Api;

beforeAll(async () => {
  servers = await startTwoServers();
  ({ api, other } = servers);
});

afterAll(() => servers.close());

const transactions = (positions: readonly string[]) => transactionsOf(api.services.pool, positions);
const head = async () => {
  const { rows } = await api.services.pool.query("SELECT seq FROM oc_ledger_head WHERE ledger = 'acme/eu'");
  return BigInt(rows[0]?.seq ?? 0);
};

describe("actions proposed together", () => {
  it("have a payload each, in order, and are recorded next to each other in one transaction", async () => {
    const batch = await proposeTogether(api, [action(READ), action(), action({ tool: "unknown" }), action(READ)]);
    expect(batch.userErrors).toEqual([]);
    const { results } = batch;
    expect(results.map((result) => result.action?.status)).toEqual(["ALLOWED", "PENDING", "BLOCKED", "ALLOWED"]);
    expect(results.map(({ grant }) => grant !== null)).toEqual([true, false, false, true]);
    const positions = positionsOf(batch);
    expect(positions).toEqual(positions.map((_, n) => String(BigInt(positions[0]!) + BigInt(n))));
    expect(await transactions(positions)).toBe(1);
    // What was returned is what the action goes on with.
    const [read, write] = results as readonly Proposed[];
    const redeemed = { token: read!.grant?.token, digest: read!.action.digest };
    expect(await act(api, "redeemGrant", redeemed, "agent")).toMatchObject({ action: { status: "EXECUTING" } });
    const approval = { actionId: write!.action.id, digest: write!.action.digest };
    expect(await act(api, "approveAction", approval, "approver")).toMatchObject({ action: { status: "APPROVED" } });
  });

  it("may be none, one and 100", async () => {
    expect(await proposeTogether(api, [])).toEqual({ results: [], userErrors: [] });
    expect((await proposeTogether(api, [action()])).results).toHaveLength(1);
    const batch = await proposeTogether(
      api,
      Array.from({ length: MAX_ACTIONS }, () => action()),
    );
    expect(new Set(idsOf(batch)).size).toBe(MAX_ACTIONS);
    expect(await transactions(positionsOf(batch))).toBe(1);
  });

  it.each([101, 2_000])("are refused when they are %s, before anything is done", async (count) => {
    const before = await head();
    api.queries();
    const batch = await proposeTogether(
      api,
      Array.from({ length: count }, () => action({ supersedes: randomUUID() })),
    );
    expect(batch).toEqual({
      results: [],
      userErrors: [
        { code: "INVALID_INPUT", path: ["input", "actions"], message: expect.stringContaining("at most 100") },
      ],
    });
    expect(api.queries()).toBe(0);
    expect(await head()).toBe(before);
  });

  it("are refused when no request may be so large", async () => {
    const large = Array.from({ length: 20 }, () => action({ arguments: { text: "x".repeat(60_000) } }));
    const { status, errors } = await answerTo(api, large);
    expect({ status, code: errors?.[0]?.extensions.code }).toEqual({ status: 413, code: "BAD_USER_INPUT" });
  });

  it("are one transaction too when written out they are more than others may hold", async () => {
    // Two bytes each, of which approvers are shown eight characters.
    const text = "\u00ad".repeat(2_450);
    const batch = await proposeTogether(
      api,
      Array.from({ length: 99 }, () => action({ arguments: { text, again: text } })),
    );
    expect(codesOf(batch).filter((code) => code !== undefined)).toEqual([]);
    expect(await transactions(positionsOf(batch))).toBe(1);
    const { rows } = await api.services.pool.query(
      "SELECT sum(length(payload::text)) > 4 * 1024 * 1024 AS large FROM oc_audit_payload WHERE seq = ANY ($1::bigint[])",
      [positionsOf(batch)],
    );
    expect(rows).toEqual([{ large: true }]);
  });

  it("cost as much as they would each by itself", async () => {
    const expensive = "action{entries{sources{sources{seq}}}} userErrors{code}";
    const answer = async (count: number) => {
      const { status, errors } = await answerTo(
        api,
        Array.from({ length: count }, () => action()),
        "agent",
        expensive,
      );
      return { status, code: errors?.[0]?.extensions.code };
    };
    const fine = { status: 200, code: undefined };
    const refused = { status: 400, code: "QUERY_TOO_COMPLEX" };
    expect([await answer(2), await answer(90), await answer(2), await answer(90)]).toEqual([
      fine,
      refused,
      fine,
      refused,
    ]);
    const literal = (count: number) => {
      const one = () => `{idempotencyKey:"${randomUUID()}",platform:"crm",tool:"get_user_details",arguments:{}}`;
      const actions = Array.from({ length: count }, one).join(" ");
      return api.gql(
        `mutation{proposeActions(input:{actions:[${actions}]}){results{${expensive}}}}`,
        {},
        { as: "agent" },
      );
    };
    expect((await literal(2)).status).toBe(200);
    expect((await literal(90)).status).toBe(400);
    const spread = (actions: readonly object[]) =>
      api.gql(
        `mutation($actions:[ProposeActionInput!]!){proposeActions(input:{actions:$actions}){results{${expensive}}}}`,
        { actions },
        { as: "agent" },
      );
    expect((await spread([action()])).status).toBe(200);
    expect((await spread(Array.from({ length: 90 }, () => action()))).status).toBe(400);
    // GraphQL takes a value for a list of one.
    const single = await api.gql<{ proposeActions: object }>(
      `mutation($input:ProposeActionsInput!){proposeActions(input:$input){results{${expensive}}}}`,
      { input: { actions: action() } },
      { as: "agent" },
    );
    expect(single.data.proposeActions).toMatchObject({ results: [{ userErrors: [] }] });
  });
});

describe("one action among others", () => {
  const foreign = "QWN0aW9uOmFjbWUvZXU6eA";

  it.each([
    ["an invalid text", { tool: "" }, "INVALID_INPUT", ["tool"]],
    ["arguments too large", { arguments: "x".repeat(300_000) }, "INVALID_INPUT", ["arguments"]],
    ["another to supersede that is none", { supersedes: foreign }, "NOT_FOUND", ["supersedes"]],
  ])("is refused alone for %s", async (_, hostile, code, path) => {
    const conversationId = randomUUID();
    const good = () => action({ conversationId, ...READ });
    for (const at of [0, 2, 4]) {
      // In the same conversation, so that the others would be steps of the chain that it starts.
      const actions = Array.from({ length: 5 }, (__, n) => (n === at ? { ...good(), ...hostile } : good()));
      const batch = await proposeTogether(api, actions);
      expect(codesOf(batch)).toEqual(actions.map((__, n) => (n === at ? code : undefined)));
      expect(batch.results[at]).toMatchObject({
        action: null,
        grant: null,
        entry: null,
        userErrors: [{ path: ["input", "actions", `${at}`, ...path] }],
      });
      expect(positionsOf(batch)).toHaveLength(4);
      expect(await transactions(positionsOf(batch))).toBe(1);
    }
  });

  it("replaces an earlier one, once, and is refused alone when it may not", async () => {
    const [mine, theirs] = [(await propose(api)).action, (await propose(api, {}, "member")).action];
    const actions = [
      action({ supersedes: mine.id }),
      action({ supersedes: theirs.id }),
      action(),
      action({ supersedes: mine.id }),
    ];
    const batch = await proposeTogether(api, actions);
    expect(codesOf(batch)).toEqual([undefined, "NOT_FOUND", undefined, undefined]);
    expect(await transactions(positionsOf(batch))).toBe(1);
    const { data } = await api.gql<Record<string, object>>(
      "query($a:ID!,$b:ID!){a:action(id:$a){status entries{type}} b:action(id:$b){status}}",
      { a: mine.id, b: theirs.id },
      { as: "auditor" },
    );
    expect(data).toEqual({
      a: { status: "CANCELLED", entries: [{ type: "ACTION_PROPOSED" }, { type: "ACTION_CANCELLED" }] },
      b: { status: "PENDING" },
    });
    expect(idsOf(await proposeTogether(api, actions))).toEqual(idsOf(batch));
  });

  it("returns an earlier one that another replaces as cancelled, in favour of the first that does", async () => {
    for (const at of [0, 1]) {
      const earlier = action();
      const { id } = (await propose(api, earlier)).action;
      const replacing = [action({ supersedes: id }), action({ supersedes: id })];
      const { results } = await proposeTogether(api, replacing.toSpliced(at, 0, earlier));
      expect(results[at]?.action).toMatchObject({ id, status: "CANCELLED" });
      const { data } = await api.gql<{ action: { entries: readonly { body: object }[] } }>(
        "query($id:ID!){action(id:$id){entries{body}}}",
        { id },
        { as: "auditor" },
      );
      const first = (await propose(api, replacing[0])).action.uuid;
      expect(data.action.entries.at(-1)?.body).toMatchObject({ supersededBy: first });
    }
  });
});

describe("idempotency keys in a batch", () => {
  it("make one action each, whether repeated in the batch or in another call", async () => {
    const [a, b] = [action(READ), action()];
    const before = await head();
    const first = await proposeTogether(api, [a, b, a, { ...b, tool: "cancel_reservation" }]);
    expect(codesOf(first)).toEqual([undefined, undefined, undefined, "IDEMPOTENCY_KEY_REUSED"]);
    expect(first.results[3]?.userErrors[0]?.path).toEqual(["input", "actions", "3", "idempotencyKey"]);
    expect(idsOf(first).slice(0, 3)).toEqual([
      first.results[0]?.action?.id,
      first.results[1]?.action?.id,
      first.results[0]?.action?.id,
    ]);
    // A grant is given once, as by a repeated call.
    expect(first.results.map(({ grant }) => grant !== null)).toEqual([true, false, false, false]);
    expect(await head()).toBe(before + 2n);
    const fresh = action();
    const again = await proposeTogether(api, [b, fresh, a]);
    expect([again.results[0]?.action?.id, again.results[2]?.action?.id]).toEqual([
      first.results[1]?.action?.id,
      first.results[0]?.action?.id,
    ]);
    expect(await head()).toBe(before + 3n);
    expect((await propose(api, { ...a, ...READ })).action.id).toBe(first.results[0]?.action?.id);
  });

  it("are used by the first that is not refused", async () => {
    const good = action();
    const batch = await proposeTogether(api, [
      { ...good, tool: "x".repeat(201) },
      { ...good, arguments: "x".repeat(300_000) },
      good,
      { ...good, arguments: 1 },
    ]);
    expect(codesOf(batch)).toEqual(["INVALID_INPUT", "INVALID_INPUT", undefined, "IDEMPOTENCY_KEY_REUSED"]);
  });

  it("may be the same 100 times", async () => {
    const before = await head();
    const same = action();
    const batch = await proposeTogether(
      api,
      Array.from({ length: 100 }, () => same),
    );
    expect(new Set(idsOf(batch)).size).toBe(1);
    expect(new Set(positionsOf(batch)).size).toBe(1);
    expect(await head()).toBe(before + 1n);
  });

  it("make the same actions in batches of two servers at once, each recorded once", async () => {
    for (let round = 0; round < 6; round += 1) {
      const conversationId = randomUUID();
      const actions = Array.from({ length: 30 }, (_, n) =>
        action({ conversationId, ...[READ, WRITE, FLIGHTS][n % 3] }),
      );
      const before = await head();
      const orders = [actions, actions.toReversed(), actions, actions.toReversed()];
      const batches = await Promise.all(orders.map((order, n) => proposeTogether(n % 2 === 0 ? api : other, order)));
      const byKey = batches.map((batch, n) => (n % 2 === 0 ? idsOf(batch) : idsOf(batch).toReversed()));
      for (const ids of byKey) expect(ids).toEqual(byKey[0]);
      expect(new Set(byKey[0]).size).toBe(30);
      expect(await head()).toBe(before + 30n);
      for (const batch of batches) expect(codesOf(batch).filter((code) => code !== undefined)).toEqual([]);
    }
  });
});

describe("a batch", () => {
  it("reads as often for 100 actions as for two, and nothing again for its answer", async () => {
    const conversationId = randomUUID();
    const mixed = (count: number) =>
      Array.from({ length: count }, (_, n) => action({ conversationId, ...(n % 2 === 0 ? READ : FLIGHTS) }));
    await proposeTogether(api, mixed(2));
    api.queries();
    await proposeTogether(api, mixed(2));
    const few = api.queries();
    await proposeTogether(api, mixed(32));
    expect(api.queries()).toBe(few);
    // Actions are looked up 32 at a time.
    await proposeTogether(api, mixed(100));
    expect(api.queries()).toBe(few + 3);
  });

  it("shows each caller only what is theirs", async () => {
    const shared = action({ conversationId: randomUUID() });
    const agents = await proposeTogether(api, [shared]);
    const outsiders = await proposeTogether(api, [shared], "outsider");
    expect(idsOf(outsiders)).not.toEqual(idsOf(agents));
    const { errors } = await api.gql("mutation{proposeActions(input:{actions:[]}){results{userErrors{code}}}}");
    expect(errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
  });
});
