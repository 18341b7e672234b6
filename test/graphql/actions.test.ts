import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { MAX_ATTEMPTS } from "../../src/graphql/actions/reads.ts";
import { serveApi } from "../http/served-api.ts";
import { ACTION, act, ENTRY, type Proposed, propose, READ } from "./steps.ts";

const { api } = serveApi();

const later = `action{id status decisions{approver{id} verdict note channel entry{seq type}} entries{seq type} result latencyMs} entry{type} userErrors{code path message}`;

describe("an action over the API", () => {
  it("goes from proposal to outcome, and returns a receipt for each step", async () => {
    const { action, grant, entry } = await propose(api, { userRequest: "please", rationale: "because" });
    expect(action).toMatchObject({
      status: "PENDING",
      effect: "WRITE",
      region: "us",
      userRequest: "please",
      rationale: "because",
      arguments: { user_id: "mia" },
    });
    expect(action.policy).toMatchObject({
      outcome: "REQUIRE",
      requirements: [{ group: "approvers", needed: 1, have: 0 }],
    });
    expect(action.requestedBy).toMatchObject({ id: "agent", kind: "AGENT", onBehalfOf: { id: "member" } });
    expect(grant).toBeNull();
    expect(entry).toMatchObject({
      type: "ACTION_PROPOSED",
      hash: `sha256:${createHash("sha256").update(entry.canonical).digest("hex")}`,
    });

    const approval = await act(
      api,
      "approveAction",
      { actionId: action.id, digest: action.digest, note: "fine" },
      "approver",
      later,
    );
    expect(approval.action).toMatchObject({
      status: "APPROVED",
      decisions: [{ approver: { id: "approver" }, verdict: "APPROVE", note: "fine", channel: "API" }],
    });
    const claim = await act(
      api,
      "claimGrant",
      { actionId: action.id },
      "agent",
      "grant{token expiresAt} userErrors{code}",
    );
    const redeemed = await act(
      api,
      "redeemGrant",
      { token: claim.grant?.token, digest: action.digest },
      "agent",
      later,
    );
    expect(redeemed.action?.status).toBe("EXECUTING");
    const done = await act(
      api,
      "completeAction",
      { actionId: action.id, outcome: "SUCCEEDED", result: { booked: [1, null] } },
      "agent",
      later,
    );
    expect(done.action).toMatchObject({
      status: "SUCCEEDED",
      result: { booked: [1, null] },
      latencyMs: expect.any(Number),
    });
    expect(done.action?.entries.map(({ type }) => type)).toEqual([
      "ACTION_PROPOSED",
      "ACTION_APPROVED",
      "GRANT_ISSUED",
      "GRANT_REDEEMED",
      "ACTION_COMPLETED",
    ]);

    const read = await api.gql<{ action: object; node: object }>(
      `query($id:ID!){action(id:$id){${ACTION}} node(id:$id){__typename id ...on Action{status}}}`,
      { id: action.id },
      { as: "agent" },
    );
    expect(read.data.node).toEqual({ __typename: "Action", id: action.id, status: "SUCCEEDED" });
    const settled = {
      status: "SUCCEEDED",
      expiresAt: null,
      result: { booked: [1, null] },
      latencyMs: expect.any(Number),
      viewerBlockedBecause: expect.any(Array),
      policy: expect.any(Object),
    };
    expect(read.data.action).toEqual({ ...action, ...settled });
  });

  it("is read as it was proposed, whichever way it is read", async () => {
    const { action, entry } = await propose(api);
    const { data } = await api.gql<
      Readonly<Record<"action" | "auditEntry" | "byHash", object>> & { page: { nodes: object[] } }
    >(
      `query($id:ID!,$seq:Sequence!,$hash:Hash!){action(id:$id){${ACTION}} auditEntry(seq:$seq){${ENTRY}} byHash:auditEntry(hash:$hash){seq} page:auditEntries(filter:{actionId:$id}){nodes{${ENTRY}}}}`,
      { id: action.id, seq: entry.seq, hash: entry.hash },
      { as: "auditor" },
    );
    expect(data.action).toEqual({ ...action, viewerBlockedBecause: expect.any(Array) });
    expect(data.auditEntry).toEqual(entry);
    expect(data.byHash).toEqual({ seq: entry.seq });
    expect(data.page.nodes).toEqual([entry]);
  });

  it.each([
    ["names every object has", { ["__proto__"]: { a: 1 }, constructor: "x", toString: null, hasOwnProperty: [] }],
    ["numbers at the edge", { a: 9007199254740992, b: -0.1, c: 1e-300, d: 0 }],
    ["text of every kind", { "": "", é: '\u202e\ud83d\ude00\\u0000\n\t"', "a.b": { "0": [] } }],
    ["a bare text", "just text"],
    ["a list", [1, [2, [3]]]],
  ])("gives back %s", async (_, values) => {
    const text = JSON.stringify(values);
    const { action, userErrors } = await propose(api, { arguments: JSON.parse(text) });
    expect(userErrors).toEqual([]);
    const { data } = await api.gql<{ action: { arguments: object } }>(
      "query($id:ID!){action(id:$id){arguments}}",
      { id: action.id },
      { as: "agent" },
    );
    expect(JSON.parse(JSON.stringify(data.action.arguments))).toEqual(JSON.parse(text));
    expect(Object.keys(data.action.arguments).sort()).toEqual(Object.keys(JSON.parse(text)).sort());
  });

  it("takes arguments written into the document, as strictly", async () => {
    const propose = (literal: string) =>
      api.gql<{ proposeAction: Proposed }>(
        `mutation{proposeAction(input:{idempotencyKey:"${crypto.randomUUID()}",platform:"crm",tool:"get_user_details",arguments:${literal}}){action{arguments} userErrors{code}}}`,
        {},
        { as: "agent" },
      );
    const { data } = await propose('{__proto__:{a:1.50},b:[true,null,"x"],constructor:-3}');
    expect(JSON.stringify(data.proposeAction.action.arguments)).toBe(
      '{"__proto__":{"a":1.5},"b":[true,null,"x"],"constructor":-3}',
    );
    for (const bad of [
      "{n:9007199254740993}",
      "{a:1,a:2}",
      "{e:ENUM}",
      '{s:"\\u0000"}',
      `${"[".repeat(60)}${"]".repeat(60)}`,
    ]) {
      const { errors } = await propose(bad);
      expect(errors?.[0]?.extensions.code, bad).toBe("BAD_USER_INPUT");
    }
  });

  it.each(["__proto__", "constructor", "toString"])("names no tool called %s", async (tool) => {
    const { action, userErrors } = await propose(api, { tool, platform: tool });
    expect(userErrors).toEqual([]);
    expect(action).toMatchObject({ status: "BLOCKED", tool, platform: tool });
    expect(action).toHaveProperty(
      "policy.reason",
      expect.stringContaining(`lists no tool ${tool} on platform ${tool}`),
    );
  });

  it("returns the same action for the same key", async () => {
    const idempotencyKey = crypto.randomUUID();
    const [one, other] = [await propose(api, { idempotencyKey }), await propose(api, { idempotencyKey })];
    expect(other.action.id).toBe(one.action.id);
    expect(other.entry.seq).toBe(one.entry.seq);
    const { userErrors } = await propose(api, { idempotencyKey, tool: "cancel_reservation" });
    expect(userErrors).toMatchObject([{ code: "IDEMPOTENCY_KEY_REUSED" }]);
  });

  it("gives the grant at once when policy permits, and lapses when the grant does", async () => {
    const { action, grant } = await propose(api, READ);
    expect(action.status).toBe("ALLOWED");
    expect(action.expiresAt).toBe(grant?.expiresAt);
    expect(grant).toMatchObject({ token: expect.stringMatching(/^ey/), expiresAt: expect.stringMatching(/\.\d{6}Z$/) });
  });

  it.each([
    ["the agent", "agent", "AGENT_CANNOT_DECIDE"],
    ["whom it acts for", "member", "REQUESTER_CANNOT_DECIDE"],
    ["an auditor", "auditor", "NOT_ELIGIBLE"],
    ["an approver of another organization", "outsider", "NOT_FOUND"],
  ] as const)("is not decided by %s", async (_, as, code) => {
    const { action } = await propose(api);
    const { userErrors } = await act(api, "approveAction", { actionId: action.id, digest: action.digest }, as);
    expect(userErrors).toMatchObject([{ code }]);
  });

  it("returns a refusal as data, with the path into the input", async () => {
    const { action } = await propose(api);
    const digest = `sha256:${"0".repeat(64)}`;
    const refused = await act(
      api,
      "approveAction",
      { actionId: action.id, digest },
      "approver",
      "action{status} entry{type} userErrors{code path message}",
    );
    expect(refused).toMatchObject({
      action: { status: "PENDING" },
      userErrors: [{ code: "DIGEST_MISMATCH", path: ["input", "digest"] }],
    });
    for (const actionId of ["", "nonsense", crypto.randomUUID(), "QWN0aW9uOmFjbWUvZXU6eA"]) {
      expect((await act(api, "cancelAction", { actionId }, "agent")).userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
    }
  });

  it("shows refused attempts on it among its entries, in their places", async () => {
    const { action } = await propose(api);
    const wrong = `sha256:${"0".repeat(64)}`;
    await act(api, "approveAction", { actionId: action.id, digest: wrong }, "approver");
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "agent");
    const approve = { actionId: action.id, digest: action.digest };
    const done = await act(api, "approveAction", approve, "approver", "action{entries{type body}} userErrors{code}");
    expect(done.action?.entries.map(({ type, body }) => [type, body.reason])).toEqual([
      ["ACTION_PROPOSED", undefined],
      ["DECISION_REFUSED", "DIGEST_MISMATCH"],
      ["DECISION_REFUSED", "AGENT_CANNOT_DECIDE"],
      ["ACTION_APPROVED", undefined],
    ]);
  });

  it("lets no crowd of attempts on it hide those on another", async () => {
    const [crowded, quiet] = [(await propose(api)).action, (await propose(api)).action];
    const wrong = `sha256:${"0".repeat(64)}`;
    // Of different people: attempts of one are counted together.
    const attempt = async ({ id }: { readonly id: string }, name: string) => {
      const person = { sub: name, org: "acme", kind: "HUMAN", email: `${name}@acme.example` };
      const token = await api.sign({ ...person, roles: ["member"], groups: ["approvers"] });
      return act(api, "approveAction", { actionId: id, digest: wrong }, { token }, "userErrors{code}");
    };
    for (let at = 0; at < 21; at++) {
      await Promise.all(Array.from({ length: 10 }, (_, person) => attempt(crowded, `crowd-${at}-${person}`)));
    }
    await attempt(quiet, "crowd-0-0");
    const { data } = await api.gql<{ crowded: { entries: object[] }; quiet: { entries: object[] } }>(
      "query($crowded:ID!,$quiet:ID!){crowded:action(id:$crowded){entries{type}} quiet:action(id:$quiet){entries{type}}}",
      { crowded: crowded.id, quiet: quiet.id },
      { as: "auditor" },
    );
    expect(data.quiet.entries).toEqual([{ type: "ACTION_PROPOSED" }, { type: "DECISION_REFUSED" }]);
    expect(data.crowded.entries).toHaveLength(1 + MAX_ATTEMPTS);
  });

  it("gives its arguments and its chains with each of its entries", async () => {
    const conversationId = "arguments";
    const read = await propose(api, { ...READ, conversationId });
    await act(api, "redeemGrant", { token: read.grant?.token, digest: read.action.digest }, "agent");
    await act(api, "completeAction", { actionId: read.action.id, outcome: "SUCCEEDED", result: 1 }, "agent");
    const { action } = await propose(api, { conversationId, arguments: { seat: 7 } });
    expect(action.sourceChainHash).toBe(read.action.chainHash);
    const approve = { actionId: action.id, digest: action.digest };
    await act(api, "approveAction", { ...approve, digest: `sha256:${"0".repeat(64)}` }, "approver");
    const fields = "type arguments chainHash sourceChainHash sources{seq}";
    type Entries = { action: { entries: object[] } };
    const { action: approved } = await act<Entries>(
      api,
      "approveAction",
      approve,
      "approver",
      `action{entries{${fields}}}`,
    );
    const { data } = await api.gql<{ auditEntries: { nodes: object[] } }>(
      `query($id:ID!){auditEntries(filter:{actionId:$id}){nodes{${fields}}}}`,
      { id: action.id },
      { as: "auditor" },
    );
    const [proposed] = data.auditEntries.nodes;
    expect(proposed).toMatchObject({ arguments: { seat: 7 }, sourceChainHash: read.action.chainHash });
    expect(data.auditEntries.nodes).toEqual(
      ["ACTION_PROPOSED", "DECISION_REFUSED", "ACTION_APPROVED"].map((type) => ({ ...proposed, type })),
    );
    expect(approved.entries).toEqual(data.auditEntries.nodes);
  });

  it("is taken by its bare UUID too", async () => {
    const { action } = await propose(api);
    expect(await act(api, "cancelAction", { actionId: action.uuid, note: null }, "agent")).toMatchObject({
      action: { status: "CANCELLED" },
      userErrors: [],
    });
  });
});

describe("a mutation", () => {
  it("reads nothing again to return what its selection needs of its result", async () => {
    const input = { idempotencyKey: crypto.randomUUID() };
    await propose(api, input, "agent", "action{id}");
    api.queries();
    const { action } = await propose(api, {}, "agent", "action{id digest}");
    const bare = api.queries();
    await propose(
      api,
      {},
      "agent",
      `action{${ACTION} decisions{verdict}} grant{token} entry{${ENTRY} action{id status}}`,
    );
    expect(api.queries()).toBe(bare);

    const approve = { actionId: action.id, digest: action.digest };
    await act(
      api,
      "approveAction",
      approve,
      "approver",
      `action{${ACTION} decisions{verdict note approver{id}}} entry{${ENTRY}}`,
    );
    const whole = api.queries();
    const { action: second } = await propose(api, {}, "agent", "action{id digest}");
    api.queries();
    await act(api, "approveAction", { actionId: second.id, digest: second.digest }, "approver", "action{id}");
    expect(whole).toBe(api.queries());
  });
});

describe("latencyMs", () => {
  it.each([
    [25 * 86_400_000, 2_147_483_647],
    ["soon", null],
  ])("%s of an entry is shown as %s", async (latencyMs, shown) => {
    const fact = { actor: { id: "agent", kind: "AGENT" }, latencyMs, type: "ACTION_COMPLETED" };
    await api.services.ledgers.append("acme/eu", fact);
    const { data, errors } = await api.gql(
      "{auditEntries(newestFirst:true first:1){nodes{latencyMs}}}",
      {},
      { as: "admin" },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({ auditEntries: { nodes: [{ latencyMs: shown }] } });
  });
});
