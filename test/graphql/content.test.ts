import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { ACTION, type Proposed, propose } from "./steps.ts";

/** What readers are shown when stored values are not those that were recorded. */
let database: TestDatabase;
let api: Api;
let superuser: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
});

afterAll(async () => {
  await api.close();
  await superuser.end();
  await database.drop();
});

const SECRET = "planted";
const READ = `query($id: ID!, $seq: Sequence!) { action(id: $id) { ${ACTION} }
  auditEntry(seq: $seq) { actor { email } arguments body client { evidence } }
  pendingApprovals(first: 50) { nodes { id rendered } } }`;

interface Read {
  readonly action: Record<string, unknown>;
  readonly auditEntry: { readonly arguments: unknown; readonly actor: unknown; readonly body: Record<string, unknown> };
  readonly pendingApprovals: { readonly nodes: readonly { readonly id: string; readonly rendered: string }[] };
}

async function proposed(): Promise<Proposed> {
  return propose(api, { userRequest: "please", rationale: "because", arguments: { note: "recorded" } });
}

async function read({ action: { id }, entry: { seq } }: Proposed) {
  const { data, errors = [] } = await api.gql<Read>(READ, { id, seq }, { as: "approver" });
  return { data: data!, errors, text: JSON.stringify(data) };
}

const commitment = (problem: string) => ({ commit: expect.stringMatching(/^[0-9a-f]{64}$/), problem });

describe("stored values that were altered", () => {
  it("are shown nowhere; the reason is shown in their place", async () => {
    const made = await proposed();
    // Every value of the entry becomes another one.
    await superuser.query(
      `UPDATE oc_audit_payload SET payload = (SELECT json_object_agg(i.key, json_build_object('salt', i.value ->> 'salt', 'value',
         CASE WHEN i.key LIKE '%profile' THEN '{"email":"${SECRET}","displayName":"${SECRET}"}'
              WHEN json_typeof(i.value -> 'value') = 'object' THEN '{"note":"${SECRET}"}' ELSE '"${SECRET}"' END::json))
         FROM json_each(payload) i) WHERE seq = $1`,
      [made.entry.seq],
    );
    const { data, errors, text } = await read(made);
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain("[erased]");
    expect(data.action).toMatchObject({
      arguments: commitment("ALTERED"),
      userRequest: "[altered]",
      rationale: "[altered]",
      rendered: "[altered]",
      requestedBy: { id: "agent", onBehalfOf: { email: null } },
      client: { evidence: commitment("ALTERED") },
      viewerCanDecide: false,
      viewerBlockedBecause: ["LEDGER_CORRUPT"],
    });
    expect(data.auditEntry).toMatchObject({
      arguments: commitment("ALTERED"),
      body: { rendered: commitment("ALTERED"), actor: { profile: commitment("ALTERED") } },
    });
    expect(data.pendingApprovals.nodes).toContainEqual({ id: made.action.id, rendered: "[altered]" });
    expect([...new Set(errors.map(({ extensions }) => extensions?.code))]).toEqual(["LEDGER_CORRUPT"]);
    expect(errors.map(({ message }) => message)).toEqual(
      Array.from({ length: 2 }, () => expect.stringContaining("is not the one that was recorded")),
    );
  });

  it("are not found by what they were changed to, neither by words nor by a fragment nor by an address", async () => {
    const made = await proposed();
    await superuser.query(
      `UPDATE oc_audit_payload SET payload = replace(replace(payload::text, 'recorded', '${SECRET}'), '@acme', '@${SECRET}')::json
        WHERE seq = $1`,
      [made.entry.seq],
    );
    const search = async (filter: object) => {
      const query = "query($filter: AuditFilter) { auditEntries(filter: $filter, first: 50) { nodes { seq } } }";
      const { data, errors } = await api.gql<{ auditEntries: { nodes: { seq: string }[] } }>(
        query,
        { filter },
        { as: "auditor" },
      );
      expect(errors).toBeUndefined();
      return data!.auditEntries.nodes.map(({ seq }) => seq);
    };
    expect(await search({ text: SECRET })).toEqual([]);
    expect(await search({ contains: { note: SECRET } })).toEqual([]);
    expect(await search({ actorEmail: `member@${SECRET}.example` })).toEqual([]);
    // What was not changed is found as before.
    expect(await search({ text: "please" })).toContain(made.entry.seq);
  });
});

describe("stored values that are missing", () => {
  it("are not shown as erased, since nobody ordered that", async () => {
    const made = await proposed();
    await superuser.query("DELETE FROM oc_audit_payload WHERE seq = $1", [made.entry.seq]);
    const { data, text } = await read(made);
    expect(text).not.toContain("erased");
    expect(data.action).toMatchObject({
      arguments: commitment("MISSING"),
      userRequest: "[missing]",
      rendered: "[missing]",
      viewerCanDecide: false,
      viewerBlockedBecause: ["CONTENT_MISSING"],
    });
    expect(data.auditEntry.body).toMatchObject({ rendered: commitment("MISSING") });
  });
});

describe("an action that two people have to approve", () => {
  const decide = async (two: Api, action: Proposed["action"], as: "approver" | "approver2") => {
    const query = `mutation($input: ApproveActionInput!) { approveAction(input: $input) { action { status } entry { seq } userErrors { code } } }`;
    const input = { actionId: action.id, digest: action.digest };
    return two.gql<{ approveAction: { action: { status: string }; entry: { seq: string }; userErrors: [] } }>(
      query,
      { input },
      { as },
    );
  };

  it("is not approved after the address of the first was changed: it could show that both are one person", async () => {
    const other = await createTestDatabase();
    const two = await startApi(other.appUrl, { requirements: [{ id: "two", group: "approvers", needed: 2 }] });
    const hand = new Client({ connectionString: other.superuserUrl });
    await hand.connect();
    const { action } = await propose(two);
    const first = await decide(two, action, "approver");
    const alter = (from: string, to: string) =>
      hand.query("UPDATE oc_audit_payload SET payload = replace(payload::text, $2, $3)::json WHERE seq = $1", [
        first.data!.approveAction.entry.seq,
        from,
        to,
      ]);
    await alter("@acme", "@elsewhere");
    const refused = await decide(two, action, "approver2");
    expect(refused.errors?.map(({ extensions }) => extensions.code)).toEqual(["LEDGER_CORRUPT"]);
    const ready = await fetch(two.url.replace("/graphql", "/readyz"));
    expect(await ready.json()).toMatchObject({ ready: false, checks: { heads: false } });
    await alter("@elsewhere", "@acme");
    expect((await decide(two, action, "approver2")).data?.approveAction.action.status).toBe("APPROVED");
    await two.close();
    await hand.end();
    await other.drop();
  });
});
