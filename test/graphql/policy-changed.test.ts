import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadCatalog, parseCatalog } from "../../src/domain/policy/catalog.ts";
import { type Api, startApi } from "../http/harness.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose, READ } from "./steps.ts";

/** What was proposed, allowed or approved under one policy, and decided or started under a stricter one. */
let database: TestDatabase;
let api: Api;
let directory: string;
const servers: Api[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(path.join(tmpdir(), "countersign-policy-"));
  api = await under({});
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

type Options = Parameters<typeof startApi>[1];
async function under(options: Options): Promise<Api> {
  const server = await startApi(database.appUrl, { ...options, keyFile: path.join(directory, "keys.json") });
  servers.push(server);
  return server;
}

/** The sample catalog after `change`. */
async function catalog(change: (tools: Record<string, { effect: string }>) => void) {
  const { document } = await loadCatalog();
  const copy = structuredClone(document) as { platforms: object; tools: Record<string, { effect: string }> };
  change(copy.tools);
  return { catalog: parseCatalog(copy) };
}

const SELECTION = "action{status viewerBlockedBecause} grant{token} userErrors{code message}";
const approve = (at: Api, { id, digest }: { id: string; digest: string }, as: Parameters<typeof act>[3] = "approver") =>
  act(at, "approveAction", { actionId: id, digest }, as, SELECTION.replace("grant{token}", ""));
const claim = (at: Api, id: string) => act(at, "claimGrant", { actionId: id }, "agent", SELECTION);
const redeem = (at: Api, token: string | undefined, digest: string) =>
  act(at, "redeemGrant", { token, digest }, "agent", SELECTION.replace("grant{token}", ""));
const changed = (message: string) => [{ code: "POLICY_CHANGED", message: expect.stringContaining(message) }];

describe.each<[string, () => Promise<Options>, string]>([
  [
    "a tool that was withdrawn",
    () => catalog((tools) => delete tools.book_reservation),
    "the policy forbids it now, by unknown-tool",
  ],
  ["more approvals", async () => ({ approvers: 2 }), "the policy now requires 2 approvals of approvers"],
  [
    "another group",
    async () => ({ requirements: [{ id: "finance", group: "finance", needed: 1 }] }),
    "the policy now requires an approval of finance",
  ],
])("%s", (_, options, message) => {
  let strict: Api;
  beforeAll(async () => {
    strict = await under(await options());
  });

  it("refuses approving what was proposed before, and says what changed", async () => {
    const { action } = await propose(api);
    const { userErrors } = await approve(strict, action);
    expect(userErrors).toMatchObject(changed(message));
    const query = "query($id:ID!){action(id:$id){viewerCanDecide viewerBlockedBecause entries{type body}}}";
    const { data } = await strict.gql<{ action: { entries: { type: string; body: object }[] } }>(
      query,
      { id: action.id },
      { as: "approver" },
    );
    expect(data?.action).toMatchObject({ viewerCanDecide: false, viewerBlockedBecause: ["POLICY_CHANGED"] });
    expect(data?.action.entries.at(-1)).toMatchObject({
      type: "DECISION_REFUSED",
      body: { reason: "POLICY_CHANGED" },
    });
    // Saying no is always possible.
    const denial = { actionId: action.id, digest: action.digest, note: "no" };
    expect((await act(strict, "denyAction", denial, "approver")).action?.status).toBe("DENIED");
  });

  it("refuses claiming and redeeming what was approved before", async () => {
    const { action } = await propose(api);
    await approve(api, action);
    expect((await claim(strict, action.id)).userErrors).toMatchObject(changed(message));
    const { grant } = await claim(api, action.id);
    expect((await redeem(strict, grant?.token, action.digest)).userErrors).toMatchObject(changed(message));
    // The grant was not spent by that.
    expect((await redeem(api, grant?.token, action.digest)).action?.status).toBe("EXECUTING");
  });
});

it("refuses redeeming what needed no approval and does now", async () => {
  const strict = await under(
    await catalog((tools) => {
      tools.get_user_details!.effect = "WRITE";
    }),
  );
  const { action, grant } = await propose(api, READ);
  expect(action.status).toBe("ALLOWED");
  expect((await redeem(strict, grant?.token, action.digest)).userErrors).toMatchObject(
    changed("the policy now requires an approval of approvers"),
  );
});

it("lets what became easier go on as it was asked for", async () => {
  const two = await under({ approvers: 2 });
  const { action } = await propose(two);
  expect((await approve(api, action)).action?.status).toBe("PENDING");
  expect((await approve(api, action, "admin")).action?.status).toBe("APPROVED");
});

describe("an approver who is suspended", () => {
  const change = (mutation: string) =>
    act(api, mutation, { principalId: "approver2", reason: "left" }, "admin", "entry{type} userErrors{code}");

  it("takes their approvals with them, for good", async () => {
    const { action } = await propose(api);
    await approve(api, action, "approver2");
    const { grant } = await claim(api, action.id);
    expect((await change("suspendPrincipal")).userErrors).toEqual([]);
    await change("reinstatePrincipal");
    const query = "query($id:ID!){action(id:$id){status entries{type body actor{id}}}}";
    const { data } = await api.gql<{ action: { status: string; entries: object[] } }>(
      query,
      { id: action.id },
      { as: "admin" },
    );
    expect(data?.action.status).toBe("DENIED");
    expect(data?.action.entries.at(-1)).toMatchObject({
      type: "APPROVAL_REVOKED",
      actor: { id: "countersign" },
      body: { reason: "APPROVER_SUSPENDED", approver: "approver2" },
    });
    expect((await redeem(api, grant?.token, action.digest)).userErrors).toMatchObject([{ code: "GRANT_INVALID" }]);
  });

  it("is noticed at the grant where the server ended in between, also after they came back", async () => {
    const other = await under({ leavesApprovals: true });
    const { action } = await propose(other);
    await approve(other, action, "approver2");
    const { grant } = await claim(other, action.id);
    const suspension = { principalId: "approver2", reason: "left" };
    await act(other, "suspendPrincipal", suspension, "admin", "userErrors{code}");
    expect((await claim(other, action.id)).userErrors).toMatchObject(
      changed("approver2, who approved it, was suspended"),
    );
    await act(other, "reinstatePrincipal", suspension, "admin", "userErrors{code}");
    expect((await redeem(other, grant?.token, action.digest)).userErrors).toMatchObject(changed("approver2"));
  });
});

describe("an agent", () => {
  it("does not start what is on a platform that was taken away from it", async () => {
    const invite = { agentId: "agent", displayName: "Agent", ownerId: "member", platforms: ["reservations", "crm"] };
    await act(api, "inviteAgent", invite, "admin", "userErrors{code}");
    const { action } = await propose(api);
    await approve(api, action);
    const { grant } = await claim(api, action.id);
    const { action: pending } = await propose(api);
    await act(api, "updateAgent", { agentId: "agent", platforms: ["crm"] }, "admin", "userErrors{code}");
    expect((await redeem(api, grant?.token, action.digest)).userErrors).toMatchObject(changed("forbids it now"));
    expect((await claim(api, action.id)).userErrors).toMatchObject(changed("forbids it now"));
    expect((await approve(api, pending)).userErrors).toMatchObject(changed("forbids it now"));
    await act(api, "updateAgent", { agentId: "agent", platforms: null }, "admin", "userErrors{code}");
    expect((await redeem(api, grant?.token, action.digest)).action?.status).toBe("EXECUTING");
  });

  it("that is suspended gets no approvals", async () => {
    const { action } = await propose(api);
    await act(api, "suspendPrincipal", { principalId: "agent", reason: "broken" }, "admin", "userErrors{code}");
    expect((await approve(api, action)).userErrors).toMatchObject(
      changed("agent, for whom it would be done, is suspended"),
    );
    await act(api, "reinstatePrincipal", { principalId: "agent", reason: "mended" }, "admin", "userErrors{code}");
    expect((await approve(api, action)).action?.status).toBe("APPROVED");
  });
});

it("leaves the ledger INTACT", async () => {
  expect(await verifyLedger(api.services.pool, "acme/eu")).toMatchObject({ verdict: "INTACT", problems: [] });
});
