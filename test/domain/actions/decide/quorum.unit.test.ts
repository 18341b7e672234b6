import { describe, expect, it } from "vitest";
import { isMet, tally } from "../../../../src/domain/actions/decide/quorum.ts";
import { agent, human } from "../../support.ts";

const needs = (...list: readonly (readonly [string, number])[]) =>
  list.map(([group, needed]) => ({ id: group, group, needed }));
const of = (id: string, ...groups: readonly string[]) => human(id, { groups });

describe("tally", () => {
  it("counts one human once, whatever groups they are in", () => {
    const both = needs(["legal", 1], ["finance", 1]);
    expect(tally(both, [of("a", "legal", "finance")])).toEqual([1, 0]);
    expect(isMet(both, [of("a", "legal", "finance")])).toBe(false);
    expect(isMet(both, [of("a", "legal", "finance"), of("b", "legal")])).toBe(true);
  });

  it("seats approvers so that the most requirements are met", () => {
    const three = needs(["a", 1], ["b", 1], ["c", 1]);
    expect(tally(three, [of("1", "a", "b"), of("2", "b", "c"), of("3", "b")])).toEqual([1, 1, 1]);
    expect(tally(three, [of("1", "a", "b", "c"), of("2", "a"), of("3", "a")])).toEqual([1, 1, 0]);
  });

  it("counts accounts and delegations of one person once", () => {
    const two = needs(["approvers", 2]);
    const person = of("p", "approvers");
    const account = { ...person, id: "p2" };
    const delegate = human("d", { groups: ["approvers"], onBehalfOf: person });
    expect(tally(two, [person, account, delegate])).toEqual([1]);
  });

  it("takes nobody's vote outside the groups, and is never met by nobody", () => {
    expect(tally(needs(["approvers", 1]), [of("x", "others"), agent])).toEqual([0]);
    expect(isMet(needs(["approvers", 1]), [])).toBe(false);
  });
});
