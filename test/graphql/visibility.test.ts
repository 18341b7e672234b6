import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, type Proposed, propose } from "./steps.ts";

let database: TestDatabase;
let api: Api;
let proposed: Proposed;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  proposed = await propose(api);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const everyone: readonly DemoName[] = ["agent", "member", "approver", "approver2", "auditor", "admin", "outsider"];
const readers: readonly DemoName[] = ["approver", "approver2", "auditor", "admin"];

describe("an action and its entries", () => {
  it.each(everyone)("are seen by id by %s if it is theirs to see", async (as) => {
    const ids = { action: proposed.action.id, entry: proposed.entry.id, uuid: proposed.action.uuid };
    const query =
      "query($action:ID!,$entry:ID!,$uuid:ID!){a:action(id:$action){id} u:action(id:$uuid){id} n:node(id:$action){id} e:node(id:$entry){id} actions{nodes{id}} pendingApprovals{nodes{id}}}";
    const { data, errors } = await api.gql(query, ids, { as });
    expect(errors).toBeUndefined();
    const seen = as === "outsider" ? null : { id: proposed.action.id };
    const list = { nodes: seen === null ? [] : [seen] };
    expect(data).toEqual({
      a: seen,
      u: seen,
      n: seen,
      e: seen && { id: proposed.entry.id },
      actions: list,
      pendingApprovals: list,
    });
  });

  it.each(everyone)("are verified by %s only as a reader of the organization", async (as) => {
    const { errors } = await api.gql("{verifyLedger{verdict}}", {}, { as });
    const codes = errors?.map(({ extensions }) => extensions.code);
    expect(codes).toEqual(readers.includes(as) || as === "outsider" ? undefined : ["FORBIDDEN"]);
  });

  it("are not an outsider's to find by position, hash, chain or cursor", async () => {
    await api.gql("{ledger{head{seq}}}", {}, { as: "outsider" });
    const { data } = await api.gql(
      "query($seq:Sequence!,$hash:Hash!,$chain:UUID!){bySeq:auditEntry(seq:$seq){hash} byHash:auditEntry(hash:$hash){hash} lineage(chainHash:$chain){nodes{chainHash}} auditEntries{nodes{type}} ledger{id head{seq}}}",
      { seq: proposed.entry.seq, hash: proposed.entry.hash, chain: proposed.action.chainHash },
      { as: "outsider" },
    );
    expect(data).toEqual({
      bySeq: null,
      byHash: null,
      lineage: { nodes: [] },
      auditEntries: { nodes: [{ type: "LEDGER_CREATED" }] },
      ledger: { id: "globex/eu", head: { seq: "1" } },
    });
  });

  it("are not an outsider's to act on", async () => {
    const { id: actionId, digest } = proposed.action;
    for (const [mutation, input] of [
      ["approveAction", { actionId, digest }],
      ["denyAction", { actionId, digest, note: "no" }],
      ["cancelAction", { actionId }],
      ["claimGrant", { actionId }],
      ["completeAction", { actionId, outcome: "SUCCEEDED" }],
    ] as const) {
      const answer = await act(api, mutation, input, "outsider", "action{id} userErrors{code}");
      expect(answer, mutation).toEqual({ action: null, userErrors: [{ code: "NOT_FOUND" }] });
    }
  });

  it("are reported as unknown to a caller who proposes to supersede them", async () => {
    const claims = { sub: "stranger", org: "acme", kind: "HUMAN", roles: ["member"], groups: [] };
    const stranger = { token: await api.sign(claims) };
    const replace = (supersedes: string) => propose(api, { supersedes }, stranger, "action{id}");
    const nothing = await replace("00000000-0000-4000-8000-000000000001");
    expect(nothing).toMatchObject({
      action: null,
      userErrors: [{ code: "NOT_FOUND", path: ["input", "supersedes"] }],
    });
    for (const id of [proposed.action.id, proposed.action.uuid]) expect(await replace(id)).toEqual(nothing);
    // Whoever sees it is told why not.
    const refused = await propose(api, { supersedes: proposed.action.id }, "member", "action{id}");
    expect(refused.userErrors).toMatchObject([{ code: "NOT_ALLOWED" }]);
  });

  it("stay closed to an agent that claims a reader's roles, but for its own", async () => {
    const token = await api.token("agent", { roles: ["admin", "auditor", "approver", "lead:blue"] });
    const { data } = await api.gql('{auditEntries{nodes{seq}} auditEntry(seq:"1"){seq}}', {}, { token });
    expect(data).toEqual({ auditEntries: { nodes: [{ seq: proposed.entry.seq }] }, auditEntry: null });
    const { errors } = await api.gql("{verifyLedger{verdict}}", {}, { token });
    expect(errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
  });
});

describe("node", () => {
  it.each([
    "",
    "nonsense",
    "QWN0aW9uOg",
    "QXVkaXRFbnRyeTphY21lL2V1OjA",
    "QXVkaXRFbnRyeTphY21lL2V1Ojk5OTk",
    Buffer.from("Principal:acme/eu:agent").toString("base64url"),
  ])("is null for %s", async (id) => {
    expect(
      await api.gql("query($id:ID!){node(id:$id){id} session(id:$id){id} action(id:$id){id}}", { id }, { as: "admin" }),
    ).toMatchObject({
      data: { node: null, session: null, action: null },
      errors: undefined,
    });
  });
});
