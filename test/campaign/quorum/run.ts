import { rm } from "node:fs/promises";
import { startOrganizations } from "../../faults/organizations.ts";
import { fourEyes } from "../../graphql/policy-documents.ts";
import { type App, startApp } from "../../support/app.ts";
import { makeDataDir } from "../../support/server.ts";
import { waitUntil } from "../../support/wait.ts";

export interface QuorumOptions {
  readonly databaseUrl: string;
  /** What decides and starts actions at the same time, half on each server. */
  readonly clients: number;
  /** Attempts of each client. */
  readonly tries: number;
  readonly actions: number;
}

export interface QuorumResult {
  /** Codes of refusals, and what succeeded, by how often. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What is wrong with an action afterwards. */
  readonly faults: readonly string[];
  readonly statuses: Readonly<Record<string, number>>;
  readonly verdict: string;
  /** Of the policy that they were proposed under, on the server that did not publish it. */
  readonly version: number;
}

/** People who approve; each has two accounts, one of them in the group twice over. */
const APPROVERS = 6;
const person = (name: string) => ({ email: `${name}@tenant.example`, email_verified: true });

interface Proposed {
  readonly id: string;
  readonly digest: string;
}

/** Two servers, on which people and an agent try to decide and to start the same actions, which need two people each. */
export async function runQuorum({ databaseUrl, clients, tries, actions }: QuorumOptions): Promise<QuorumResult> {
  const dataDir = await makeDataDir();
  const organizations = await startOrganizations(1, dataDir);
  const apps: App[] = [];
  try {
    const environment = { IDENTITY_FILE: organizations.identityFile };
    for (let at = 0; at < 2; at += 1) apps.push(await startApp({ databaseUrl, dataDir, environment }));
    const [first, second] = apps as [App, App];
    const organization = organizations.names[0] ?? "";
    const sign = (claims: object) => organizations.sign(organization, { ...claims });
    const agent = await organizations.token(organization);
    const version = await putInForce(first, second, sign, agent);
    const people = await Promise.all(
      Array.from({ length: APPROVERS * 2 }, (_, n) =>
        // Two accounts of one person have one address.
        sign({
          sub: `account-${n}`,
          ...person(`person-${n % APPROVERS}`),
          roles: ["approver"],
          groups: ["approvers", "finance"],
        }),
      ),
    );
    const requester = await sign({ sub: "mia", ...person("mia"), roles: ["admin"], groups: ["approvers"] });
    const pending = await Promise.all(Array.from({ length: actions }, (_, n) => propose(apps[n % 2]!, agent)));
    const outcomes: Record<string, number> = {};
    const note = (what: string) => {
      outcomes[what] = (outcomes[what] ?? 0) + 1;
    };
    await Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        const app = apps[client % 2]!;
        for (let at = 0; at < tries; at += 1) {
          const action = pending[(at * 7 + client * 13) % pending.length]!;
          const by = at % 10;
          // The agent decides on what it asked for, or starts it; the person behind it approves; all others approve.
          if (by === 0) note(`agent: ${await approve(app, agent, action)}`);
          else if (by === 1) note(`requester: ${await approve(app, requester, action)}`);
          else if (by < 4) note(`start: ${await start(app, agent, action)}`);
          else note(`approver: ${await approve(app, people[(at + client) % people.length]!, action)}`);
        }
      }),
    );
    // Whatever the clients left: each is approved and started.
    for (const action of pending) {
      for (const token of people) if ((await approve(first, token, action)) === "NOT_PENDING") break;
      await start(second, agent, action);
    }
    return {
      outcomes,
      version,
      ...(await examine(first, await organizations.token(organization, "auditor"), pending)),
    };
  } finally {
    for (const app of apps) await app.stop();
    await organizations.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

interface Payload {
  readonly action: { readonly id: string; readonly digest: string; readonly status: string } | null;
  readonly grant?: { readonly token: string } | null;
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}

async function mutate(app: App, token: string, field: string, input: object, more = ""): Promise<Payload> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const query = `mutation($input:${type}!){${field}(input:$input){action{id digest status}${more} userErrors{code message}}}`;
  const { data, errors } = await app.post<Record<string, Payload>>(query, { input }, token);
  const payload = data?.[field];
  if (payload === undefined) throw new Error(`${field}: ${JSON.stringify(errors)}`);
  return payload;
}

/** Publishes a policy on one server, and waits until the other evaluates it. Returns its version. */
async function putInForce(
  first: App,
  second: App,
  sign: (claims: object) => Promise<string>,
  agent: string,
): Promise<number> {
  const [admin, other] = await Promise.all(
    ["root", "zoe"].map((sub) => sign({ sub, ...person(sub), roles: ["admin"] })),
  );
  const { action, userErrors } = await mutate(first, admin!, "publishPolicy", {
    document: fourEyes(200),
    note: "two people",
  });
  if (action === null) throw new Error(JSON.stringify(userErrors));
  const approved = await mutate(first, other!, "approveAction", { actionId: action.id, digest: action.digest });
  if (approved.action?.status !== "SUCCEEDED") throw new Error(JSON.stringify(approved));
  let version = 0;
  await waitUntil(async () => {
    const input = { idempotencyKey: crypto.randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} };
    const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{policy{version}}}}";
    const { data } = await second.post<{ proposeAction: { action: { policy: { version: number } } } }>(
      query,
      { input },
      agent,
    );
    version = data?.proposeAction.action.policy.version ?? 0;
    return version === 2;
  });
  return version;
}

async function propose(app: App, agent: string): Promise<Proposed> {
  const input = {
    idempotencyKey: crypto.randomUUID(),
    platform: "crm",
    tool: "send_certificate",
    arguments: { amount: 500 },
    repeat: true,
  };
  const { action, userErrors } = await mutate(app, agent, "proposeAction", input);
  if (action === null) throw new Error(JSON.stringify(userErrors));
  return action;
}

/** The code of the refusal, or the status that it leads to. */
async function approve(app: App, token: string, { id, digest }: Proposed): Promise<string> {
  const { action, userErrors } = await mutate(app, token, "approveAction", { actionId: id, digest });
  return userErrors[0]?.code ?? action?.status ?? "nothing";
}

/** Collects a grant and spends it. */
async function start(app: App, agent: string, { id, digest }: Proposed): Promise<string> {
  const claimed = await mutate(app, agent, "claimGrant", { actionId: id }, " grant{token}");
  if (claimed.grant === null || claimed.grant === undefined) return claimed.userErrors[0]?.code ?? "nothing";
  const redeemed = await mutate(app, agent, "redeemGrant", { token: claimed.grant.token, digest });
  return redeemed.userErrors[0]?.code ?? redeemed.action?.status ?? "nothing";
}

interface Examined {
  readonly action: {
    readonly status: string;
    readonly decisions: readonly { readonly approver: { readonly email: string | null } }[];
    readonly entries: readonly { readonly type: string }[];
  };
}

/** Looks at every action: by whom it was approved, and how often it was started. */
async function examine(
  app: App,
  auditor: string,
  pending: readonly Proposed[],
): Promise<Pick<QuorumResult, "faults" | "statuses" | "verdict">> {
  const faults: string[] = [];
  const statuses: Record<string, number> = {};
  const query = "query($id:ID!){action(id:$id){status decisions{approver{email}} entries{type}}}";
  for (const { id } of pending) {
    const { data, errors } = await app.post<Examined>(query, { id }, auditor);
    if (data?.action === undefined) throw new Error(JSON.stringify(errors));
    const { status, decisions, entries } = data.action;
    statuses[status] = (statuses[status] ?? 0) + 1;
    const people = new Set(decisions.map(({ approver }) => approver.email));
    const times = (type: string) => entries.filter((entry) => entry.type === type).length;
    if (decisions.length !== 2 || people.size !== 2 || times("ACTION_APPROVED") !== 2) {
      faults.push(`${id} was approved by ${decisions.length} accounts of ${people.size} people`);
    }
    if (times("GRANT_REDEEMED") !== 1) faults.push(`${id} was started ${times("GRANT_REDEEMED")} times`);
  }
  const verified = await app.post<{ verifyLedger: { verdict: string } }>("{verifyLedger{verdict}}", {}, auditor);
  return { faults, statuses, verdict: verified.data?.verifyLedger.verdict ?? "" };
}
