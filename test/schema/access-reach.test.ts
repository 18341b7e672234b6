import { describe, expect, it } from "vitest";
import { AREAS, type AreaName } from "./access.areas.ts";
import { checkFound, type Probe, type Relation, reachOf, type Traces } from "./access-reach.ts";

const tracesOf = (doer: string): Traces => {
  const names = Object.keys(AREAS) as AreaName[];
  const markOf = (area: AreaName) => (area === "principals" ? `"id":"${doer}"` : JSON.stringify(`${area} of ${doer}`));
  const traces = names.map((area) => [area, { marks: [markOf(area)], variables: {} }]);
  return { doer, areas: Object.fromEntries(traces) as Traces["areas"] };
};
const TRACES: ReadonlyMap<Relation, Traces> = new Map([
  ["self", tracesOf("mia")],
  ["other", tracesOf("leo")],
  ["other organization", tracesOf("eve")],
]);
const HEADS = { own: "a".repeat(64), others: ["b".repeat(64)] };
const reach = (probe: Probe, answer: unknown) => reachOf(probe, JSON.stringify(answer), TRACES, HEADS);

describe("reachOf", () => {
  const list: Probe = { how: "list", call: "things" };

  it("finds what an area left, and whose it is", () => {
    expect(reach(list, [])).toBe("none");
    expect(reach(list, [{ name: "sessions of mia" }])).toBe("own");
    expect(reach(list, [{ name: "sessions of mia" }, { name: "actions of leo" }])).toBe("organization");
    expect(reach(list, [{ name: "actions of mia" }, { name: "actions of eve" }])).toBe("self + other organization");
    expect(reach(list, [{ doneBy: { id: "leo" } }])).toBe("none");
    expect(reach({ ...list, about: "principals" }, [{ id: "leo" }])).toBe("other");
    expect(reach({ ...list, about: "actions" }, [{ name: "sessions of mia" }])).toBe("none");
  });

  it("does not take a probe of a whole at its word", () => {
    const own: Probe = { how: "whole", tells: "own", call: "viewer" };
    const organization: Probe = { how: "whole", tells: "organization", call: "ledger" };
    for (const nothing of [null, [], {}, { id: "leo" }, { hash: "b".repeat(64) }]) {
      for (const probe of [own, organization]) expect(() => reach(probe, nothing)).toThrow(/shows nothing/);
    }
    expect(reach(own, { id: "mia" })).toBe("own");
    expect(reach(organization, { head: { hash: `sha256:${HEADS.own}` } })).toBe("organization");
  });

  it("names whoever else a whole shows", () => {
    const whole: Probe = { how: "whole", tells: "organization", call: "ledger" };
    expect(reach(whole, [HEADS.own, "actions of leo"])).toBe("organization and other");
    expect(reach(whole, [HEADS.own, ...HEADS.others])).toBe("organization and other organization");
    expect(reach({ ...whole, tells: "own" }, [{ id: "mia" }, "sessions of eve"])).toBe("own and other organization");
  });
});

describe("checkFound", () => {
  it("wants something to be found by somebody", () => {
    const refusals = ["sign in", "forbidden"];
    expect(() => checkFound("query holds", ["sign in", "forbidden", "none", "none"], refusals)).toThrow(/query holds/);
    expect(() => checkFound("query holds", ["sign in", "forbidden", "own", "none"], refusals)).not.toThrow();
  });
});
