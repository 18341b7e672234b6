import { afterAll, beforeAll, expect, it } from "vitest";
import type { Policy } from "../../../src/domain/policy/evaluate.ts";
import type { Window } from "../../../src/domain/policy/windows/window.ts";
import { agent, calling, createWorld, policyOf, type World, write } from "../support.ts";

const POLICY = `
measures:
  - { name: amount, path: amount }
rules:
  - { id: all, when: 'tool.effect == "WRITE"', permit: true, reason: r }
  - { id: many, when: 'tool.effect == "WRITE" && count("1h") > 50000', forbid: true, reason: r }
  - { id: budget, when: 'tool.effect == "WRITE" && sum("24h", "amount") > 90.0', require: [{ group: approvers, needed: 1 }], reason: r }
  - { id: more, when: 'tool.effect == "WRITE" && sum("2d", "amount") > 100000.0', forbid: true, reason: r }
`;

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

/** `policy`, and how often anybody looked whose proposals one of its windows counts. */
function counting(policy: Policy) {
  let reads = 0;
  const seen = (window: Window): Window => ({
    ...window,
    get scope() {
      reads += 1;
      return window.scope;
    },
  });
  const counted: Policy = {
    ...policy,
    allWindows: policy.allWindows.map(seen),
    windows: (situation) => policy.windows(situation).map(seen),
  };
  return { counted, reads: () => reads };
}

it("looks at each proposal of a batch as often as at each of a small one, and counts those before it", async () => {
  const { counted, reads } = counting(await policyOf(POLICY));
  const { actions } = await world.process({}, counted);
  const lookups = async (count: number, id: string) => {
    const by = calling({ ...agent, organization: id, id });
    const before = reads();
    const inputs = Array.from({ length: count }, (_, n) => write({ arguments: { n, amount: 1 } }));
    const outcomes = await actions.proposeTogether(by, inputs);
    const allowed = outcomes.filter((one) => "action" in one && one.action?.state.status === "ALLOWED");
    return { each: (reads() - before) / count, allowed: allowed.length };
  };
  const few = await lookups(10, "few");
  const many = await lookups(100, "many");
  // Whoever would have sent more than 90 in a day asks.
  expect([few.allowed, many.allowed]).toEqual([10, 90]);
  expect(many.each).toBeLessThanOrEqual(few.each * 1.5);
});
