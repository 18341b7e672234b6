import { describe, expect, it } from "vitest";
import { createTryPolicy, PolicyTooSlowError } from "../../../src/domain/policy/apart.ts";
import { compilePolicy } from "../../../src/domain/policy/compile.ts";
import { PolicyDocumentError } from "../../../src/domain/policy/document/problems.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import { situation } from "./situations.ts";

const BY = { organization: "acme", id: "admin" };
const withCondition = (...conditions: readonly string[]) =>
  JSON.stringify({
    policy: 1,
    catalog: {
      platforms: { vouchers: { region: "us" } },
      tools: [{ platform: "vouchers", name: "send", effect: "WRITE" }],
    },
    rules: conditions.map((when, at) => ({ id: `r${at}`, when, forbid: true, reason: "r" })),
  });

describe("a document that is tried", () => {
  it("is evaluated as one that is used", async () => {
    const document = withCondition(
      "number(args.amount) > 200.0",
      "args.nothing == 1",
      "now > timestamp('2026-01-01T00:00:00Z')",
    );
    const asked = [situation(), situation({ arguments: {}, person: undefined })].map((one) => ({ situation: one }));
    const { hash, verdicts } = await createTryPolicy()(BY, (run) => run({ document, asked }));
    const policy = compilePolicy(readPolicy(document));
    expect(hash).toBe(policy.hash);
    expect(verdicts).toEqual(asked.map((one) => policy.judge(one.situation)));
  });

  it("is refused with each problem's place", async () => {
    const trial = { document: withCondition("x", "y"), asked: [] };
    const error = await createTryPolicy()(BY, (run) => run(trial)).catch((refusal: unknown) => refusal);
    expect(error).toBeInstanceOf(PolicyDocumentError);
    expect((error as PolicyDocumentError).problems).toMatchObject([
      { path: "rules.0.when", line: 1 },
      { path: "rules.1.when", line: 1 },
    ]);
  });

  it("is given up when it takes too long, while the server goes on", async () => {
    const slow = `args.list.exists(x, ${Array.from({ length: 60 }, () => "x == 1.0").join(" || ")})`;
    const list = Array.from({ length: 1_000 }, (_, at) => at + 2);
    const asked = Array.from({ length: 1_000 }, () => ({ situation: situation({ arguments: { list } }) }));
    const document = withCondition(slow);
    const trying = createTryPolicy({ maxMs: 1_000 })(BY, (run) => run({ document, asked }));
    await expect(trying).rejects.toBeInstanceOf(PolicyTooSlowError);
  });

  it("is refused when its rules together could take long, however little each takes", async () => {
    const dear = `args.list.exists(x, ${Array.from({ length: 10 }, () => "x == 1.0").join(" || ")})`;
    const document = withCondition(...Array.from({ length: 300 }, () => dear));
    const error = await createTryPolicy()(BY, (run) => run({ document, asked: [] })).catch(
      (refusal: unknown) => refusal,
    );
    expect((error as PolicyDocumentError).problems).toMatchObject([
      { path: "rules", message: expect.stringMatching(/^have conditions of which \d+ parts may be evaluated/) },
    ]);
  });

  it("waits for others of its organization, and is refused when too many of one person wait", async () => {
    const tries = createTryPolicy();
    const trial = { document: withCondition("true"), asked: [] };
    const all = await Promise.allSettled(Array.from({ length: 6 }, () => tries(BY, (run) => run(trial))));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    expect(all.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "RATE_LIMITED" } });
  });
});
