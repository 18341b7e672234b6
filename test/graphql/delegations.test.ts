import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { type Acted, act, propose, type Refusal } from "./steps.ts";

const REQUIREMENTS = [{ id: "legal", group: "legal", needed: 1 }];
const BOTH = [{ id: "legal", group: "legal", needed: 2 }];

let database: TestDatabase;
let folder: string;
let api: Api;
let two: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "countersign-delegations-"));
  const keyFile = join(folder, "keys.json");
  api = await startApi(database.appUrl, { requirements: REQUIREMENTS, keyFile });
  two = await startApi(database.appUrl, { requirements: BOTH, keyFile });
});

afterAll(async () => {
  const verified = await verifyLedger(api.services.pool, "acme/eu");
  await two?.close();
  await api?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
  expect(verified).toMatchObject({ verdict: "INTACT", problems: [] });
});

type Token = { readonly token: string };

interface Person extends Token {
  readonly id: string;
}

/** A person whom the ledger has seen, with a verified address of their own. */
async function person(groups: readonly string[] = [], more: object = {}, on = api): Promise<Person> {
  const id = `person-${randomUUID()}`;
  return seen(id, groups, more, on);
}

async function seen(id: string, groups: readonly string[], more: object = {}, on = api): Promise<Person> {
  const claims = { sub: id, org: "acme", kind: "HUMAN", name: id, email: `${id}@acme.example`, email_verified: true };
  const token = await on.sign({ ...claims, roles: ["member"], groups: [...groups], ...more });
  await act(on, "startSession", {}, { token }, "userErrors{code}");
  return { id, token };
}

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

interface Delegated {
  readonly delegation: { readonly id: string; readonly startsAt: string; readonly endsAt: string } | null;
  readonly entry: { readonly type: string } | null;
  readonly userErrors: readonly Refusal[];
}

const DELEGATION =
  "delegation{id delegator{id} delegate{id} group startsAt endsAt ended} entry{type} userErrors{code path}";

const lend = (from: Token, to: { readonly id: string }, more: object = {}, on = api) =>
  act<Delegated>(
    on,
    "delegateApprovals",
    { toPrincipalId: to.id, group: "legal", endsAt: inDays(1), ...more },
    from,
    DELEGATION,
  );
const end = (by: Token, delegationId: string, on = api) =>
  act<Delegated>(on, "endDelegation", { delegationId }, by, DELEGATION);

const DECISIONS = "action{status decisions{approver{id} delegatedBy{id groups} delegation{id}}} userErrors{code}";
const decide = (by: Token, action: { readonly id: string; readonly digest: string }, on = api, verdict = "approve") =>
  act<Acted>(on, `${verdict}Action`, { actionId: action.id, digest: action.digest, note: "as agreed" }, by, DECISIONS);
const codes = ({ userErrors }: { readonly userErrors: readonly Refusal[] }) => userErrors.map(({ code }) => code);

/** That `by` has no right over it. Whether they still see it depends on what this server has read meanwhile. */
async function cannot(by: Token, action: { readonly id: string; readonly digest: string }) {
  const [code] = codes(await decide(by, action));
  expect(["NOT_FOUND", "NOT_ELIGIBLE"]).toContain(code);
}

/** A member of the group who lent somebody else the right. */
async function lent(more: object = {}) {
  const [delegator, delegate] = [await person(["legal"]), await person()];
  const { delegation } = await lend(delegator, delegate, more);
  return { delegator, delegate, delegation: delegation! };
}

/** An action of an agent that acts for `member`. */
const pending = async (on = api) => (await propose(on)).action;
const agentOf = async (id: string) => ({
  token: await api.sign({
    ...{ sub: id, org: "acme", kind: "HUMAN", name: id, email: `${id}@acme.example`, email_verified: true },
    ...{ roles: ["member"], groups: [], act: { sub: "agent", name: "agent", roles: ["agent"], groups: [] } },
  }),
});

describe("a right that was lent", () => {
  it("is used by whom it was lent to, once for both, and recorded with the decision", async () => {
    const { delegator, delegate, delegation } = await lent();
    const action = await pending(two);
    const list = "{pendingApprovals(first:100,onlyDecidable:true){nodes{id viewerCanDecide}}}";
    const decidable = async (by: Token) =>
      (await two.gql<{ pendingApprovals: { nodes: { id: string }[] } }>(list, {}, by)).data.pendingApprovals.nodes.map(
        ({ id }) => id,
      );
    expect(await decidable(delegate)).toContain(action.id);
    expect(await decidable(await person())).toEqual([]);
    const decided = await decide(delegate, action, two);
    expect(decided).toMatchObject({
      userErrors: [],
      action: {
        status: "PENDING",
        decisions: [
          {
            approver: { id: delegate.id },
            delegatedBy: { id: delegator.id, groups: ["legal"] },
            delegation: { id: delegation.id },
          },
        ],
      },
    });
    expect(codes(await decide(delegate, action, two))).toEqual(["ALREADY_VOTED"]);
    expect(codes(await decide(delegator, action, two))).toEqual(["ALREADY_VOTED"]);
    const other = await person();
    await lend(delegator, other);
    expect(codes(await decide(other, action, two))).toEqual(["DELEGATOR_ALREADY_VOTED"]);
    expect(await decidable(delegate)).not.toContain(action.id);
    expect(await decide(await person(["legal"]), action, two)).toMatchObject({ action: { status: "APPROVED" } });
  });

  it("counts once where the delegator approved first", async () => {
    const { delegator, delegate } = await lent();
    const action = await pending(two);
    expect(await decide(delegator, action, two)).toMatchObject({ action: { status: "PENDING" } });
    expect(codes(await decide(delegate, action, two))).toEqual(["DELEGATOR_ALREADY_VOTED"]);
  });

  it("is no right over what either of them asked for", async () => {
    const { delegator, delegate } = await lent();
    const ofDelegator = (await propose(api, {}, await agentOf(delegator.id))).action;
    expect(codes(await decide(delegate, ofDelegator))).toEqual(["DELEGATOR_CANNOT_DECIDE"]);
    expect(codes(await decide(delegate, ofDelegator, api, "deny"))).toEqual(["DELEGATOR_CANNOT_DECIDE"]);
    const ofDelegate = (await propose(api, {}, await agentOf(delegate.id))).action;
    expect(codes(await decide(delegate, ofDelegate))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    // Nor of another account of the delegator, which has the same address.
    const again = await seen(`again-${delegator.id}`, [], { email: `${delegator.id}@acme.example` });
    const ofSame = (await propose(api, {}, await agentOf(again.id))).action;
    expect(codes(await decide(delegate, ofSame))).toEqual(["DELEGATOR_CANNOT_DECIDE"]);
  });

  it("can deny as well, and take back what was approved", async () => {
    const { delegator, delegate } = await lent();
    const [one, other] = [await pending(), await pending()];
    expect(await decide(delegate, one, api, "deny")).toMatchObject({ action: { status: "DENIED" } });
    expect(await decide(delegate, other)).toMatchObject({ action: { status: "APPROVED" } });
    const revoked = await act<Acted>(api, "revokeApproval", { actionId: other.id, note: "not in my name" }, delegator);
    expect(revoked.action?.status).toBe("DENIED");
  });

  it("is no right of the delegate's groups, and not lent on", async () => {
    const { delegate } = await lent();
    const further = await person();
    expect(codes(await lend(delegate, further))).toEqual(["NOT_IN_GROUP"]);
    const { rows } = await api.services.pool.query(
      "SELECT count(*) AS count FROM oc_state WHERE kind = 'DELEGATION' AND state ->> 'delegate' = $1",
      [further.id],
    );
    expect(rows).toEqual([{ count: "0" }]);
  });

  it("ends at its instant, by the clock of the database, and before when somebody ends it", async () => {
    const soon = new Date(Date.now() + 1_500).toISOString();
    const [short, later, ended] = [
      await lent({ endsAt: soon }),
      await lent({ startsAt: inDays(1), endsAt: inDays(2) }),
      await lent(),
    ];
    const action = await pending();
    await cannot(later.delegate, action);
    expect(codes(await end(await person(), ended.delegation.id))).toEqual(["NOT_FOUND"]);
    expect(codes(await end(ended.delegate, ended.delegation.id))).toEqual(["NOT_ALLOWED"]);
    expect(await end(ended.delegator, ended.delegation.id)).toMatchObject({
      delegation: { ended: true },
      entry: { type: "DELEGATION_ENDED" },
      userErrors: [],
    });
    expect(codes(await end(ended.delegator, ended.delegation.id))).toEqual(["ALREADY_ENDED"]);
    await cannot(ended.delegate, action);
    await waitUntil(async () => {
      const { rows } = await api.services.pool.query("SELECT clock_timestamp() >= $1::timestamptz AS over", [soon]);
      return rows[0]?.over === true;
    });
    await cannot(short.delegate, action);
    expect(codes(await end(short.delegator, short.delegation.id))).toEqual(["ALREADY_ENDED"]);
    const admin = { token: await api.token("admin") };
    const other = await lent();
    expect(codes(await end(admin, other.delegation.id))).toEqual([]);
  });

  it("is void once one of them is suspended, also when reinstated, and while the delegator is not in the group", async () => {
    const admin = { token: await api.token("admin") };
    const access = (mutation: string, { id }: Person) =>
      act(api, mutation, { principalId: id, reason: "they left" }, admin, "userErrors{code}");
    const [one, left] = [await lent(), await lent()];
    const [before, after] = [await pending(), await pending()];
    expect(await decide(one.delegate, before)).toMatchObject({ action: { status: "APPROVED" } });
    await access("suspendPrincipal", one.delegator);
    await access("reinstatePrincipal", one.delegator);
    const auditor = { token: await api.token("auditor") };
    const { data } = await api.gql<{ action: { status: string } }>(
      "query($id:ID!){action(id:$id){status}}",
      before,
      auditor,
    );
    expect(data.action.status).toBe("DENIED");
    await cannot(one.delegate, after);
    await seen(left.delegator.id, ["sales"]);
    await cannot(left.delegate, after);
    await seen(left.delegator.id, ["legal"]);
    expect(await decide(left.delegate, after)).toMatchObject({ userErrors: [] });
  });

  it("that ends on one server while it is used on another is never used after its end", async () => {
    const { delegator, delegate, delegation } = await lent();
    const actions = await Promise.all(Array.from({ length: 8 }, () => pending()));
    const [ended, ...decided] = await Promise.all([
      end(delegator, delegation.id, two),
      ...actions.map((action) => decide(delegate, action)),
    ]);
    expect(codes(ended)).toEqual([]);
    for (const one of decided) expect([[], ["NOT_ELIGIBLE"], ["NOT_FOUND"]]).toContainEqual(codes(one));
    // Whether an approval stands behind the end is what the verification of this ledger looks for.
    const late = await pending();
    await cannot(delegate, late);
  });
});

describe("delegateApprovals", () => {
  it("is for people, of a group of theirs, to another person, for a time", async () => {
    const [from, to] = [await person(["legal"]), await person()];
    const refused = async (more: object, by: Token = from) => codes(await lend(by, to, more))[0];
    expect(await refused({ group: "sales" })).toBe("NOT_IN_GROUP");
    expect(await refused({ group: "" })).toBe("INVALID_INPUT");
    expect(await refused({ group: "x".repeat(100_000) })).toBe("INVALID_INPUT");
    expect(await refused({ note: "x".repeat(2_001) })).toBe("INVALID_INPUT");
    expect(await refused({ toPrincipalId: from.id })).toBe("CANNOT_DELEGATE_TO_SELF");
    expect(await refused({ toPrincipalId: "nobody-at-all" })).toBe("NOT_FOUND");
    expect(await refused({ endsAt: inDays(-1) })).toBe("INVALID_INPUT");
    expect(await refused({ endsAt: inDays(30.01) })).toBe("INVALID_INPUT");
    expect(await refused({ startsAt: inDays(2), endsAt: inDays(1) })).toBe("INVALID_INPUT");
    expect(await refused({ startsAt: inDays(366), endsAt: inDays(367) })).toBe("INVALID_INPUT");
    const agent = await agentOf(to.id);
    await propose(api, {}, agent);
    expect(await refused({ toPrincipalId: "agent" })).toBe("HUMANS_ONLY");
    expect(await refused({}, agent)).toBe("HUMANS_ONLY");
    const second = await seen(`second-${from.id}`, [], { email: `${from.id.toUpperCase()}@acme.example` });
    expect(await refused({ toPrincipalId: second.id })).toBe("CANNOT_DELEGATE_TO_SELF");
    const outsider = { token: await api.token("outsider") };
    await act(api, "startSession", {}, outsider, "userErrors{code}");
    expect(await refused({ toPrincipalId: "outsider" })).toBe("NOT_FOUND");
    await act(
      api,
      "suspendPrincipal",
      { principalId: to.id, reason: "left" },
      { token: await api.token("admin") },
      "userErrors{code}",
    );
    expect(await refused({})).toBe("DELEGATE_SUSPENDED");
  });

  it("lends the same once at a time, and no more than twenty", async () => {
    const [from, to] = [await person(["legal"]), await person()];
    const both = await Promise.all([lend(from, to), lend(from, to, {}, two), lend(from, to)]);
    expect(both.map(codes).sort()).toEqual([[], ["ALREADY_EXISTS"], ["ALREADY_EXISTS"]]);
    expect(codes(await lend(from, to, { startsAt: inDays(2), endsAt: inDays(3) }))).toEqual([]);
    for (let n = 2; n < 20; n++) expect(codes(await lend(from, await person()))).toEqual([]);
    expect(codes(await lend(from, await person()))).toEqual(["DELEGATION_LIMIT"]);
    const list = "{delegations{id delegator{id} delegate{id}}}";
    const listed = async (by: Token) =>
      (await api.gql<{ delegations: { delegator: { id: string } }[] }>(list, {}, by)).data.delegations;
    expect(await listed(from)).toHaveLength(20);
    expect((await listed(to)).map(({ delegator }) => delegator.id)).toEqual([from.id, from.id]);
    expect(await listed(await person(["legal"]))).toEqual([]);
    expect(await listed({ token: await api.token("outsider") })).toEqual([]);
  });
});
