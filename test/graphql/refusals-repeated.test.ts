import { afterAll, beforeAll, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Acted, act, propose, READ } from "./steps.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

interface Refused {
  readonly type: string;
  readonly actor: { readonly id: string };
  readonly action: { readonly id: string } | null;
  readonly body: {
    readonly reason: string;
    readonly decision?: object;
    readonly refused?: { readonly from: string; readonly to: string; readonly times: number };
  };
}

async function refusedEntries(server: Api): Promise<readonly Refused[]> {
  const query =
    '{auditEntries(first:100,filter:{types:["DECISION_REFUSED","GRANT_REFUSED"]}){nodes{type actor{id} action{id} body}}}';
  const { data } = await server.gql<{ auditEntries: { nodes: Refused[] } }>(query, {}, { as: "auditor" });
  return data.auditEntries.nodes;
}

const TIMES = 40;

it("writes few entries for many refused attempts, counts them all, and refuses each to its caller", async () => {
  const { action } = await propose(api);
  const other = await propose(api);
  const digest = `sha256:${"0".repeat(64)}`;
  const select = "action{status} entry{type} userErrors{code}";
  const codes: string[] = [];
  const attempt = async (mutation: string, input: object, as: "approver" | "agent" | "member") => {
    const { userErrors } = await act<Acted>(api, mutation, input, as, select.replace("action{status} ", ""));
    codes.push(...userErrors.map(({ code }) => code));
  };
  for (let at = 0; at < TIMES; at++) {
    const decision = { actionId: action.id, digest, note: `attempt ${at}` };
    await Promise.all([
      attempt("approveAction", decision, "approver"),
      attempt("denyAction", decision, "approver"),
      attempt("approveAction", { ...decision, digest: action.digest }, "member"),
      attempt("redeemGrant", { token: `garbage ${at}`, digest }, "agent"),
    ]);
  }
  await attempt("approveAction", { actionId: other.action.id, digest }, "approver");
  const expected = ["DIGEST_MISMATCH", "DIGEST_MISMATCH", "REQUESTER_CANNOT_DECIDE", "GRANT_INVALID"];
  const count = (code: string) => codes.filter((one) => one === code).length;
  expect(codes).toHaveLength(4 * TIMES + 1);
  expect(count("DIGEST_MISMATCH")).toBe(2 * TIMES + 1);
  expect(new Set(codes)).toEqual(new Set(expected));
  // Five different ones, each of which a change of the minute may have split.
  const entries = await refusedEntries(api);
  expect(entries.length).toBeGreaterThanOrEqual(5);
  expect(entries.length).toBeLessThanOrEqual(15);

  // Stopping records what was counted.
  await api.close();
  api = await startApi(database.appUrl);
  const all = await refusedEntries(api);
  const times = (actor: string, id: string | undefined) =>
    all
      .filter((entry) => entry.actor.id === actor && entry.action?.id === id)
      .reduce((sum, { body }) => sum + (body.refused?.times ?? 1), 0);
  expect(times("approver", action.id)).toBe(2 * TIMES);
  expect(times("approver", other.action.id)).toBe(1);
  expect(times("member", action.id)).toBe(TIMES);
  expect(times("agent", undefined)).toBe(TIMES);
  const counted = all.filter(({ body }) => body.refused !== undefined);
  expect(counted.length).toBeGreaterThanOrEqual(4);
  for (const { body } of counted) {
    expect(Date.parse(body.refused!.from)).toBeLessThan(Date.parse(body.refused!.to));
    expect(body.decision ?? {}).not.toHaveProperty("note");
  }
  const verified = await api.gql("{verifyLedger{verdict problems{verdict}}}", {}, { as: "auditor" });
  expect(verified.data).toEqual({ verifyLedger: { verdict: "INTACT", problems: [] } });
});

it("records an attempt that was not refused before in full, with its own entry in the response", async () => {
  const { action } = await propose(api, READ);
  const input = { actionId: action.id, digest: action.digest };
  const first = await act<{ entry: object | null }>(api, "approveAction", input, "approver", "entry{type}");
  expect(first.entry).toEqual({ type: "DECISION_REFUSED" });
});
