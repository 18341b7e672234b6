import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_ACTIONS } from "../../src/domain/actions/input.ts";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type Api, startApi } from "../http/harness.ts";
import { action, proposeTogether, startTwoServers, type TwoServers, transactionsOf } from "./propose-together.ts";
import { act, type Refusal } from "./steps.ts";

let servers: TwoServers;
let api: Api;

beforeAll(async () => {
  servers = await startTwoServers();
  ({ api } = servers);
});

afterAll(() => servers.close());

interface Decided {
  readonly results: readonly {
    readonly action: { readonly id: string; readonly status: string } | null;
    readonly entry: { readonly seq: string; readonly type: string } | null;
    readonly userErrors: readonly Refusal[];
  }[];
  readonly userErrors: readonly Refusal[];
}

const SELECTION =
  "results{action{id status} entry{seq type} userErrors{code message path}} userErrors{code message path}";

const decide = (decisions: readonly object[], as: DemoName = "approver", on = api) =>
  act<Decided>(on, "decideActions", { decisions }, as, SELECTION);

/** Pending actions with their digests. */
async function pending(count: number) {
  const batch = await proposeTogether(
    api,
    Array.from({ length: count }, () => action()),
  );
  return batch.results.map((result) => ({ actionId: result.action!.id, digest: result.action!.digest }));
}

const approval = (one: object) => ({ ...one, verdict: "APPROVE" });
const denial = (one: object) => ({ ...one, verdict: "DENY", note: "not today" });
const codes = ({ results }: Decided) => results.map(({ userErrors }) => userErrors[0]?.code);
const statuses = ({ results }: Decided) => results.map((result) => result.action?.status);
const position = (result: Decided["results"][number]) => BigInt(result.entry?.seq ?? 0);

describe("decisions made together", () => {
  it("have a payload each, in order, and are recorded in one transaction", async () => {
    const [a, b, c] = await pending(3);
    const decided = await decide([approval(a!), denial(b!), approval(c!)]);
    expect(decided.userErrors).toEqual([]);
    expect(codes(decided)).toEqual([undefined, undefined, undefined]);
    expect(decided.results.map((result) => result.action?.id)).toEqual([a, b, c].map((one) => one!.actionId));
    expect(statuses(decided)).toEqual(["APPROVED", "DENIED", "APPROVED"]);
    const positions = decided.results.map(position);
    expect(positions).toEqual(positions.map((_, n) => positions[0]! + BigInt(n)));
    expect(await transactionsOf(api.services.pool, positions.map(String))).toBe(1);
  });

  it("are refused each by itself, as approveAction and denyAction would refuse it", async () => {
    const [a, b, c, d] = await pending(4);
    const foreign = Buffer.from("Action:globex/eu:x").toString("base64url");
    const decided = await decide([
      approval({ ...a, digest: b!.digest }),
      { ...b, verdict: "DENY" },
      { ...b, verdict: "DENY", note: " \n" },
      approval({ ...b, actionId: foreign }),
      approval({ ...c, note: "x".repeat(10_001) }),
      approval(d!),
    ]);
    expect(codes(decided)).toEqual([
      "DIGEST_MISMATCH",
      "INVALID_INPUT",
      "INVALID_INPUT",
      "NOT_FOUND",
      "INVALID_INPUT",
      undefined,
    ]);
    const path = (n: number, member: string) => ["input", "decisions", `${n}`, member];
    expect(decided.results.slice(0, 5).map(({ userErrors }) => userErrors[0]?.path)).toEqual([
      path(0, "digest"),
      path(1, "note"),
      path(2, "note"),
      path(3, "actionId"),
      path(4, "note"),
    ]);
    expect(decided.results[0]).toMatchObject({ action: { status: "PENDING" }, entry: { type: "DECISION_REFUSED" } });
    expect(statuses(decided).slice(1)).toEqual([undefined, undefined, undefined, undefined, "APPROVED"]);
  });

  it("on one action are made after each other", async () => {
    const [a, b] = await pending(2);
    const decided = await decide([approval(a!), approval(b!), approval(a!), denial(b!), denial(b!)]);
    expect(codes(decided)).toEqual([undefined, undefined, "NOT_PENDING", undefined, "NOT_PENDING"]);
    expect(statuses(decided)).toEqual(["APPROVED", "APPROVED", "APPROVED", "DENIED", "DENIED"]);
  });

  it("count one person once, who decides one action twice", async () => {
    const two = await startApi(servers.databaseUrl, { approvers: 2 });
    const proposed = await proposeTogether(two, [action()]);
    const { id: actionId, digest } = proposed.results[0]!.action!;
    const one = approval({ actionId, digest });
    const decided = await decide([one, one, one], "approver", two);
    expect(codes(decided)).toEqual([undefined, "ALREADY_VOTED", "ALREADY_VOTED"]);
    expect(statuses(decided)).toEqual(["PENDING", "PENDING", "PENDING"]);
    await two.close();
  });

  it.each([
    ["agent", "AGENT_CANNOT_DECIDE"],
    ["member", "REQUESTER_CANNOT_DECIDE"],
    ["auditor", "NOT_ELIGIBLE"],
    ["outsider", "NOT_FOUND"],
  ] as const)("are all refused to %s", async (as, code) => {
    const all = await pending(2);
    const decided = await decide([approval(all[0]!), denial(all[1]!)], as);
    expect(codes(decided)).toEqual([code, code]);
    expect(decided.results.map((result) => result.action === null)).toEqual(all.map(() => as === "outsider"));
  });

  it("may be none and 100, and more are refused before anything is decided", async () => {
    expect(await decide([])).toEqual({ results: [], userErrors: [] });
    const all = (await Promise.all([pending(MAX_ACTIONS), pending(1)])).flat();
    const refused = await decide(all.map(approval));
    expect(refused).toMatchObject({
      results: [],
      userErrors: [{ code: "INVALID_INPUT", path: ["input", "decisions"] }],
    });
    const decided = await decide(all.slice(1).map(approval));
    expect(new Set(statuses(decided))).toEqual(new Set(["APPROVED"]));
    expect(await transactionsOf(api.services.pool, decided.results.map(position).map(String))).toBe(1);
  });

  it("by two people on two servers at once count each once", async () => {
    const all = await pending(20);
    const [one, two] = await Promise.all([
      decide(all.map(approval)),
      decide(all.toReversed().map(denial), "approver2", servers.other),
    ]);
    for (const [n, result] of one.results.entries()) {
      const denied = two.results.at(-1 - n)!;
      expect(denied).toMatchObject({ action: { status: "DENIED" }, userErrors: [] });
      if (result.userErrors.length > 0) expect(result.userErrors[0]!.code).toBe("NOT_PENDING");
    }
  });

  it("cost what they would cost each by itself", async () => {
    const query = (count: number) =>
      api.gql(
        "mutation($decisions:[DecideActionInput!]!){decideActions(input:{decisions:$decisions}){results{action{entries{sources{sources{seq}}}}}}}",
        {
          decisions: Array.from({ length: count }, () =>
            approval({ actionId: "x", digest: `sha256:${"0".repeat(64)}` }),
          ),
        },
        { as: "approver" },
      );
    expect((await query(1)).errors).toBeUndefined();
    expect((await query(100)).errors?.[0]?.extensions.code).toBe("QUERY_TOO_COMPLEX");
  });
});
