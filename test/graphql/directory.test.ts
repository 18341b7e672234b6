import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import type { Refusal } from "./steps.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  // Everybody signs in once, so that the ledger has seen them.
  for (const as of ["member", "approver", "auditor", "agent", "outsider"] as const) {
    await api.gql("mutation { startSession(input: {}) { userErrors { code } } }", {}, { as });
  }
});
afterAll(async () => {
  await api.close();
  await database.drop();
});

interface Changed {
  readonly principal: { readonly id: string; readonly [field: string]: unknown } | null;
  readonly entry: { readonly type: string; readonly canonical: string } | null;
  readonly userErrors: readonly Refusal[];
}

type As = { as: "admin" | "member" | "auditor" | "agent" | "approver" } | { token: string };

async function change(field: string, input: object, as: As = { as: "admin" }): Promise<Changed> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const principal =
    field === "revokeToken"
      ? ""
      : `principal { id principal { id kind displayName email roles } status roles owner { id status } platforms
         keyThumbprint gateway invitedAt lastSeenAt teams }`;
  const query = `mutation ($input: ${type}!) { ${field}(input: $input) {
    ${principal} entry { type canonical } userErrors { code message path } } }`;
  const { data, errors } = await api.gql<Record<string, Changed>>(query, { input }, as);
  expect(errors).toBeUndefined();
  const answer = data[field];
  if (answer === undefined) throw new Error("no answer");
  return answer;
}

const codesOf = ({ userErrors }: Changed) => userErrors.map(({ code, path }) => [code, ...path].join(" "));

describe("changing the directory", () => {
  it("invites an agent, and shows it with its owner", async () => {
    const publicKey = await exportJWK((await generateKeyPair("EdDSA")).publicKey);
    const input = { agentId: "clerk", displayName: "Clerk", ownerId: "member", platforms: ["crm"], publicKey };
    const invited = await change("inviteAgent", input);
    expect(invited.userErrors).toEqual([]);
    expect(invited.entry?.type).toBe("PRINCIPAL_INVITED");
    expect(invited.entry?.canonical).not.toContain("Clerk");
    expect(invited.principal).toMatchObject({
      id: "clerk",
      principal: { kind: "AGENT", displayName: "Clerk", email: null },
      status: "ACTIVE",
      owner: { id: "member", status: "ACTIVE" },
      platforms: ["crm"],
      keyThumbprint: expect.stringMatching(/^[\w-]{43}$/),
      gateway: false,
      lastSeenAt: null,
    });
    expect(codesOf(await change("inviteAgent", input))).toEqual(["ALREADY_EXISTS input agentId"]);
    const updated = await change("updateAgent", { agentId: "clerk", publicKey: null, platforms: null });
    expect(updated.principal).toMatchObject({
      keyThumbprint: null,
      platforms: null,
      principal: { displayName: "Clerk" },
    });
    const kept = await change("updateAgent", { agentId: "clerk", displayName: "Scribe", ownerId: null, gateway: null });
    expect(kept.principal).toMatchObject({ owner: { id: "member" }, principal: { displayName: "Scribe" } });
  });

  it("refuses a platform that the catalog does not have, with those that it has", async () => {
    const input = { agentId: "nobody", displayName: "Nobody", ownerId: "member" };
    const platforms = ["crm", "crmm"];
    const expected = [
      {
        code: "INVALID_INPUT",
        path: ["input", "platforms"],
        message: expect.stringMatching(/there is no "crmm", only .*crm, .*reservations/),
      },
    ];
    expect((await change("inviteAgent", { ...input, platforms })).userErrors).toEqual(expected);
    expect((await change("updateAgent", { agentId: "clerk", platforms })).userErrors).toEqual(expected);
  });

  it("is for administrators", async () => {
    const token = await api.token("agent", { roles: ["admin"] });
    const callers: As[] = [{ as: "member" }, { as: "approver" }, { as: "auditor" }, { as: "agent" }, { token }];
    const inputs = {
      inviteAgent: { agentId: "x", displayName: "X", ownerId: "member" },
      updateAgent: { agentId: "clerk", displayName: "X" },
      suspendPrincipal: { principalId: "approver", reason: "r" },
      reinstatePrincipal: { principalId: "approver", reason: "r" },
      setPrincipalRoles: { principalId: "member", roles: ["admin"] },
      revokeToken: { tokenId: "t", reason: "r" },
    };
    for (const [field, input] of Object.entries(inputs)) {
      for (const as of callers) expect(codesOf(await change(field, input, as)), field).toEqual(["ADMINISTRATORS_ONLY"]);
      const { errors } = await api.gql(
        `mutation ($input: ${field[0]?.toUpperCase()}${field.slice(1)}Input!) {
        ${field}(input: $input) { userErrors { code } } }`,
        { input },
      );
      expect(errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
    }
  });

  it("refuses a suspended person immediately, with a reason, and accepts them after reinstatement", async () => {
    const token = await api.token("approver");
    const viewer = () => api.gql<{ viewer: { id: string } }>("{ viewer { id } }", {}, { token });
    expect((await viewer()).data.viewer.id).toBe("approver");
    const suspended = await change("suspendPrincipal", { principalId: "approver", reason: "on leave" });
    expect(suspended.principal).toMatchObject({ status: "SUSPENDED", lastSeenAt: expect.any(String) });
    const { status, errors } = await viewer();
    expect([status, errors?.[0]?.extensions.code]).toEqual([401, "UNAUTHENTICATED"]);
    await change("reinstatePrincipal", { principalId: "approver", reason: "back" });
    expect((await viewer()).data.viewer.id).toBe("approver");
  });

  it("gives roles that count from the next call, and revokes a token", async () => {
    const token = await api.token("member");
    const rolesOf = () => api.gql<{ viewer: { roles: string[] } }>("{ viewer { roles } }", {}, { token });
    await change("setPrincipalRoles", { principalId: "member", roles: ["auditor", "lead:approvers"] });
    expect((await rolesOf()).data.viewer.roles).toEqual(["member", "auditor", "lead:approvers"]);
    await change("setPrincipalRoles", { principalId: "member", roles: [] });
    expect((await rolesOf()).data.viewer.roles).toEqual(["member"]);
    const { jti } = JSON.parse(Buffer.from(String(token.split(".")[1]), "base64url").toString());
    const revoked = await change("revokeToken", { tokenId: jti, reason: "leaked" });
    expect([revoked.entry?.type, revoked.userErrors]).toEqual(["TOKEN_REVOKED", []]);
    expect((await rolesOf()).status).toBe(401);
  });

  it("appoints the first administrator by a code, and refuses anything else with a code of its own", async () => {
    const setup = await api.services.directory.ensureSetupCode("acme");
    const claim = (code: string, as: As) => change("claimAdministrator", { code }, as);
    expect(codesOf(await claim("wrong", { as: "member" }))).toEqual(["SETUP_CODE_INVALID input code"]);
    expect(codesOf(await claim(String(setup?.code), { as: "agent" }))).toEqual(["HUMANS_ONLY"]);
    const { principal, entry } = await claim(String(setup?.code), { as: "member" });
    expect([principal?.roles, entry?.type]).toEqual([["admin"], "PRINCIPAL_ROLES_CHANGED"]);
    expect(api.logged.join("\n")).not.toContain(setup?.code);
    const demoted = await change("setPrincipalRoles", { principalId: "member", roles: [] });
    expect(codesOf(demoted)).toEqual(["LAST_ADMINISTRATOR input roles"]);
    await change("setPrincipalRoles", { principalId: "admin", roles: ["admin"] });
    await change("setPrincipalRoles", { principalId: "member", roles: [] });
  });
});

const LIST = `query ($filter: PrincipalFilter, $first: Int, $after: String) {
  principals(filter: $filter, first: $first, after: $after) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }`;
interface Listed {
  readonly principals: {
    readonly nodes: readonly { readonly id: string }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly hasPreviousPage: boolean; readonly endCursor: string };
  };
}

describe("reading the directory", () => {
  const list = async (variables: object, as: "admin" | "auditor" | "member" | "agent" | "outsider" = "auditor") =>
    (await api.gql<Listed>(LIST, variables, { as })).data.principals;

  it("lists principals page by page", async () => {
    const all = (await list({ first: 100 })).nodes.map(({ id }) => id);
    expect(all).toEqual(["admin", "agent", "approver", "auditor", "clerk", "member"]);
    const found: string[] = [];
    for (let after: string | null = null; ; ) {
      const { nodes, pageInfo }: Listed["principals"] = await list({ first: 2, after });
      expect(pageInfo.hasPreviousPage).toBe(after !== null);
      found.push(...nodes.map(({ id }) => id));
      after = pageInfo.endCursor;
      if (!pageInfo.hasNextPage) break;
    }
    expect(found).toEqual(all);
    expect((await list({ filter: { kind: "AGENT", text: "SCRIBE" } })).nodes).toEqual([{ id: "clerk" }]);
    expect((await list({ filter: { team: "approvers", suspended: false } })).nodes.map(({ id }) => id)).toEqual([
      "admin",
      "approver",
    ]);
    expect((await list({ first: 0 })).nodes).toEqual([]);
  });

  it("shows members themselves and their agents, agents their owner, and nobody another organization", async () => {
    const ids = async (as: "member" | "agent" | "outsider") => (await list({}, as)).nodes.map(({ id }) => id);
    expect(await ids("member")).toEqual(["agent", "clerk", "member"]);
    expect(await ids("agent")).toEqual(["agent", "member"]);
    expect(await ids("outsider")).toEqual(["outsider"]);
    const one = (id: string, as: "member" | "outsider") =>
      api.gql<{ principal: { id: string } | null }>("query ($id: ID!) { principal(id: $id) { id } }", { id }, { as });
    expect((await one("clerk", "member")).data.principal).toEqual({ id: "clerk" });
    for (const id of ["auditor", "nobody", "", "x\u0000".slice(0, 1)]) {
      expect((await one(id, "member")).data.principal).toBeNull();
    }
    expect((await one("member", "outsider")).data.principal).toBeNull();
  });

  it("shows teams with their leads and members", async () => {
    await change("setPrincipalRoles", { principalId: "auditor", roles: ["lead:approvers"] });
    const query = `{ teams { id name leads { id owner { id } } members(first: 1) { nodes { id } pageInfo { hasNextPage } } } }`;
    const { data, errors } = await api.gql(query, {}, { as: "admin" });
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      teams: [
        {
          id: "approvers",
          name: "approvers",
          leads: [{ id: "auditor", owner: null }],
          members: { nodes: [{ id: "admin" }], pageInfo: { hasNextPage: true } },
        },
      ],
    });
    expect((await api.gql("{ teams { id } }", {}, { as: "member" })).data).toEqual({ teams: [] });
  });

  it("refuses cursors that are none of this list's", async () => {
    const foreign = [
      "",
      "x",
      Buffer.from("seq:3").toString("base64url"),
      Buffer.from("principal:").toString("base64url"),
    ];
    for (const after of foreign) {
      const { errors } = await api.gql(LIST, { after }, { as: "auditor" });
      expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    }
    const { errors } = await api.gql(LIST, { first: -1 }, { as: "auditor" });
    expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
  });
});

describe("a stream", () => {
  it("ends when its caller is suspended", async () => {
    const response = await fetch(api.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        authorization: `Bearer ${await api.token("approver2")}`,
      },
      body: JSON.stringify({ query: "subscription { pendingApprovals { __typename } }" }),
    });
    expect(response.status).toBe(200);
    const told = response.text();
    await change("suspendPrincipal", { principalId: "approver2", reason: "a test" });
    expect(await told).toContain("UNAUTHENTICATED");
  });
});
