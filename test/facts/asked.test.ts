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

const BREAKER = { id: "ann", kind: "HUMAN", roles: ["break-glass"], groups: [] };

/** What is wrong with who breaks the glass for what `maker` proposed, or says afterwards whether ann was right to, as for `problems`. */
function glassProblems(type: "ACTION_BROKEN_GLASS" | "BREAK_GLASS_REVIEWED", one: (typeof cases)[number]) {
  const proposal = "maker" in one ? { actor: one.maker } : BY_AGENT;
  const requestedBy = {
    id: proposal.actor.id,
    ...("onBehalfOf" in proposal ? { onBehalfOf: proposal.onBehalfOf.id } : {}),
  };
  const isReview = type === "BREAK_GLASS_REVIEWED";
  const found = checkSequel({
    kind: isReview ? "GLASS" : "ACTION",
    body: { type, actor: one.actor, requestedBy } as unknown as JsonObject,
    recordedAt: "2026-01-01T00:00:00.000000Z",
    before: {},
    after: {},
    maker: (isReview ? { actor: BREAKER, requestedBy } : proposal) as unknown as JsonObject,
    votes: [],
  });
  return found.filter((problem) => /may not record|requestedBy/.test(problem));
}

describe("who may break the glass, and review it", () => {
  const all = cases.flatMap((one) => ("breaks" in one ? [[one.name, one] as const] : []));
  it.each(all)("%s", (_, one) => {
    expect(glassProblems("ACTION_BROKEN_GLASS", one).length === 0).toBe(one.breaks);
    expect(glassProblems("BREAK_GLASS_REVIEWED", one).length === 0).toBe(one.reviews);
  });
});

describe("who may decide, by what a requirement asks", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    expect(problems("ACTION_APPROVED", one).length === 0).toBe(one.approves);
    expect(problems("ACTION_DENIED", one).length === 0).toBe(one.denies);
  });
});
