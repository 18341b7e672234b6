import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readLines, verifyInPython } from "../clients/in-python.ts";
import { type Api, startApi } from "../http/harness.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { type Acted, act, propose } from "./steps.ts";

/** Escalation, lent rights and broken glass in the life of one action, which needs two approvers, or managers once it escalates. */
type Step = readonly [who: string, does: "approve" | "deny" | "break" | "review" | "end" | "start", answer?: string];

interface Life {
  readonly name: string;
  readonly before: readonly Step[];
  readonly escalated: readonly Step[];
  readonly status: string;
}

// Who is what: ann and abe are approvers, max is a manager, dan decides for ann and mel for max, fay breaks the glass. A number makes
// them other people. An answer is the code of a refusal, or one of several: whether an action is still seen depends on what a server has read.
const LIVES: readonly Life[] = [
  {
    name: "a delegate approves, and a manager once it escalates",
    before: [
      ["dan", "approve"],
      ["ann", "approve", "ALREADY_VOTED"],
      ["max", "approve", "NOT_ELIGIBLE"],
      ["mel", "approve", "NOT_ELIGIBLE"],
    ],
    escalated: [
      ["ann", "approve", "ALREADY_VOTED"],
      ["max", "approve"],
      ["mel", "approve", "NOT_PENDING"],
      ["bot", "start"],
    ],
    status: "EXECUTING",
  },
  {
    name: "the delegation is ended between the two approvals",
    before: [
      ["dan2", "approve"],
      ["ann2", "end"],
    ],
    escalated: [
      ["ann2", "approve", "ALREADY_VOTED"],
      ["max", "approve"],
      ["bot", "start"],
    ],
    status: "EXECUTING",
  },
  {
    name: "the delegation is ended before it is used",
    before: [
      ["ann3", "end"],
      ["abe", "approve"],
    ],
    escalated: [
      ["dan3", "approve", "NOT_FOUND|NOT_ELIGIBLE"],
      ["max", "approve"],
    ],
    status: "APPROVED",
  },
  {
    name: "a manager and their delegate count once, and an approver may still approve",
    before: [["max", "deny", "NOT_ELIGIBLE"]],
    escalated: [
      ["mel", "approve"],
      ["max", "approve", "ALREADY_VOTED"],
      ["ann", "approve"],
    ],
    status: "APPROVED",
  },
  {
    name: "the glass is broken after a delegate approved and it escalated, and others say whether that was right",
    before: [["dan", "approve"]],
    escalated: [
      ["fay", "break"],
      ["max", "approve", "NOT_PENDING"],
      ["fay", "review", "NOT_ALLOWED"],
      ["mia", "review", "NOT_ALLOWED"],
      ["abe", "review"],
      ["ann", "review", "ALREADY_REVIEWED"],
      ["bot", "start"],
    ],
    status: "EXECUTING",
  },
  {
    name: "what somebody broke the glass for is denied by a delegate until it is started",
    before: [["abe", "approve"]],
    escalated: [
      ["fay", "break"],
      ["dan", "deny"],
      ["fay", "break", "NOT_PENDING"],
      ["ann", "review"],
    ],
    status: "DENIED",
  },
  {
    name: "what was started after somebody broke the glass is not denied any more",
    before: [],
    escalated: [
      ["fay", "break"],
      ["bot", "start"],
      ["dan", "deny", "NOT_PENDING"],
      ["max", "deny", "NOT_PENDING"],
    ],
    status: "EXECUTING",
  },
  {
    name: "nobody breaks the glass for what a manager's delegate denied",
    before: [["dan", "approve"]],
    escalated: [
      ["mel", "deny"],
      ["fay", "break", "NOT_PENDING"],
      ["abe", "approve", "NOT_PENDING"],
    ],
    status: "DENIED",
  },
];

const LEDGER = "acme/eu";
const open: Api[] = [];
let database: TestDatabase;
let folder: string;
let api: Api;
const tokens = new Map<string, { readonly token: string }>();
const delegations = new Map<string, string>();
const actions = new Map<string, { readonly id: string; readonly digest: string }>();

const claimsOf = (id: string) => ({
  ...{ sub: id, org: "acme", kind: "HUMAN", name: id, email: `${id}@acme.example`, email_verified: true },
  roles: id.startsWith("fay") ? ["break-glass", "approver"] : ["member"],
  groups: /^(ann|abe)/.test(id) ? ["approvers"] : id.startsWith("max") ? ["managers"] : [],
});
const tokenOf = (id: string) => tokens.get(id) ?? { token: "" };
/** Who lends `id` which right. */
function lenderOf(id: string): { readonly id: string; readonly group: string } | undefined {
  if (id.startsWith("dan")) return { id: id.replace("dan", "ann"), group: "approvers" };
  return id.startsWith("mel") ? { id: id.replace("mel", "max"), group: "managers" } : undefined;
}

async function meet(server: Api, id: string): Promise<void> {
  const lender = lenderOf(id);
  if (lender !== undefined) await meet(server, lender.id);
  if (tokens.has(id)) return;
  const bot = { sub: "bot", name: "bot", roles: ["agent"], groups: [] };
  tokens.set(id, { token: await server.sign(id === "bot" ? { ...claimsOf("mia"), act: bot } : claimsOf(id)) });
  if (id === "bot") return;
  await act(server, "startSession", {}, tokenOf(id), "userErrors{code}");
  if (lender === undefined) return;
  const endsAt = new Date(Date.now() + 86_400_000).toISOString();
  const { delegation } = await act<{ delegation: { id: string } }>(
    ...[server, "delegateApprovals", { toPrincipalId: id, group: lender.group, endsAt }, tokenOf(lender.id)],
    "delegation{id} userErrors{code}",
  );
  delegations.set(lender.id, delegation.id);
}

/** The code of the first refusal; undefined: it was done. */
async function take([who, does]: Step, { id, digest }: { readonly id: string; readonly digest: string }) {
  const about = { actionId: id, digest };
  const inputs = {
    approve: ["approveAction", { ...about, note: "fine" }],
    deny: ["denyAction", { ...about, note: "no" }],
    break: ["breakGlass", { ...about, reason: "it burns" }],
    review: ["reviewBreakGlass", { actionId: id, justified: true, note: "it did" }],
    end: ["endDelegation", { delegationId: delegations.get(who) }],
    start: ["claimGrant", { actionId: id }],
  } as const;
  const [mutation, input] = inputs[does];
  const by = tokenOf(who);
  const selection = `${does === "start" ? "grant{token} " : ""}userErrors{code}`;
  const { grant, userErrors } = await act<Acted>(api, mutation, input, by, selection);
  if (does !== "start" || userErrors.length > 0) return userErrors[0]?.code;
  const redeemed = await act<Acted>(api, "redeemGrant", { token: grant?.token, digest }, by, "userErrors{code}");
  return redeemed.userErrors[0]?.code;
}

async function live(steps: readonly Step[], name: string): Promise<void> {
  const action = actions.get(name) ?? { id: "", digest: "" };
  for (const step of steps) {
    const [who, does, expected = "DONE"] = step;
    const answer = (await take(step, action)) ?? "DONE";
    expect([who, does, expected.split("|").includes(answer) ? expected : answer]).toEqual([who, does, expected]);
  }
}

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(path.join(tmpdir(), "countersign-combined-"));
  const keyFile = path.join(folder, "keys.json");
  const first = await startApi(database.appUrl, { keyFile });
  open.push(first);
  const begun = Date.now();
  const everybody = LIVES.flatMap(({ before, escalated }) => [...before, ...escalated].map(([who]) => who));
  for (const id of new Set(everybody)) await meet(first, id);
  // On a busy machine the steps before it take longer, as the calls until here did.
  const at = new Date(Date.now() + 2_000 + 3 * (Date.now() - begun));
  const escalation = { at: at.toISOString().replace("Z", "000Z"), group: "managers" };
  const requirements = [{ id: "r", group: "approvers", needed: 2, escalation }];
  api = await startApi(database.appUrl, { requirements, keyFile });
  open.push(api);
  for (const { name } of LIVES) actions.set(name, (await propose(api, {}, tokenOf("bot"))).action);
  for (const { name, before } of LIVES) await live(before, name);
  await waitUntil(async () => {
    const { rows } = await api.services.pool.query("SELECT clock_timestamp() > $1::timestamptz AS over", [at]);
    return rows[0]?.over === true;
  });
});

afterAll(async () => {
  await Promise.all(open.map((server) => server.close()));
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

describe("an action that escalates, about which rights were lent, and for which the glass may be broken", () => {
  it.each(LIVES)("$name", async ({ name, escalated, status }) => {
    await live(escalated, name);
    const query = "query($id:ID!){action(id:$id){status}}";
    const { data } = await api.gql(query, { id: actions.get(name)?.id }, { as: "auditor" });
    expect(data).toEqual({ action: { status } });
  });

  it("leaves a ledger that both verifiers find intact", async () => {
    expect(await verifyLedger(api.services.pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    const report = await verifyInPython(LEDGER, await readLines(database.superuserUrl, LEDGER));
    expect(report).toMatchObject({ verdict: "INTACT", problems: [] });
  });
});
