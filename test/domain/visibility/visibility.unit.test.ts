import { describe, expect, it } from "vitest";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import {
  mayRead,
  readsOrganization,
  type Subjects,
  scopesOf,
  type Teams,
  teamsLedBy,
  type Viewer,
  viewerFor,
} from "../../../src/domain/visibility/visibility.ts";
import { admin, agent, approver, auditor, human, member, outsider } from "../support.ts";

const other = human("other", { roles: ["member"] });
const { onBehalfOf: _, ...alone } = agent;
const service: Principal = { id: "robot", kind: "SERVICE", organization: "acme", roles: [], groups: [] };
const READER_ROLES = ["admin", "auditor", "approver"];
const lead = human("lead", { roles: ["member", "lead:blue"] });
const mate = human("mate", { roles: ["member"] });
const finance = human("finance", { roles: ["member"], groups: ["blue", "finance"] });
const asked = human("asked", { roles: ["member"], groups: ["blue", "approvers"] });
const blueAgent: Principal = { ...agent, id: "blue-agent", onBehalfOf: other };
const teams: Teams = {
  membersOf: (organization, team) =>
    new Set(organization === "acme" && team === "blue" ? ["member", "mate", "blue-agent"] : []),
};

/** The subjects of what `principal` did. */
const by = ({ organization, id, onBehalfOf }: Principal) => ({
  organization,
  region: "eu",
  actorId: id,
  onBehalfOfId: onBehalfOf?.id,
  askedGroups: ["finance", "legal"],
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
    ["a person in a group that reads everything", asked, "anybody did", agent, true],
    ["such a person elsewhere", { ...asked, organization: "globex" }, "anybody did", agent, false],
    ["a person in a group that is asked about it", finance, "anybody did", agent, true],
    ["such a person elsewhere", { ...finance, organization: "globex" }, "anybody did", agent, false],
    ["a person in another group", human("h", { groups: ["sales"] }), "anybody did", agent, false],
    ["an agent in a group that is asked", { ...agent, id: "x", groups: ["finance"] }, "another did", agent, false],
    ["a service in such a group", { ...service, groups: ["finance"] }, "anybody did", agent, false],
    ["an auditor", auditor, "anybody did", agent, true],
    ["an administrator", admin, "anybody did", agent, true],
    ["an approver elsewhere", { ...outsider, roles: READER_ROLES }, "anybody did", agent, false],
    ["the same names elsewhere", { ...agent, organization: "globex" }, "they did here", agent, false],
    ["nobody in particular", other, "nobody did", { ...service, id: "countersign" }, false],
    ["a lead", lead, "they did", lead, true],
    ["a lead", lead, "their agent did", { ...agent, onBehalfOf: lead }, true],
    ["a lead", lead, "a member did", mate, true],
    ["a lead", lead, "the agent of a member did", agent, true],
    ["a lead", lead, "an agent of the team did for somebody outside it", blueAgent, false],
    ["a lead", lead, "an agent of the team did for nobody", { ...service, id: "blue-agent", kind: "AGENT" }, true],
    ["a lead", lead, "somebody outside the team did", other, false],
    ["a lead", lead, "an agent did for somebody outside the team", { ...agent, onBehalfOf: other }, false],
    ["a lead", lead, "the server did", { ...service, id: "countersign" }, false],
    ["a lead of another team", { ...lead, roles: ["lead:red"] }, "a member did", mate, false],
    ["a lead of no team", { ...lead, roles: ["lead:"] }, "a member did", mate, false],
    ["an agent with the role of a lead", { ...agent, id: "x", roles: lead.roles }, "a member did", mate, false],
    ["a service with the role of a lead", { ...service, id: "x", roles: lead.roles }, "a member did", mate, false],
    ["a lead elsewhere", { ...lead, organization: "globex" }, "a member did", mate, false],
    ["a member of the team", mate, "another member did", member, false],
    ["an auditor of its region", { ...auditor, roles: ["auditor", "region:eu"] }, "anybody did", agent, true],
    [
      "an auditor of it and another",
      { ...auditor, roles: ["auditor", "region:us", "region:eu"] },
      "anybody did",
      agent,
      true,
    ],
    ["an auditor of another region", { ...auditor, roles: ["auditor", "region:us"] }, "anybody did", agent, false],
    ["an auditor of none", { ...auditor, roles: ["auditor", "region:"] }, "anybody did", agent, false],
    [
      "an auditor of one of a longer name",
      { ...auditor, roles: ["auditor", "region:eu-2"] },
      "anybody did",
      agent,
      false,
    ],
    ["a person of another region", { ...member, roles: ["region:us"] }, "they did", member, false],
    ["a person of another region who is asked", { ...finance, roles: ["region:us"] }, "anybody did", agent, false],
    ["a lead of another region", { ...lead, roles: ["lead:blue", "region:us"] }, "a member did", mate, false],
    ["an agent of another region", { ...agent, roles: ["region:us"] }, "it did for the same person", agent, false],
    [
      "an agent for somebody of another region",
      { ...agent, onBehalfOf: { ...member, roles: ["region:us"] } },
      "it did for the same person",
      agent,
      false,
    ],
  ])("%s: what %s %s: %s", (_who, principal, _did, doer, may) => {
    const viewer = viewerFor(principal, teams);
    expect(mayRead(viewer, by(doer))).toBe(may);
    expect(meets(viewer, by(doer))).toBe(may);
  });
});

/** Whether a query by `scopesOf` finds a record about these subjects. */
function meets(viewer: Viewer, { organization, region, actorId, onBehalfOfId, askedGroups }: Subjects): boolean {
  const scopes = scopesOf(viewer, `${viewer.principal.organization}/${region}`);
  if (organization !== viewer.principal.organization) return false;
  if (scopes === "everything") return true;
  return scopes.some((scope) => {
    if ("askedGroups" in scope) return scope.askedGroups.some((group) => askedGroups.includes(group));
    const { actorIds, people } = scope;
    return (
      (actorIds === undefined || (actorId !== undefined && actorIds.includes(actorId))) &&
      (people === undefined || people.some((person) => person === (onBehalfOfId ?? null)))
    );
  });
}

describe("a viewer", () => {
  it("has the members of all teams they lead, as they are now", () => {
    const leads = human("h", { roles: ["lead:blue", "lead:red", "auditor"] });
    expect(teamsLedBy(leads)).toEqual(["blue", "red"]);
    const now = new Map([["blue", ["a"]]]);
    const directory: Teams = { membersOf: (_organization, team) => new Set(now.get(team)) };
    expect(viewerFor(leads, directory).teamMembers).toEqual(new Set(["a"]));
    now.set("red", ["b"]);
    expect(viewerFor(leads, directory).teamMembers).toEqual(new Set(["a", "b"]));
  });

  it("of one team, however large, has it without a copy", () => {
    const members = new Set(["a"]);
    expect(viewerFor(human("h", { roles: ["lead:blue"] }), { membersOf: () => members }).teamMembers).toBe(members);
  });

  it("leads nobody where there is no directory, and nobody but a person leads", () => {
    expect(viewerFor(lead, undefined)).toEqual({ principal: lead });
    expect(teamsLedBy({ ...lead, kind: "AGENT" })).toEqual([]);
    expect(teamsLedBy({ ...lead, kind: "SERVICE" })).toEqual([]);
  });

  it("that is no person reads no team, even when team members are passed in", () => {
    const viewer = { principal: { ...agent, id: "x" }, teamMembers: new Set(["mate"]) };
    expect(mayRead(viewer, by(mate))).toBe(false);
    expect(meets(viewer, by(mate))).toBe(false);
  });
});

describe("readsOrganization", () => {
  it.each(READER_ROLES)("is for people and services with the role %s, and never for an agent", (role) => {
    expect(readsOrganization(human("h", { roles: [role] }))).toBe(true);
    expect(readsOrganization({ ...service, roles: [role] })).toBe(true);
    expect(readsOrganization({ ...agent, roles: [role] })).toBe(false);
  });

  it("is for people of the group approvers, and for nobody but people by a group", () => {
    expect(readsOrganization(human("h", { groups: ["approvers"] }))).toBe(true);
    expect(readsOrganization({ ...service, groups: ["approvers"] })).toBe(false);
    expect(readsOrganization({ ...agent, groups: ["approvers"] })).toBe(false);
    expect(readsOrganization(human("h", { groups: ["blue", "approver", "admin", "finance"] }))).toBe(false);
  });

  it("is for no other role", () => {
    expect(readsOrganization(human("h", { roles: ["member", "agent", "toString", "__proto__"] }))).toBe(false);
  });
});
