import type { JWTPayload } from "jose";
import { beforeAll, expect, it } from "vitest";
import { connect } from "../http/client.ts";
import { serveApi } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";
import { act } from "./steps.ts";

const { api } = serveApi();

/** What only the document says, and what is shown of its differences. */
const SECRET = "certificates beyond 4711";
const DOCUMENT = fourEyes(4711).replace("Large certificates need two people.", `Two people look at ${SECRET}.`);

const person = (sub: string, groups: readonly string[], roles: readonly string[] = ["member"]): JWTPayload => ({
  sub,
  org: "acme",
  kind: "HUMAN",
  email: `${sub}@acme.example`,
  roles: [...roles],
  groups: [...groups],
});

interface Published {
  readonly version: { readonly id: string };
  readonly action: { readonly id: string };
}
let published: Published;
let entry: string;

beforeAll(async () => {
  await putInForce(api, fourEyes(300));
  const { data } = await api.gql<{ publishPolicy: Published }>(
    "mutation($input:PublishPolicyInput!){publishPolicy(input:$input){version{id} action{id}}}",
    { input: { document: DOCUMENT, note: "limits" } },
    { token: await api.sign(person("paula", ["board"], ["admin"])) },
  );
  published = data.publishPolicy;
  const about = "query($id:ID!){action(id:$id){entries{id body}}}";
  const read = await api.gql<{ action: { entries: { id: string }[] } }>(
    about,
    { id: published.action.id },
    { as: "admin2" },
  );
  expect(JSON.stringify(read.data)).toContain(SECRET);
  entry = read.data.action.entries[0]!.id;
});

const QUERY = `query($action:ID!,$version:ID!,$entry:ID!){
  action(id:$action){id rendered}
  byAction:node(id:$action){id} byVersion:node(id:$version){id} byEntry:node(id:$entry){id}
  actions{nodes{id}}
  pending:actions(status:[PENDING]){nodes{id}}
  pendingApprovals{nodes{id}}
  auditEntries{nodes{id type body}}
  about:auditEntries(filter:{actionId:$action}){nodes{id}}
  published:auditEntries(filter:{types:["POLICY_PUBLISHED"]}){nodes{id}}
  found:auditEntries(filter:{text:"4711"}){nodes{id}}}`;
const none = { nodes: [] };
const NOTHING = {
  action: null,
  byAction: null,
  byVersion: null,
  byEntry: null,
  actions: none,
  pending: none,
  pendingApprovals: none,
  auditEntries: none,
  about: none,
  published: none,
  found: none,
};

async function readAs(token: string) {
  const ids = { action: published.action.id, version: published.version.id, entry };
  const { data, errors } = await api.gql<typeof NOTHING>(QUERY, ids, { token });
  expect(errors).toBeUndefined();
  return data;
}

it("somebody in a group called admin, without the role, reads nothing of a publication", async () => {
  expect(await readAs(await api.sign(person("namesake", ["admin"])))).toEqual(NOTHING);
});

it("somebody in a group called admin, without the role, follows nothing of a publication", async () => {
  const client = await connect(api.wsUrl, await api.sign(person("follower", ["admin"])));
  const query = 'subscription{auditEntries(after:"0"){entry{type actor{id}}}}';
  client.send({ type: "subscribe", id: "1", payload: { query } });
  // Something of their own comes after all that was recorded before.
  const proposed = await api.gql(
    `mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id}}}`,
    { input: { idempotencyKey: crypto.randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} } },
    { token: await api.sign(person("follower", ["admin"])) },
  );
  expect(proposed.errors).toBeUndefined();
  const first = await client.next(({ type }) => type === "next" || type === "error");
  expect(JSON.stringify(first)).toContain('"follower"');
  client.socket.close();
  await client.closed;
});

it("somebody to whom a right in a group of that name was lent reads nothing of it", async () => {
  const lender = await api.sign(person("lender", ["admin"]));
  const delegate = await api.sign(person("delegate", []));
  // Somebody whom the ledger has seen.
  await act(api, "startSession", {}, { token: delegate }, "userErrors{code}");
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  const input = { group: "admin", toPrincipalId: "delegate", endsAt, note: "away" };
  expect(await act(api, "delegateApprovals", input, { token: lender }, "userErrors{code}")).toEqual({ userErrors: [] });
  const { auditEntries, ...seen } = await readAs(delegate);
  expect({ ...seen, auditEntries: none }).toEqual(NOTHING);
  expect(JSON.stringify(auditEntries)).not.toContain(SECRET);
});

it("the lead of the administrator's team reads the proposal, as all that members of the team did, and no version as such", async () => {
  const chair = await api.sign(person("chair", [], ["member", "lead:board"]));
  // Who is in a team is read from the ledger now and then.
  await waitUntil(async () => (await readAs(chair)).action !== null);
  const { id } = published.action;
  expect(await readAs(chair)).toMatchObject({ action: { id }, pendingApprovals: { nodes: [{ id }] }, byVersion: null });
});
