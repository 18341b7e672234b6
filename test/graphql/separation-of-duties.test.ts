import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { putInForce } from "./policy-documents.ts";

/** What went wrong in products of this kind, by its name. */
const keyFile = join(tmpdir(), `countersign-shared-${crypto.randomUUID()}.json`);
const { api, database } = serveApi({ keyFile });
afterAll(() => rm(keyFile, { force: true }));

/** Certificates need people of groups: each of those in `groups` so many. */
const asking = (groups: Readonly<Record<string, number>>) => `
policy: 1
catalog: { platforms: { crm: { region: eu } }, tools: [{ platform: crm, name: send_certificate, effect: WRITE }] }
rules:
  - id: all
    require: [${Object.entries(groups)
      .map(([group, needed]) => `{ group: ${group}, needed: ${needed} }`)
      .join(", ")}]
    reason: People decide.
cases: [{ name: one, given: { platform: crm, tool: send_certificate, arguments: {} }, expect: { outcome: REQUIRE } }]
# ${Object.keys(groups).length} groups`;

interface Action {
  readonly id: string;
  readonly digest: string;
  readonly status: string;
}
interface Payload {
  readonly action: Action | null;
  readonly grant?: { readonly token: string } | null;
  readonly userErrors: readonly { readonly code: string }[];
}

async function mutate(on: Api, token: string, field: string, input: object, more = ""): Promise<Payload> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const query = `mutation($input:${type}!){${field}(input:$input){action{id digest status}${more} userErrors{code}}}`;
  const { data, errors } = await on.gql<Record<string, Payload>>(query, { input }, { token });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data[field]!;
}

async function propose(token: string): Promise<Action> {
  const input = {
    idempotencyKey: crypto.randomUUID(),
    platform: "crm",
    tool: "send_certificate",
    arguments: {},
    repeat: true,
  };
  return (await mutate(api, token, "proposeAction", input)).action!;
}

const approve = (action: Action, token: string, on: Api = api) =>
  mutate(on, token, "approveAction", { actionId: action.id, digest: action.digest });

/** Somebody of acme with a verified address. */
const somebody = (name: string, groups: readonly string[] = [], roles: readonly string[] = ["approver"]) =>
  api.sign({
    sub: name,
    kind: "HUMAN",
    org: "acme",
    name,
    email: `${name}@acme.example`,
    email_verified: true,
    roles,
    groups,
  });

describe("weaknesses of products of this kind", () => {
  it("administrator self-approval: no role lets anybody approve what they asked for", async () => {
    const admin = await api.token("admin");
    const action = await propose(admin);
    expect(await approve(action, admin)).toMatchObject({ userErrors: [{ code: "REQUESTER_CANNOT_DECIDE" }] });
    const published = await mutate(api, admin, "publishPolicy", { document: asking({ approvers: 2 }), note: "n" });
    expect(await approve(published.action!, admin)).toMatchObject({
      userErrors: [{ code: "REQUESTER_CANNOT_DECIDE" }],
    });
  });

  it("one person in two groups: is one person, whatever is asked of the groups", async () => {
    await putInForce(api, asking({ approvers: 1, finance: 1 }));
    const action = await propose(await api.token("agent"));
    const both = await somebody("both", ["approvers", "finance"]);
    expect(await approve(action, both)).toMatchObject({ action: { status: "PENDING" }, userErrors: [] });
    expect(await approve(action, both)).toMatchObject({ userErrors: [{ code: "ALREADY_VOTED" }] });
    expect(await approve(action, await somebody("one", ["finance"]))).toMatchObject({ action: { status: "APPROVED" } });
  });

  it("count jumping over the threshold: who is in three groups of which two are asked counts once, and one more is enough", async () => {
    await putInForce(api, asking({ approvers: 1, finance: 1, legal: 1 }));
    const action = await propose(await api.token("agent"));
    const groups = ["approvers", "finance", "legal"];
    const statuses: (string | undefined)[] = [];
    for (const name of ["x", "y", "z"]) {
      const { action: after } = await approve(action, await somebody(name, groups));
      statuses.push(after?.status);
    }
    expect(statuses).toEqual(["PENDING", "PENDING", "APPROVED"]);
  });

  it("concurrent decisions: none is lost, and none too many is recorded", async () => {
    await putInForce(api, asking({ approvers: 2 }));
    const agent = await api.token("agent");
    const people = await Promise.all(Array.from({ length: 8 }, (_, n) => somebody(`c${n}`, ["approvers"])));
    for (let round = 0; round < 5; round += 1) {
      const action = await propose(agent);
      const all = await Promise.all(people.map((token) => approve(action, token)));
      const done = all.filter(({ userErrors }) => userErrors.length === 0);
      expect(done.map(({ action: after }) => after?.status).sort()).toEqual(["APPROVED", "PENDING"]);
      const refused = new Set(all.flatMap(({ userErrors }) => userErrors.map(({ code }) => code)));
      expect([...refused].filter((code) => code !== "NOT_PENDING" && code !== "NOT_ELIGIBLE")).toEqual([]);
    }
  });

  it("an agent's token deciding on any path: approve, deny, several at once, revoke, whatever its roles and groups", async () => {
    const action = await propose(await api.token("agent"));
    const { id: actionId, digest } = action;
    const agents = [
      await api.token("agent", { roles: ["agent", "approver", "admin"] }),
      await api.sign({
        sub: "approver",
        kind: "HUMAN",
        name: "Ada",
        org: "acme",
        roles: ["admin", "approver", "break-glass"],
        groups: ["approvers"],
        act: { sub: "bot", name: "Bot", roles: ["admin", "approver", "break-glass"], groups: ["approvers"] },
      }),
    ];
    for (const [n, token] of agents.entries()) {
      // What an agent of somebody else cannot see does not exist for it.
      const code = n === 0 ? "AGENT_CANNOT_DECIDE" : "NOT_FOUND";
      expect((await approve(action, token)).userErrors).toMatchObject([{ code }]);
      const denied = await mutate(api, token, "denyAction", { actionId, digest, note: "no" });
      expect(denied.userErrors).toMatchObject([{ code }]);
      const several = await api.gql<{ decideActions: { results: readonly Payload[] } }>(
        "mutation($input:DecideActionsInput!){decideActions(input:$input){results{userErrors{code}}}}",
        { input: { decisions: [{ actionId, digest, verdict: "APPROVE" }] } },
        { token },
      );
      expect(several.data.decideActions.results).toMatchObject([{ userErrors: [{ code }] }]);
      const revoked = await mutate(api, token, "revokeApproval", { actionId, note: "n" });
      expect(revoked.userErrors.length).toBe(1);
    }
    const { data } = await api.gql<{ action: Action }>(
      "query($id:ID!){action(id:$id){status}}",
      { id: actionId },
      { as: "auditor" },
    );
    expect(data.action.status).toBe("PENDING");
  });

  it("single use across two servers: of many who spend one grant at once, one does", async () => {
    const other = await startApi(database.appUrl, { keyFile });
    try {
      await putInForce(api, asking({ approvers: 1 }));
      const agent = await api.token("agent");
      const action = await propose(agent);
      await approve(action, await api.token("approver"));
      const { grant } = await mutate(api, agent, "claimGrant", { actionId: action.id }, " grant{token}");
      const spend = (on: Api) => mutate(on, agent, "redeemGrant", { token: grant?.token, digest: action.digest });
      const all = await Promise.all(Array.from({ length: 16 }, (_, n) => spend(n % 2 === 0 ? api : other)));
      const spent = all.filter(({ userErrors }) => userErrors.length === 0);
      expect(spent).toMatchObject([{ action: { status: "EXECUTING" } }]);
      expect(new Set(all.flatMap(({ userErrors }) => userErrors.map(({ code }) => code)))).toEqual(
        new Set(["GRANT_SPENT"]),
      );
    } finally {
      await other.close();
    }
  });
});
