import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, dataOf } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { keepState, manipulate } from "../ledger/manipulate-states.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Acted, act, propose, type Refusal } from "./steps.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { requirements: [{ id: "two", group: "legal", needed: 2 }] });
});

afterAll(async () => {
  const verified = await verifyLedger(api.services.pool, "acme/eu");
  await api?.close();
  await database?.drop();
  expect(verified).toMatchObject({ verdict: "INTACT", problems: [] });
});

type Token = { readonly token: string };
type Action = Awaited<ReturnType<typeof propose>>["action"];

async function person(roles: readonly string[], groups: readonly string[] = [], more: object = {}): Promise<Token> {
  const id = `person-${randomUUID()}`;
  const claims = { sub: id, org: "acme", kind: "HUMAN", name: id, email: `${id}@acme.example`, email_verified: true };
  return { token: await api.sign({ ...claims, roles: [...roles], groups: [...groups], ...more }) };
}

const SELECTION = `action{status expiresAt breakGlass{by{id} reason review reviewedBy{id} note}} entry{seq type recordedAt}
  userErrors{code path}`;

interface Broken extends Omit<Acted, "action"> {
  readonly action: {
    readonly status: string;
    readonly expiresAt: string | null;
    readonly breakGlass: object | null;
  } | null;
  readonly entry: { readonly seq: string; readonly type: string; readonly recordedAt: string } | null;
}

const breakGlass = (by: Token, { id, digest }: Action, more: object = {}) =>
  act<Broken>(api, "breakGlass", { actionId: id, digest, reason: "the bank is on fire", ...more }, by, SELECTION);
const review = (by: Token, { id }: Action, more: object = {}) =>
  act<Broken>(
    api,
    "reviewBreakGlass",
    { actionId: id, justified: true, note: "it was on fire", ...more },
    by,
    SELECTION,
  );
const codes = ({ userErrors }: { readonly userErrors: readonly Refusal[] }) => userErrors.map(({ code }) => code);

const pending = async () => {
  const { action, entry } = await propose(api);
  return { ...action, proposed: entry.seq };
};
const claimsOf = (token: string): { readonly sub: string; readonly email?: string } =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());

interface Listed {
  readonly nodes: readonly { readonly id: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

async function list(by: Token, filter: string, after: string | null): Promise<Listed> {
  const query = `query($after:String){actions(${filter},first:2,after:$after){nodes{id} pageInfo{hasNextPage endCursor}}}`;
  return (await api.gql<{ actions: Listed }>(query, { after }, by)).data.actions;
}

/** The events of a subscription of `by`. */
async function follow(by: Token, field: string) {
  const client = await connect(api.wsUrl, by.token);
  client.send({ type: "subscribe", id: "1", payload: { query: `subscription{${field}}` } });
  return {
    events: () => client.messages.filter(({ type }) => type === "next").map(dataOf<object>),
    leave: async () => {
      client.socket.close();
      await client.closed;
    },
  };
}
const readers = ["approver", "break-glass"];

describe("breakGlass", () => {
  it("approves alone, for a short time, and is marked until another person has looked into it", async () => {
    const [breaker, action] = [await person(readers), await pending()];
    const broken = await breakGlass(breaker, action);
    expect(broken).toMatchObject({
      userErrors: [],
      entry: { type: "ACTION_BROKEN_GLASS" },
      action: { status: "APPROVED", breakGlass: { reason: "the bank is on fire", review: "UNREVIEWED", note: null } },
    });
    const lasts = Date.parse(broken.action!.expiresAt!) - Date.parse(broken.entry!.recordedAt);
    expect(lasts).toBeLessThanOrEqual(900_000);
    expect(codes(await breakGlass(breaker, action))).toEqual(["NOT_PENDING"]);
    const { grant } = await act<Acted>(
      api,
      "claimGrant",
      { actionId: action.id },
      "agent",
      "grant{token} userErrors{code}",
    );
    const redeemed = { token: grant!.token, digest: action.digest };
    expect(await act(api, "redeemGrant", redeemed, "agent")).toMatchObject({ action: { status: "EXECUTING" } });
    expect(codes(await review(breaker, action))).toEqual(["NOT_ALLOWED"]);
    expect(codes(await review(await person(["auditor"]), action))).toEqual(["NOT_ALLOWED"]);
    expect(codes(await review(await person(["admin"]), action, { note: " " }))).toEqual(["INVALID_INPUT"]);
    const both = await Promise.all([
      review(await person(["admin"]), action),
      review(await person([], ["legal"]), action),
    ]);
    expect(both.map(codes).sort()).toEqual([[], ["ALREADY_REVIEWED"]]);
    const { data } = await api.gql<{ action: object }>(
      "query($id:ID!){action(id:$id){status breakGlass{review note reviewedBy{id}}}}",
      { id: action.id },
      await person(["auditor"]),
    );
    expect(data.action).toMatchObject({
      status: "EXECUTING",
      breakGlass: { review: "JUSTIFIED", note: "it was on fire" },
    });
  });

  it("is for people with the role who did not ask for it, and of what waits", async () => {
    const action = await pending();
    const refused = async (by: Token, more: object = {}) => codes(await breakGlass(by, action, more))[0];
    expect(await refused(await person(["approver"], ["legal"]))).toBe("NOT_ELIGIBLE");
    expect(await refused(await person(["admin"]))).toBe("NOT_ELIGIBLE");
    const breaker = await person(readers);
    expect(await refused(breaker, { reason: " \n" })).toBe("INVALID_INPUT");
    expect(await refused(breaker, { reason: "x".repeat(10_001) })).toBe("INVALID_INPUT");
    expect(await refused(breaker, { digest: `sha256:${"0".repeat(64)}` })).toBe("DIGEST_MISMATCH");
    // Nobody knows whether who has no verified address is the person who asked.
    expect(await refused(await person(readers, [], { email_verified: false }))).toBe("NOT_ELIGIBLE");
    expect(await refused({ token: await api.token("agent", { roles: readers }) })).toBe("AGENT_CANNOT_DECIDE");
    expect(await refused({ token: await api.token("member", { roles: readers }) })).toBe("REQUESTER_CANNOT_DECIDE");
    expect(await refused({ token: await api.token("outsider", { roles: readers }) })).toBe("NOT_FOUND");
    expect(codes(await review(await person(["admin"]), action))).toEqual(["NO_BREAK_GLASS"]);
    const [one, other] = await Promise.all([breakGlass(breaker, action), breakGlass(await person(readers), action)]);
    expect([one, other].map(codes).sort()).toEqual([[], ["NOT_PENDING"]]);
  });

  it("is reviewed by somebody who is known to be another person than who did it, and than who asked for it", async () => {
    const breakersAddress = `${randomUUID()}@acme.example`;
    const breaker = await person(readers, [], { email: breakersAddress });
    const action = await pending();
    expect(codes(await breakGlass(breaker, action))).toEqual([]);
    const member = await api.token("member", { roles: ["admin"] });
    const { email: membersAddress } = claimsOf(member);
    for (const [who, by] of Object.entries({
      "who broke it": { token: await api.sign({ ...claimsOf(breaker.token), roles: ["admin"] }) },
      "another account of theirs": await person(["admin"], [], { email: breakersAddress }),
      "the person for whom the agent asked": { token: member },
      "another account of that person": await person(["admin"], [], { email: membersAddress }),
      "somebody of whom it is not known": await person(["admin"], [], { email_verified: false }),
      "an agent": { token: await api.token("agent", { roles: ["admin"] }) },
    })) {
      expect([who, codes(await review(by, action))]).toEqual([who, ["NOT_ALLOWED"]]);
    }
    expect(await review(await person(["admin"]), action, { justified: false })).toMatchObject({
      userErrors: [],
      entry: { type: "BREAK_GLASS_REVIEWED" },
      action: { breakGlass: { review: "UNJUSTIFIED" } },
    });
  });

  it("is in the list of what nobody has looked into, until somebody has, for those who see the action", async () => {
    const breaker = await person(readers);
    const reviewer = await person([], ["legal"]);
    const listed = async (by: Token, filter: string) => {
      const found: string[] = [];
      let after: string | null = null;
      do {
        const page: Listed = await list(by, filter, after);
        found.push(...page.nodes.map(({ id }) => id));
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      } while (after !== null);
      return found;
    };
    const UNREVIEWED = "breakGlass:UNREVIEWED";
    const before = await listed(reviewer, UNREVIEWED);
    const [waiting, ...broken] = [await pending(), await pending(), await pending(), await pending()];
    for (const action of broken) expect(codes(await breakGlass(breaker, action))).toEqual([]);
    const ids = broken.map(({ id }) => id).reverse();
    expect(await listed(reviewer, UNREVIEWED)).toEqual([...ids, ...before]);
    expect(await listed(reviewer, `${UNREVIEWED},status:PENDING`)).toEqual([]);
    expect(await listed(reviewer, `${UNREVIEWED},status:[APPROVED,PENDING]`)).toEqual(expect.arrayContaining(ids));
    expect(await listed(await person(["member"]), UNREVIEWED)).toEqual([]);
    expect(await listed({ token: await api.token("outsider", { roles: ["admin"] }) }, UNREVIEWED)).toEqual([]);
    expect(codes(await review(reviewer, broken[1]!, { justified: false }))).toEqual([]);
    expect(await listed(reviewer, UNREVIEWED)).toEqual([ids[0], ids[2], ...before]);
    expect(await listed(reviewer, "breakGlass:[JUSTIFIED,UNJUSTIFIED]")).toContain(ids[1]);
    expect(await listed(reviewer, "breakGlass:[UNREVIEWED,JUSTIFIED,UNJUSTIFIED]")).not.toContain(waiting!.id);
    expect(await listed(reviewer, "breakGlass:[]")).toEqual([]);
  });

  it("is told to everybody whose approval was skipped, by the entry that records it", async () => {
    const skipped = await person([], ["legal"]);
    const [action, breaker] = [await pending(), await person(readers)];
    const at = `after:"${action.proposed}"`;
    const shown = "id status breakGlass{reason review}";
    const inbox = await follow(skipped, `pendingApprovals(${at},onlyDecidable:true){cursor change action{${shown}}}`);
    const changes = await follow(skipped, `actionChanged(id:"${action.id}",${at}){${shown}}`);
    const { entry } = await breakGlass(breaker, action, { reason: "nobody answers" });
    const after = { id: action.id, status: "APPROVED", breakGlass: { reason: "nobody answers", review: "UNREVIEWED" } };
    const removed = { pendingApprovals: { cursor: entry!.seq, change: "REMOVED", action: after } };
    await expect.poll(() => inbox.events()).toContainEqual(removed);
    await expect.poll(() => changes.events()).toContainEqual({ actionChanged: after });
    await inbox.leave();
    await changes.leave();
  });

  it("does not count as looked into because a row says so that points at the review of another action", async () => {
    const breaker = await person(readers);
    const [reviewed, other] = [await pending(), await pending()];
    for (const action of [reviewed, other]) await breakGlass(breaker, action);
    await review(await person(["admin"]), reviewed);
    const kept = await keepState(database.superuserUrl, "GLASS", other.uuid);
    await manipulate(
      database.superuserUrl,
      `UPDATE oc_state s SET (version, state, status, updated_seq, entries, hash) =
         (SELECT o.version, o.state, o.status, o.updated_seq, o.entries, o.hash FROM oc_state o WHERE o.kind = 'GLASS' AND o.id = $2)
        WHERE kind = 'GLASS' AND id = $1`,
      [other.uuid, reviewed.uuid],
    );
    const { data } = await api.gql("query($id:ID!){action(id:$id){breakGlass{review}}}", { id: other.id }, breaker);
    await kept.putBack();
    expect(data).toEqual({ action: { breakGlass: { review: "UNREVIEWED" } } });
  });

  it("is denied by an approver, taken back, and void when who did it is suspended", async () => {
    const [denied, revoked, voided] = [await pending(), await pending(), await pending()];
    const breaker = await person(readers);
    for (const action of [denied, revoked, voided]) expect(codes(await breakGlass(breaker, action))).toEqual([]);
    const denial = { actionId: denied.id, digest: denied.digest, note: "no fire" };
    expect(await act(api, "denyAction", denial, await person([], ["legal"]))).toMatchObject({
      action: { status: "DENIED" },
    });
    const back = { actionId: revoked.id, note: "no fire" };
    expect(await act(api, "revokeApproval", back, breaker)).toMatchObject({ action: { status: "DENIED" } });
    const { sub } = claimsOf(breaker.token);
    const admin = { token: await api.token("admin") };
    await act(api, "suspendPrincipal", { principalId: sub, reason: "arson" }, admin, "userErrors{code}");
    const { data } = await api.gql<{ action: object }>(
      "query($id:ID!){action(id:$id){status}}",
      { id: voided.id },
      admin,
    );
    expect(data.action).toEqual({ status: "DENIED" });
  });
});
