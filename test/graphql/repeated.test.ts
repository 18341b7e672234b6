import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { act, propose, READ } from "./steps.ts";

/** Proposals of what the same caller proposed before. */
const { api } = serveApi();

const ONCE = { repeat: false };
/** Arguments that no other test proposes. */
const fresh = () => ({ arguments: { reservation_id: randomUUID(), nights: 2 } });
const decide = (mutation: string, { id, digest }: { id: string; digest: string }, as: Parameters<typeof act>[3]) =>
  act(api, mutation, { actionId: id, digest, ...(mutation === "denyAction" ? { note: "too expensive" } : {}) }, as);

describe("a write that waits for people", () => {
  it("is not recorded twice: the open action is the answer, however its arguments are ordered and explained", async () => {
    const input = fresh();
    const first = await propose(api, { ...input, conversationId: "c1" });
    const { nights, reservation_id } = input.arguments;
    const again = await propose(api, {
      ...ONCE,
      arguments: { nights, reservation_id },
      rationale: "once more",
      conversationId: "c1",
    });
    expect(again).toMatchObject({
      action: { id: first.action.id, status: "PENDING" },
      entry: { seq: first.entry.seq },
      grant: null,
      userErrors: [],
    });
  });

  it.each<[string, (input: ReturnType<typeof fresh>) => object, "agent" | "member"]>([
    ["meant twice", (input) => ({ ...input, repeat: true }), "agent"],
    ["of another conversation", (input) => ({ ...input, ...ONCE, conversationId: "another" }), "agent"],
    ["with other arguments", () => ({ ...fresh(), ...ONCE }), "agent"],
    ["of another tool", (input) => ({ ...input, ...ONCE, tool: "cancel_reservation" }), "agent"],
    ["for another region", (input) => ({ ...input, ...ONCE, targetRegion: "us" }), "agent"],
    ["by another caller", (input) => ({ ...input, ...ONCE }), "member"],
  ])("is an action of its own when it is %s", async (_, change, as) => {
    const input = fresh();
    const first = await propose(api, input);
    const other = await propose(api, change(input), as);
    expect(other.action.status).toBe("PENDING");
    expect(other.action.id).not.toBe(first.action.id);
  });

  it("is found without reading the entries of what this server recorded", async () => {
    for (let times = 0; times < 3; times += 1) await propose(api, fresh());
    api.queries();
    const input = fresh();
    const first = await propose(api, input);
    expect(api.sent.filter((text) => text.includes("oc_earlier_actions("))).toHaveLength(1);
    expect(api.sent.filter((text) => text.includes("{arguments,salt}"))).toEqual([]);
    expect((await propose(api, { ...input, ...ONCE })).action.id).toBe(first.action.id);
  });

  it("is looked for in as many pages, however many wait", async () => {
    const propose100 = async () => {
      const call = () => ({
        platform: "reservations",
        tool: "book_reservation",
        idempotencyKey: randomUUID(),
        ...fresh(),
      });
      const actions = Array.from({ length: 100 }, call);
      const query = "mutation($input:ProposeActionsInput!){proposeActions(input:$input){userErrors{code}}}";
      expect((await api.gql(query, { input: { actions } }, { as: "agent" })).errors).toBeUndefined();
    };
    const pages = async () => {
      const { rows } = await api.services.pool.query(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM oc_earlier_actions('acme/eu', 'agent', 'member', 50)",
      );
      const { Plan: plan } = rows[0]["QUERY PLAN"][0];
      expect(plan["Actual Rows"]).toBe(50);
      return Number(plan["Shared Hit Blocks"]) + Number(plan["Shared Read Blocks"]);
    };
    await propose100();
    // What is planned and looked up in catalogs comes first.
    await pages();
    const before = await pages();
    for (let times = 0; times < 4; times += 1) await propose100();
    await pages();
    expect(await pages()).toBeLessThan(before + 20);
  });

  it("is recorded again once it was decided, and its own key returns it whatever waits besides", async () => {
    const input = fresh();
    const idempotencyKey = randomUUID();
    const first = await propose(api, { ...input, idempotencyKey });
    await decide("approveAction", first.action, "approver");
    const second = await propose(api, { ...input, ...ONCE });
    expect(second.action).toMatchObject({ status: "PENDING" });
    expect(second.action.id).not.toBe(first.action.id);
    const repeated = await propose(api, { ...input, ...ONCE, idempotencyKey });
    expect(repeated.action).toMatchObject({ id: first.action.id, status: "APPROVED" });
  });

  it("is proposed again in place of the one that it supersedes", async () => {
    const input = fresh();
    const first = await propose(api, input);
    const second = await propose(api, { ...input, ...ONCE, supersedes: first.action.id });
    expect(second.action.id).not.toBe(first.action.id);
  });

  it("does not concern what needs nobody", async () => {
    const input = { ...READ, ...ONCE, arguments: { user_id: "mia" } };
    const [one, two] = [await propose(api, input), await propose(api, input)];
    expect(one.action.id).not.toBe(two.action.id);
  });

  it("is not recorded twice within a batch either", async () => {
    const input = { ...fresh(), platform: "reservations", tool: "book_reservation" };
    const one = (more: object = {}) => ({ idempotencyKey: randomUUID(), ...input, ...more });
    const actions = [one(), one(), one({ repeat: true }), one({ arguments: { other: true } }), one()];
    const { data, errors } = await api.gql<{ proposeActions: { results: { action: { id: string } }[] } }>(
      "mutation($input:ProposeActionsInput!){proposeActions(input:$input){results{action{id} userErrors{code}}}}",
      { input: { actions } },
      { as: "agent" },
    );
    expect(errors).toBeUndefined();
    const [a, b, c, d, e] = data!.proposeActions.results.map(({ action }) => action.id);
    expect([b, e]).toEqual([a, a]);
    expect(new Set([a, c, d]).size).toBe(3);
  });
});

describe("a proposal that repeats a denied one", () => {
  const QUERY = "query($id:ID!){action(id:$id){repeats{id status decisions{verdict note approver{id}}}}}";
  const repeatsOf = async (id: string, as: "approver" | "agent" = "approver") =>
    (await api.gql<{ action: { repeats: unknown } }>(QUERY, { id }, { as })).data?.action.repeats;

  it("shows the denial to whoever decides", async () => {
    const input = fresh();
    const { action } = await propose(api, input);
    await decide("denyAction", action, "approver");
    const again = await propose(api, { ...input, ...ONCE, conversationId: "later", rationale: "please" });
    expect(again.action.status).toBe("PENDING");
    const denial = { verdict: "DENY", note: "too expensive", approver: { id: "approver" } };
    expect(await repeatsOf(again.action.id)).toEqual({ id: action.id, status: "DENIED", decisions: [denial] });
    // What was proposed first repeats nothing.
    expect(await repeatsOf(action.id)).toBeNull();
  });
});

it("leaves the ledger INTACT", async () => {
  expect(await verifyLedger(api.services.pool, "acme/eu")).toMatchObject({ verdict: "INTACT", problems: [] });
});

describe("a call that is repeated with its key", () => {
  it.each([
    ["an empty request", { userRequest: "", rationale: "why" }],
    ["an empty rationale", { userRequest: "please", rationale: "" }],
    ["both empty", { userRequest: "", rationale: "" }],
  ])("returns the action it made, with %s", async (_, texts) => {
    const input = { ...fresh(), ...texts, idempotencyKey: randomUUID() };
    const first = await propose(api, input);
    const again = await propose(api, input);
    expect(again).toMatchObject({ action: { id: first.action.id }, userErrors: [] });
  });

  it.each(["userRequest", "rationale"])("is refused when the empty %s is now left out", async (member) => {
    const input = { ...fresh(), idempotencyKey: randomUUID() };
    await propose(api, { ...input, [member]: "" });
    const { userErrors } = await propose(api, input);
    expect(userErrors).toMatchObject([{ code: "IDEMPOTENCY_KEY_REUSED", path: ["input", "idempotencyKey"] }]);
  });
});
