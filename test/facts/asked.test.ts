import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/facts/canonical.ts";
import { checkSequel } from "../../src/facts/check/sequel.ts";
import cases from "../vectors/approvals.json" with { type: "json" };

const BY_AGENT = { actor: { id: "agent", kind: "AGENT" }, onBehalfOf: { id: "member", kind: "HUMAN" } };

/**
 * What is wrong with a decision of `actor` about what `maker` proposed, or an agent for somebody where there is none, as far as it is
 * about who decides.
 */
function problems(type: string, one: (typeof cases)[number]): readonly string[] {
  const maker = {
    type: "ACTION_PROPOSED",
    ...("maker" in one ? { actor: one.maker } : BY_AGENT),
    policy: { requirements: [one.requirement] },
  };
  const body = { type, actor: one.actor, decision: one.decision } as unknown as JsonObject;
  const isYes = type === "ACTION_APPROVED";
  const found = checkSequel({
    kind: "ACTION",
    body,
    recordedAt: "2026-01-01T00:00:00.000000Z",
    before: { status: "PENDING", approvals: 0 },
    after: { status: isYes ? "APPROVED" : "DENIED", approvals: isYes ? 1 : 0 },
    maker: maker as unknown as JsonObject,
    votes: [],
  });
  return found.filter((problem) => /may not record|approvals needed/.test(problem));
}

describe("who may decide, by what a requirement asks", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    expect(problems("ACTION_APPROVED", one).length === 0).toBe(one.approves);
    expect(problems("ACTION_DENIED", one).length === 0).toBe(one.denies);
  });
});
