import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import type { Api } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { act, propose, READ } from "./steps.ts";

const LEDGER = "acme/eu";
const { api, database } = serveApi();
let superuser: Client;
beforeAll(async () => {
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
});
afterAll(() => superuser?.end());

const FROM = new Date(Date.now() - 30 * 86_400_000).toISOString();
const TO = new Date(Date.now() + 30 * 86_400_000).toISOString();

interface Numbers {
  readonly proposals: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly medianSecondsToDecide: number | null;
  readonly decidedWithinFiveSeconds: number | null;
  readonly openedBeforeDeciding: number | null;
  readonly overrides: number;
  readonly breakGlass: number;
  readonly load: readonly object[];
  readonly unmatchedRules: readonly string[];
  readonly separationOfDuties: {
    readonly decisions: number;
    readonly violations: number;
    readonly exceptions: number;
    readonly query: string;
  };
  readonly asOf: readonly object[];
}

function ask(period: object, as: Parameters<Api["gql"]>[2] = { as: "auditor" }) {
  return api.gql<{ oversight: Numbers } | null>(
    `query($from:DateTime!,$to:DateTime!){oversight(from:$from,to:$to){proposals statuses medianSecondsToDecide
      decidedWithinFiveSeconds openedBeforeDeciding overrides breakGlass load{approverId decisions denials medianSecondsToDecide}
      unmatchedRules separationOfDuties{decisions violations exceptions query} asOf{ledger region seq}}}`,
    { from: FROM, to: TO, ...period },
    as,
  );
}

async function numbers(): Promise<Numbers> {
  const { data, errors } = await ask({});
  if (errors !== undefined || data === null) throw new Error(JSON.stringify(errors));
  return data.oversight;
}

/** What somebody with the rights of an auditor, and nothing else, counts with the query that was shown. */
async function byHand(query: string): Promise<object | undefined> {
  await superuser.query("SET ROLE oc_auditor");
  try {
    const { rows } = await superuser.query<Record<string, string>>(query);
    return rows[0] && Object.fromEntries(Object.entries(rows[0]).map(([name, count]) => [name, Number(count)]));
  } finally {
    await superuser.query("RESET ROLE");
  }
}

/** Appends with the server's login of the database, as nobody could through the API. */
async function appendDirectly(body: string): Promise<void> {
  const append = "SELECT refusal FROM oc_ledger_append($1, $2, '')";
  const { rows } = await api.services.pool.query<{ refusal: string | null }>(append, [LEDGER, body]);
  expect(rows).toEqual([{ refusal: null }]);
}

const TERMS = ["action", "platform", "tool", "effect", "region", "chain", "sourceChain", "digest"];
const PEOPLE: Readonly<Record<string, JsonObject>> = {
  approver: { id: "approver", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] },
  member: { id: "member", kind: "HUMAN", roles: ["member"], groups: [] },
  boss: { id: "boss", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] },
  agent: { id: "agent", kind: "AGENT", roles: ["agent"], groups: ["approvers"] },
};

/** The text of an approval, or a denial, of the action of the proposal `canonical`. `lender`: whose right it uses. */
function decided(
  canonical: string,
  who: string,
  version: number,
  { verdict = "APPROVE", lender }: { readonly verdict?: "APPROVE" | "DENY"; readonly lender?: string } = {},
): string {
  const { body } = JSON.parse(canonical) as { body: JsonObject };
  const status = verdict === "APPROVE" ? "PENDING" : "DENIED";
  const action = String(body.action);
  return canonicalize({
    ...Object.fromEntries(TERMS.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]]))),
    type: verdict === "APPROVE" ? "ACTION_APPROVED" : "ACTION_DENIED",
    id: randomUUID(),
    actor: PEOPLE[who],
    policyHash: (body.policy as JsonObject).hash,
    states: [{ kind: "ACTION", id: action, version, state: { status, approvals: version - 1 } }],
    decision: {
      verdict,
      channel: "API",
      ...(lender === undefined ? {} : { delegatedBy: { id: lender, group: "approvers" } }),
    },
  } as JsonObject);
}

/** The text of another proposal like `canonical`, with these requirements. */
function proposalLike(canonical: string, requirements: readonly JsonObject[]): string {
  const { body } = JSON.parse(canonical) as { body: JsonObject };
  const { signature: _signature, ...rest } = body;
  const action = randomUUID();
  const [state] = body.states as readonly JsonObject[];
  const policy = { ...(body.policy as JsonObject), requirements };
  return canonicalize({ ...rest, id: randomUUID(), action, policy, states: [{ ...state, id: action }] } as JsonObject);
}

/** Somebody of another organization, who may see everything there. */
const foreigner = async () => ({
  token: await api.sign({ sub: "eve", org: "globex", kind: "HUMAN", roles: ["auditor", "admin"], groups: [] }),
});

describe("oversight", () => {
  it("is nothing where nothing was recorded", async () => {
    const { data } = await ask({}, await foreigner());
    expect(data?.oversight).toMatchObject({
      proposals: { PERMIT: 0, REQUIRE: 0, FORBID: 0 },
      statuses: {},
      medianSecondsToDecide: null,
      decidedWithinFiveSeconds: null,
      openedBeforeDeciding: null,
      overrides: 0,
      breakGlass: 0,
      load: [],
      separationOfDuties: { decisions: 0, violations: 0, exceptions: 0 },
      asOf: [{ ledger: "globex/eu", region: "eu" }],
    });
  });

  it("counts proposals, decisions and who made them", async () => {
    expect((await numbers()).unmatchedRules).toEqual(["reads-permitted", "writes-one-approver"]);
    const [approved, denied] = [await propose(api), await propose(api)];
    await propose(api, READ);
    await propose(api, { tool: "nothing" });
    const on = ({ action }: typeof approved) => ({ actionId: action.id, digest: action.digest });
    await act(api, "approveAction", on(approved), "approver");
    await act(api, "revokeApproval", { actionId: approved.action.id, note: "No longer" }, "approver");
    await act(api, "denyAction", { ...on(denied), note: "No" }, "approver2");
    const counted = await numbers();
    expect(counted).toMatchObject({
      proposals: { PERMIT: 1, REQUIRE: 2, FORBID: 1 },
      statuses: { ALLOWED: 1, DENIED: 2, BLOCKED: 1 },
      overrides: 2,
      breakGlass: 0,
      load: [
        { approverId: "approver", decisions: 1, denials: 0 },
        { approverId: "approver2", decisions: 1, denials: 1 },
      ],
      unmatchedRules: [],
      separationOfDuties: { decisions: 2, violations: 0, exceptions: 0 },
    });
    expect(counted.medianSecondsToDecide).toBeGreaterThan(0);
    for (const share of [counted.decidedWithinFiveSeconds, counted.openedBeforeDeciding]) {
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
    }
    // Of another organization, of the time before and of the time after, nothing.
    const past = { from: new Date(Date.now() - 60 * 86_400_000).toISOString(), to: FROM };
    const future = { from: TO, to: new Date(Date.now() + 60 * 86_400_000).toISOString() };
    for (const { data } of [await ask({}, await foreigner()), await ask(past), await ask(future)]) {
      expect(data?.oversight).toMatchObject({ proposals: { REQUIRE: 0 }, separationOfDuties: { decisions: 0 } });
    }
  });

  it("is not changed by values that are gone", async () => {
    const before = await numbers();
    await superuser.query("SET session_replication_role = replica");
    await superuser.query("DELETE FROM oc_audit_payload WHERE ledger = $1", [LEDGER]);
    await superuser.query("SET session_replication_role = DEFAULT");
    const { asOf: _before, ...counted } = before;
    expect(await numbers()).toMatchObject(counted);
  });

  it.each<readonly [object, string]>([
    [{ from: TO, to: FROM }, "`from` must be before `to`."],
    [{ from: FROM, to: FROM }, "`from` must be before `to`."],
    [{ from: "0001-01-01T00:00:00Z", to: "9999-12-31T23:59:59Z" }, "must not be longer than 400 days"],
  ])("is refused for the period %j", async (period, message) => {
    const { errors } = await ask(period);
    expect(errors).toMatchObject([
      { message: expect.stringContaining(message), extensions: { code: "BAD_USER_INPUT" } },
    ]);
  });

  it("is for auditors and administrators, and for no agent", async () => {
    for (const as of ["agent", "member", "approver"] as const) {
      expect((await ask({}, { as })).errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
    }
    const person = { sub: "boss", org: "acme", kind: "HUMAN", roles: ["admin"], groups: [] };
    const token = await api.sign({ ...person, act: { sub: "bot", roles: ["admin", "auditor"], groups: [] } });
    expect((await ask({}, { token })).errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
    expect((await ask({}, { as: "admin" })).errors).toBeUndefined();
  });
});

describe("what was shown before it was decided", () => {
  it("is counted, and from when it was shown how fast it was decided", async () => {
    const { entry } = await propose(api);
    const text = decided(entry.canonical, "approver", 2);
    const { separationOfDuties, openedBeforeDeciding, decidedWithinFiveSeconds } = await numbers();
    const before = separationOfDuties.decisions;
    const long = new Date(Date.now() - 3_600_000).toISOString();
    const shown = (body: JsonObject) => ({ ...(body.decision as JsonObject), firstShownAt: long });
    const body = JSON.parse(text) as JsonObject;
    await appendDirectly(canonicalize({ ...body, decision: shown(body) } as JsonObject));
    const after = await numbers();
    const share = (all: number, of: number) => (all * of) / (before + 1);
    expect(after.openedBeforeDeciding).toBeCloseTo(share(openedBeforeDeciding ?? 0, before) + 1 / (before + 1), 9);
    expect(after.decidedWithinFiveSeconds).toBeCloseTo(share(decidedWithinFiveSeconds ?? 0, before), 9);
  });

  it("is what the approver was shown through the API", async () => {
    const opened = async () => {
      const { openedBeforeDeciding, separationOfDuties } = await numbers();
      return Math.round((openedBeforeDeciding ?? 0) * separationOfDuties.decisions);
    };
    const before = await opened();
    const { action } = await propose(api);
    await api.gql("query($id:ID!){action(id:$id){rendered}}", { id: action.id }, { as: "approver" });
    const shown = { text: "SELECT FROM oc_work.first_shown WHERE action = $1", values: [action.uuid] };
    await waitUntil(async () => (await superuser.query(shown)).rowCount === 1);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    const { action: unseen } = await propose(api);
    await act(api, "approveAction", { actionId: unseen.id, digest: unseen.digest }, "approver2");
    expect(await opened()).toBe(before + 1);
  });
});

describe("separation of duties", () => {
  /** `text` as that of somebody who approves alone. */
  const alone = (text: string) => canonicalize({ ...(JSON.parse(text) as JsonObject), type: "ACTION_BROKEN_GLASS" });

  /** What `change` adds to the counts, which are the same when they are counted by hand. */
  async function addedBy(change: () => Promise<void>): Promise<object> {
    const { separationOfDuties: before } = await numbers();
    await change();
    const { query, ...after } = (await numbers()).separationOfDuties;
    expect(await byHand(query)).toEqual(after);
    return {
      decisions: after.decisions - before.decisions,
      violations: after.violations - before.violations,
      exceptions: after.exceptions - before.exceptions,
    };
  }

  it.each<readonly [string, (canonical: string) => readonly string[], number, number, number]>([
    ["the approval of somebody else", (proposal) => [decided(proposal, "approver", 2)], 1, 0, 0],
    ["an agent that approves", (proposal) => [decided(proposal, "agent", 2)], 1, 1, 0],
    ["the person an agent acts for who approves", (proposal) => [decided(proposal, "member", 2)], 1, 1, 0],
    [
      "the person an agent acts for who denies",
      (proposal) => [decided(proposal, "member", 2, { verdict: "DENY" })],
      1,
      1,
      0,
    ],
    [
      "somebody who approves twice",
      (proposal) => [decided(proposal, "approver", 2), decided(proposal, "approver", 3)],
      2,
      1,
      0,
    ],
    [
      "somebody in the place of another one",
      (proposal) => [decided(proposal, "approver", 2, { lender: "boss" })],
      1,
      0,
      0,
    ],
    [
      "somebody in the place of who asked",
      (proposal) => [decided(proposal, "approver", 2, { lender: "member" })],
      1,
      1,
      0,
    ],
    [
      "two who use the right of one",
      (proposal) => [decided(proposal, "approver", 2, { lender: "boss" }), decided(proposal, "boss", 3)],
      2,
      1,
      0,
    ],
    ["somebody who breaks the glass", (proposal) => [alone(decided(proposal, "approver", 2))], 1, 0, 0],
    ["who asked, and breaks the glass", (proposal) => [alone(decided(proposal, "member", 2))], 1, 1, 0],
  ])("sees %s", async (_, entries, decisions, violations, exceptions) => {
    const { entry } = await propose(api);
    const added = await addedBy(async () => {
      for (const text of entries(entry.canonical)) await appendDirectly(text);
    });
    expect(added).toEqual({ decisions, violations, exceptions });
  });

  it.each<readonly [string, string, JsonObject, number, number]>([
    ["a person who may confirm", "member", { ownerConfirms: true }, 0, 1],
    ["an agent, whatever the person may", "agent", { ownerConfirms: true }, 1, 0],
    ["who asked, from the time on", "member", { requesterAfter: "2026-01-01T00:00:00.000000Z" }, 0, 1],
    ["who asked, before that time", "member", { requesterAfter: "2099-01-01T00:00:00.000000Z" }, 1, 0],
    ["who asked, at a time that is none", "member", { requesterAfter: "soon" }, 1, 0],
  ])("knows what the policy permits: %s", async (_, who, member, violations, exceptions) => {
    const { entry } = await propose(api);
    const requirement = { id: "any", group: "approvers", needed: 1, ...member };
    const proposal = proposalLike(entry.canonical, [requirement]);
    const added = await addedBy(async () => {
      await appendDirectly(proposal);
      await appendDirectly(decided(JSON.stringify({ body: JSON.parse(proposal) as JsonObject }), who, 2));
    });
    expect(added).toMatchObject({ decisions: 1, violations, exceptions });
  });

  it("counts how often somebody broke the glass", async () => {
    const { breakGlass } = await numbers();
    const { entry } = await propose(api);
    await appendDirectly(alone(decided(entry.canonical, "approver", 2)));
    expect((await numbers()).breakGlass).toBe(breakGlass + 1);
  });

  it("is counted up to the same position when more was recorded since", async () => {
    const { query, ...counted } = (await numbers()).separationOfDuties;
    const { action } = await propose(api);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    expect(await byHand(query)).toEqual(counted);
  });
});
