import { describe, expect, it } from "vitest";
import { peopleBehind, sameCaller, sharePerson } from "../../../src/domain/identity/people.ts";
import { agent, approver, human, member } from "../support.ts";

describe("people", () => {
  it("are found through agents, and agents of agents", () => {
    const nested = { ...agent, id: "outer", onBehalfOf: agent };
    expect(peopleBehind(nested)).toEqual([member]);
    expect(sharePerson(nested, member)).toBe(true);
    expect(sharePerson(nested, approver)).toBe(false);
  });

  it.each(["  MEMBER@acme.example ", "member@acme.example.", "\uff4dember@\uff41cme.example"])(
    "are the same by an address that is only spelt otherwise: %j",
    (email) => {
      expect(sharePerson(human("m2", { email }), member)).toBe(true);
    },
  );

  it("are the same by an address in composed and in ASCII form", () => {
    const one = human("a", { email: "jos\u00e9@b\u00fccher.example" });
    expect(sharePerson(one, human("b", { email: "JOSE\u0301@xn--bcher-kva.example" }))).toBe(true);
    expect(sharePerson(one, human("b", { email: "jose@xn--bcher-kva.example" }))).toBe(false);
  });

  it("are the same by id or by address, and nobody is not the same as nobody", () => {
    const { email: _, ...unaddressed } = member;
    expect(sharePerson(unaddressed, member)).toBe(true);
    expect(sharePerson(human("m2", { email: "Member@ACME.example" }), member)).toBe(true);
    expect(sharePerson({ ...unaddressed, id: "a" }, { ...unaddressed, id: "b" })).toBe(false);
    const { onBehalfOf: __, ...alone } = agent;
    expect(sharePerson(alone, alone)).toBe(false);
  });
});

describe("sameCaller", () => {
  it("compares the account and everyone behind it", () => {
    expect(sameCaller(agent, { ...agent, roles: ["other"] })).toBe(true);
    expect(sameCaller(agent, { ...agent, onBehalfOf: approver })).toBe(false);
    const { onBehalfOf: _, ...alone } = agent;
    expect(sameCaller(agent, alone)).toBe(false);
    expect(sameCaller(agent, { ...agent, kind: "SERVICE" })).toBe(false);
  });
});
