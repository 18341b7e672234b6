import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { keepState, manipulate } from "../ledger/manipulate-states.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { act, type Proposed, propose, READ } from "./steps.ts";

let database: TestDatabase;
let api: Api;
/** Another server, which has seen nothing so far. */
let fresh: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  [api, fresh] = await Promise.all([
    startApi(database.appUrl, { approvers: 2 }),
    startApi(database.appUrl, { approvers: 2 }),
  ]);
});

afterAll(async () => {
  await fresh?.close();
  await api?.close();
  await database?.drop();
});

const change = (sql: string, ...values: readonly unknown[]) => manipulate(database.superuserUrl, sql, values);
const keep = (kind: string, id: string) => keepState(database.superuserUrl, kind, id);

/** The code that a call is refused with; undefined when it is not. */
async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  const message = await call.then(
    () => undefined,
    (error: Error) => error.message,
  );
  return message === undefined ? undefined : /"code":"(\w+)"/.exec(message)?.[1];
}

type Action = Proposed["action"] & { token?: string };

const decide = (name: "approveAction" | "denyAction", { id, digest }: Action, as: "approver" | "approver2" | "admin") =>
  act(api, name, { actionId: id, digest, ...(name === "denyAction" ? { note: "no" } : {}) }, as);
const claim = ({ id }: Action) => act(api, "claimGrant", { actionId: id }, "agent", "grant{token} userErrors{code}");
const redeem = ({ token, digest }: Action) => act(api, "redeemGrant", { token, digest }, "agent");
const cancel = ({ id }: Action) => act(api, "cancelAction", { actionId: id }, "agent");
const complete = ({ id }: Action) => act(api, "completeAction", { actionId: id, outcome: "SUCCEEDED" }, "agent");

async function pending(): Promise<Action> {
  return (await propose(api)).action;
}

async function approved(): Promise<Action> {
  const action = await pending();
  await decide("approveAction", action, "approver");
  await decide("approveAction", action, "approver2");
  return action;
}

async function claimed(): Promise<Action> {
  const action = await approved();
  const { grant } = await claim(action);
  return { ...action, token: grant?.token ?? "" };
}

async function allowed(): Promise<Action> {
  const { action, grant } = await propose(api, READ);
  return { ...action, token: grant?.token ?? "" };
}

const SET = "UPDATE oc_state SET";
const OF = "WHERE kind = 'ACTION' AND id = $1";

describe("a row of an action that no entry made", () => {
  it.each<[string, () => Promise<Action>, string, (action: Action) => Promise<unknown>]>([
    [
      "approved by nobody, then claimed",
      pending,
      `${SET} status = 'APPROVED', state = '{"status":"APPROVED","approvals":2,"grant":{"expiresAt":"2199-01-01T00:00:00.000000Z"}}' ${OF}`,
      claim,
    ],
    ["approved by nobody in its column alone, then claimed", pending, `${SET} status = 'APPROVED' ${OF}`, claim],
    [
      "approved by its own proposal",
      pending,
      `${SET} version = 2, entries = entries || entries, status = 'APPROVED',
              state = '{"status":"APPROVED","approvals":1,"grant":{"expiresAt":"2199-01-01T00:00:00.000000Z"}}' ${OF}`,
      claim,
    ],
    [
      "one approval more than there was",
      pending,
      `${SET} state = jsonb_set(state, '{approvals}', '1') ${OF}`,
      (action) => decide("approveAction", action, "approver"),
    ],
    [
      "its deadline moved ten years",
      pending,
      `${SET} expires_at = expires_at + interval '10 years',
              state = jsonb_set(state, '{expiresAt}', '"2036-11-26T00:00:00.000000Z"') ${OF}`,
      (action) => decide("approveAction", action, "approver"),
    ],
    [
      "its deadline moved in the column alone",
      pending,
      `${SET} expires_at = expires_at - interval '10 years' ${OF}`,
      (action) => decide("denyAction", action, "approver"),
    ],
    [
      "its grant prolonged",
      claimed,
      `${SET} state = jsonb_set(state, '{grant,expiresAt}', '"2036-11-26T00:00:00.000000Z"') ${OF}`,
      redeem,
    ],
    [
      "its grant another token's",
      claimed,
      `${SET} state = jsonb_set(state, '{grant,hash}', to_jsonb(repeat('0', 64))) ${OF}`,
      redeem,
    ],
    ["its grant taken away", allowed, `${SET} state = state - 'grant' ${OF}`, redeem],
    [
      "started by nobody, then reported",
      approved,
      `${SET} status = 'EXECUTING', state = jsonb_set(state, '{status}', '"EXECUTING"') ${OF}`,
      complete,
    ],
    [
      "a version that no entry made",
      pending,
      `${SET} version = 2, entries = entries || 7::bigint, updated_seq = 7 ${OF}`,
      cancel,
    ],
    [
      "a position without an entry",
      pending,
      `${SET} entries = '{999999}', first_seq = 999999, updated_seq = 999999 ${OF}`,
      cancel,
    ],
    ["another hash", pending, `${SET} hash = sha256(hash) ${OF}`, cancel],
    ["another agent", pending, `${SET} actor_id = 'bot' ${OF}`, cancel],
    ["another person", approved, `${SET} on_behalf_of_id = 'approver' ${OF}`, claim],
    ["another conversation", claimed, `${SET} conversation = 'mine' ${OF}`, redeem],
    [
      "the proposal of another action",
      pending,
      `${SET} (first_seq, updated_seq, entries, hash) = (SELECT o.first_seq, o.updated_seq, o.entries, o.hash FROM oc_state o
         WHERE o.kind = 'ACTION' AND o.version = 1 AND o.status = 'ALLOWED' LIMIT 1) ${OF}`,
      cancel,
    ],
    [
      "the approvals of somebody else's action",
      pending,
      `${SET} (version, status, state, updated_seq, entries, hash) = (SELECT o.version, o.status, o.state, o.updated_seq,
                oc_state.first_seq || o.entries[2:], o.hash FROM oc_state o
         WHERE o.kind = 'ACTION' AND o.version = 3 AND o.status = 'APPROVED' LIMIT 1) ${OF}`,
      claim,
    ],
    [
      "the proposal left out",
      approved,
      `${SET} entries = entries[2:] || entries[3], first_seq = entries[2] ${OF}`,
      claim,
    ],
    ["an approval counted twice", approved, `${SET} entries = ARRAY[entries[1], entries[3], entries[3]] ${OF}`, claim],
  ])("is refused: %s", async (_, arrange, sql, attempt) => {
    await approved();
    await allowed();
    const action = await arrange();
    await change(sql, action.uuid);
    expect(await codeOf(attempt(action))).toBe("LEDGER_CORRUPT");
    expect(await codeOf(attempt(action))).toBe("LEDGER_CORRUPT");
    await expectNamed(action.uuid);
  });

  it.each<[string, () => Promise<Action>, (action: Action) => Promise<unknown>, (action: Action) => Promise<unknown>]>([
    ["EXECUTING to APPROVED, its grant redeemed again", claimed, redeem, redeem],
    ["EXECUTING to ALLOWED, its grant redeemed again", allowed, redeem, redeem],
    [
      "EXECUTING to APPROVED, a further grant claimed",
      approved,
      async (action) => redeem({ ...action, token: (await claim(action)).grant?.token ?? "" }),
      claim,
    ],
    [
      "DENIED to PENDING, then approved",
      pending,
      (action) => decide("denyAction", action, "approver"),
      (action) => decide("approveAction", action, "approver2"),
    ],
    ["CANCELLED to PENDING, then approved", pending, cancel, (action) => decide("approveAction", action, "approver")],
    [
      "approved once to PENDING, then approved by the same person",
      pending,
      (action) => decide("approveAction", action, "approver"),
      (action) => decide("approveAction", action, "approver"),
    ],
    [
      "reported to EXECUTING, then reported otherwise",
      async () => {
        const action = await claimed();
        await redeem(action);
        return action;
      },
      complete,
      (action) => act(api, "completeAction", { actionId: action.id, outcome: "FAILED" }, "agent"),
    ],
    ["a later grant to an earlier one, which is redeemed", claimed, claim, redeem],
  ])("is refused when it was put back: %s", async (_, arrange, move, attempt) => {
    const action = await arrange();
    const before = await keep("ACTION", action.uuid);
    await move(action);
    await before.putBack();
    expect(await codeOf(attempt(action))).toBe("LEDGER_CORRUPT");
    await expectNamed(action.uuid);
  });

  it("of which nothing else depends, leaves other actions of the ledger as they are", async () => {
    const action = await claimed();
    expect(await redeem(action)).toMatchObject({ action: { status: "EXECUTING" } });
  });

  it("makes the server not ready, and is logged", async () => {
    const response = await fetch(api.url.replace("/graphql", "/readyz"));
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ checks: { heads: false } });
  });
});

/** Verification names the thing. */
async function expectNamed(id: string): Promise<void> {
  const { verdict, problems } = await verifyLedger(api.services.pool, "acme/eu");
  expect(verdict).not.toBe("INTACT");
  expect(problems.some(({ detail }) => detail.includes(id))).toBe(true);
}

describe("a row of a session that no entry made", () => {
  const start = async (input: object = {}) => {
    const { session } = await act<{ session: { id: string } }>(api, "startSession", input, "agent", "session{id}");
    return { id: session.id, uuid: Buffer.from(session.id, "base64url").toString().slice(-36) };
  };
  const end = (id: string) => act(api, "endSession", { sessionId: id }, "agent", "userErrors{code}");

  it.each<[string, string]>([
    ["its deadline moved ten years", "expires_at = expires_at + interval '10 years'"],
    ["another conversation", "conversation = $2"],
    ["another hash", "hash = sha256(hash)"],
    ["another state", "state = jsonb_set(state, '{expiresAt}', '\"2036-11-26T00:00:00.000000Z\"')"],
  ])("is refused by what is done in it: %s", async (_, set) => {
    const conversationId = randomUUID();
    const { uuid } = await start(set.startsWith("conversation") ? {} : { conversationId });
    await change(
      `UPDATE oc_state SET ${set} WHERE kind = 'SESSION' AND id = $1 ${set.includes("$2") ? "" : "AND $2::text <> ''"}`,
      uuid,
      conversationId,
    );
    expect(await codeOf(propose(fresh, { conversationId }))).toBe("LEDGER_CORRUPT");
    await change("UPDATE oc_state SET status = 'ENDED' WHERE kind = 'SESSION' AND id = $1", uuid);
  });

  it("is refused when it has ended and was put back", async () => {
    const conversationId = randomUUID();
    const { id, uuid } = await start({ conversationId });
    const before = await keep("SESSION", uuid);
    await end(id);
    await before.putBack();
    expect(await codeOf(propose(fresh, { conversationId }))).toBe("LEDGER_CORRUPT");
    await expectNamed(uuid);
    await change("UPDATE oc_state SET status = 'ENDED' WHERE kind = 'SESSION' AND id = $1", uuid);
  });
});

describe("a row of a chain that no entry made", () => {
  it.each<[string, string]>([
    ["another platform", `state = jsonb_set(state, '{platform}', '"crm"')`],
    ["another number", "state = jsonb_set(state, '{number}', '7')"],
  ])("is refused by the next step: %s", async (_, set) => {
    const conversationId = randomUUID();
    const { action } = await propose(api, { conversationId });
    await change(`UPDATE oc_state SET ${set} WHERE kind = 'CHAIN' AND id = $1`, action.chainHash);
    expect(await codeOf(propose(fresh, { conversationId }))).toBe("LEDGER_CORRUPT");
    await expectNamed(action.chainHash);
  });
});

describe("a row of the directory that no entry made", () => {
  /** Asks a server that has not seen the organization so far. */
  async function another<Result>(ask: (server: Api) => Promise<Result>): Promise<Result> {
    const server = await startApi(database.appUrl);
    try {
      return await ask(server);
    } finally {
      await server.close();
    }
  }
  const errorsOf = async (server: Api, as: "approver2" | "auditor", token?: string) =>
    (await server.gql("{ viewer { id } }", {}, token === undefined ? { as } : { token })).errors?.map(
      ({ extensions }) => extensions.code,
    );
  const administer = (name: string, input: object) => act(api, name, input, "admin", "userErrors{code path}");

  it("does not reinstate whom an administrator suspended", async () => {
    await administer("suspendPrincipal", { principalId: "approver2", reason: "left" });
    const refused = await errorsOf(api, "approver2");
    expect(refused).toHaveLength(1);
    await change(
      `UPDATE oc_state SET state = jsonb_set(state, '{suspended}', 'false') WHERE kind = 'PRINCIPAL' AND id = $1`,
      "approver2",
    );
    expect(await errorsOf(api, "approver2")).toEqual(refused);
    expect(await another((server) => errorsOf(server, "approver2"))).toEqual(refused);
    await expectNamed("approver2");
    await change("DELETE FROM oc_state WHERE kind = 'PRINCIPAL' AND id = $1", "approver2");
    expect(await another((server) => errorsOf(server, "approver2"))).toEqual(refused);
    // The append compares a change with the row, which is not what the entries say.
    expect(await codeOf(administer("reinstatePrincipal", { principalId: "approver2", reason: "back" }))).toBe(
      "LEDGER_CORRUPT",
    );
  });

  it("gives nobody a role", async () => {
    await administer("setPrincipalRoles", { principalId: "member", roles: ["member"] });
    await change(
      `UPDATE oc_state SET state = jsonb_set(state, '{roles}', '["admin"]') WHERE kind = 'PRINCIPAL' AND id = $1`,
      "member",
    );
    const suspended = await another(async (server) =>
      server.gql<{ suspendPrincipal: { userErrors: { code: string }[] } }>(
        `mutation { suspendPrincipal(input: { principalId: "auditor", reason: "mine now" }) { userErrors { code } } }`,
        {},
        { as: "member" },
      ),
    );
    expect(suspended.errors ?? suspended.data.suspendPrincipal.userErrors).not.toEqual([]);
    await expectNamed("member");
  });

  it("takes back no revoked token", async () => {
    const token = await api.token("auditor");
    const { jti } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { jti: string };
    expect(await errorsOf(api, "auditor", token)).toBeUndefined();
    await administer("revokeToken", { tokenId: jti, reason: "lost" });
    const refused = await errorsOf(api, "auditor", token);
    expect(refused).toHaveLength(1);
    await change("DELETE FROM oc_state WHERE kind = 'TOKEN' AND id = $1", `* ${jti}`);
    expect(await another((server) => errorsOf(server, "auditor", token))).toEqual(refused);
  });

  it("is made by nobody else", async () => {
    await change(
      `INSERT INTO oc_state SELECT ledger, kind, 'approver', 1, '{"kind":"HUMAN","roles":[],"suspended":true}', status, expires_at,
              actor_id, on_behalf_of_id, conversation, updated_seq, updated_seq, ARRAY[updated_seq], hash
         FROM oc_state WHERE kind = 'PRINCIPAL' AND id = 'member'`,
    );
    expect(await another((server) => errorsOf(server, "auditor"))).toBeUndefined();
    await expectNamed("approver");
  });
});

describe("oc_state", () => {
  const asSuperuser = (sql: string) => withClient(database.superuserUrl, (client) => client.query(sql));

  it.each([
    "DELETE FROM oc_state WHERE kind = 'ACTION'",
    "TRUNCATE oc_state",
    "UPDATE oc_state SET status = 'APPROVED' WHERE kind = 'ACTION'",
    "UPDATE oc_state SET state = state WHERE kind = 'ACTION'",
    "UPDATE oc_state SET version = version + 1, entries = entries || updated_seq, updated_seq = updated_seq + 1",
    "INSERT INTO oc_state SELECT ledger, kind, id || 'x', version, state, status, expires_at, actor_id, on_behalf_of_id, conversation, first_seq, updated_seq, entries, hash FROM oc_state",
    "SET session_replication_role = replica; UPDATE oc_state SET status = 'APPROVED' WHERE kind = 'ACTION'",
    "SET ROLE oc_owner; UPDATE oc_state SET conversation = 'mine'",
  ])("refuses, for superusers and its owner too: %s", async (sql) => {
    await expect(asSuperuser(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^OC(403|003)$/) });
  });

  it("refuses a state with an entry that was not recorded with it, and one that says otherwise", async () => {
    const { action } = await propose(api);
    const other = (await propose(api)).action;
    const copy = (set: string) => `
      WITH o AS (SELECT * FROM oc_state WHERE kind = 'ACTION' AND id = '${other.uuid}')
      INSERT INTO oc_state SELECT o.ledger, o.kind, ${set}, o.actor_id, o.on_behalf_of_id, o.conversation, o.first_seq, o.updated_seq,
             o.entries, o.hash FROM o`;
    for (const set of [
      `'${action.uuid}x', 1, o.state, o.status, o.expires_at`,
      "o.id || 'x', 1, o.state, o.status, o.expires_at",
    ]) {
      await expect(asSuperuser(copy(set))).rejects.toMatchObject({ code: "OC003" });
    }
  });
});
