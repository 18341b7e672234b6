import { describe, expect, it } from "vitest";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import { mayRead, readsOrganization } from "../../../src/domain/visibility/visibility.ts";
import { admin, agent, approver, auditor, human, member, outsider } from "../support.ts";

const other = human("other", { roles: ["member"] });
const { onBehalfOf: _, ...alone } = agent;
const service: Principal = { id: "robot", kind: "SERVICE", organization: "acme", roles: [], groups: [] };
const READER_ROLES = ["admin", "auditor", "approver"];

/** What `principal` did leaves this about whom it concerns. */
const by = ({ organization, id, onBehalfOf }: Principal) => ({
  organization,
  actorId: id,
  onBehalfOfId: onBehalfOf?.id,
});

describe("mayRead", () => {
  it.each<[who: string, principal: Principal, did: string, doer: Principal, may: boolean]>([
    ["an agent", agent, "it did for the same person", agent, true],
    ["an agent", { ...agent, onBehalfOf: other }, "the same account did for another person", agent, false],
    ["an agent for nobody", alone, "the same account did for somebody", agent, false],
    ["an agent for somebody", agent, "the same account did for nobody", alone, false],
    ["an agent for nobody", alone, "it did for nobody", alone, true],
    ["an agent", agent, "another agent did for the same person", { ...agent, id: "agent-2" }, false],
    ["an agent", agent, "the person did themselves", member, false],
    ["an agent with every role", { ...agent, id: "x", roles: READER_ROLES }, "another did", agent, false],
    ["a person", member, "their agent did", agent, true],
    ["a person", member, "they did", member, true],
    ["a person", other, "the agent of another did", agent, false],
    ["a person of the agent's name", human("agent"), "that agent did for another", agent, false],
    ["a service", service, "it did", service, true],
    ["a service", service, "an agent did", agent, false],
    ["an approver", approver, "anybody did", agent, true],
    ["an auditor", auditor, "anybody did", agent, true],
    ["an administrator", admin, "anybody did", agent, true],
    ["an approver elsewhere", { ...outsider, roles: READER_ROLES }, "anybody did", agent, false],
    ["the same names elsewhere", { ...agent, organization: "globex" }, "they did here", agent, false],
    ["nobody in particular", other, "nobody did", { ...service, id: "countersign" }, false],
  ])("%s: what %s %s: %s", (_who, principal, _did, doer, may) => {
    expect(mayRead(principal, by(doer))).toBe(may);
  });
});

describe("readsOrganization", () => {
  it.each(READER_ROLES)("is for people and services with the role %s, and never for an agent", (role) => {
    expect(readsOrganization(human("h", { roles: [role] }))).toBe(true);
    expect(readsOrganization({ ...service, roles: [role] })).toBe(true);
    expect(readsOrganization({ ...agent, roles: [role] })).toBe(false);
  });

  it("is for no other role", () => {
    expect(readsOrganization(human("h", { roles: ["member", "agent", "toString", "__proto__"] }))).toBe(false);
  });
});
