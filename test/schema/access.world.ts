import type { JWTPayload } from "jose";
import type { Api } from "../http/harness.ts";
import { AREAS, type AreaName, type Doer, type TracedArea } from "./access.areas.ts";
import type { Relation, Traces } from "./access-reach.ts";

/** Whoever the schema is walked as, in the order of the table's columns. */
export const ROLES = [
  "anonymous",
  "agent",
  "agent claiming every role",
  "service",
  "member",
  "lead",
  "approver",
  "approver by group",
  "auditor",
  "admin",
  "limited",
  "outsider",
] as const;
export type Role = (typeof ROLES)[number];

export interface World {
  /** Undefined for a caller without a token. */
  token(role: Role): string | undefined;
  /** What there is, as seen from `role`; fewer relations for a role that has no such people. */
  traces(role: Role): ReadonlyMap<Relation, Traces>;
}

/** Roles of somebody who sees everything. */
const ALL_SEEING = ["approver", "auditor", "admin", "lead:blue"];
const EVERY_ROLE = ["member", "agent", "approver", "auditor", "admin", "lead:blue"];

const person = (id: string, roles: readonly string[], org = "acme"): JWTPayload => ({
  sub: id,
  org,
  kind: "HUMAN",
  name: id,
  email: `${id}@${org}.example`,
  roles: [...roles],
  groups: [],
});
const acting = (agent: string, subject: JWTPayload, roles: readonly string[] = ["agent"]): JWTPayload => ({
  ...subject,
  act: { sub: agent, name: agent, roles: [...roles], groups: [] },
});

const PEOPLE = {
  member: { ...person("member", ["member"]), groups: ["blue"] },
  lead: { ...person("lead", ["member", "lead:blue"]), groups: ["blue"] },
  approver: { ...person("approver", ["approver"]), groups: ["approvers"] },
  asked: { ...person("asked", ["member"]), groups: ["approvers"] },
  auditor: person("auditor", ["auditor"]),
  admin: person("admin", ["admin"]),
  limited: { ...person("limited", ALL_SEEING), groups: ["approvers"] },
  mate: { ...person("mate", ["member"]), groups: ["blue"] },
  other: person("other", ["member"]),
  outsider: { ...person("outsider", ALL_SEEING, "globex"), groups: ["approvers"] },
  // A team of another organization may have the same name.
  stranger: { ...person("stranger", ["member"], "globex"), groups: ["blue"] },
} as const satisfies Record<string, JWTPayload>;

const CALLERS: Readonly<Record<Exclude<Role, "anonymous">, JWTPayload>> = {
  agent: acting("agent", PEOPLE.member),
  "agent claiming every role": acting("agent-2", PEOPLE.member, EVERY_ROLE),
  service: { ...person("robot", ["member"]), kind: "SERVICE" },
  member: PEOPLE.member,
  lead: PEOPLE.lead,
  approver: PEOPLE.approver,
  "approver by group": PEOPLE.asked,
  auditor: PEOPLE.auditor,
  admin: PEOPLE.admin,
  limited: { ...PEOPLE.limited, roles: [...ALL_SEEING, "region:us"] },
  outsider: PEOPLE.outsider,
};
/** Who left traces before their roles limited them to another region. */
const BEFORE: Partial<typeof CALLERS> = { limited: PEOPLE.limited };

async function leaveTraces(api: Api, claims: JWTPayload): Promise<Traces> {
  const id = String((claims.act as JWTPayload | undefined)?.sub ?? claims.sub);
  const doer: Doer = {
    api,
    id,
    token: await api.sign(claims),
    administrator: () => api.sign(person("administrator", ["admin"], String(claims.org))),
  };
  const areas = {} as Record<AreaName, Awaited<ReturnType<TracedArea["leave"]>>>;
  // In the order they stand there: one may need what another left.
  for (const [name, area] of Object.entries(AREAS) as [AreaName, TracedArea][]) areas[name] = await area.leave(doer);
  return { doer: id, areas };
}

/** Everybody does something once, and the same agent does it for each person. */
export async function seedWorld(api: Api): Promise<World> {
  const tokens = new Map<Role, string>();
  const own = new Map<Role, ReadonlyMap<Relation, Traces>>();
  const [mate, other, outsider, stranger] = await Promise.all(
    [PEOPLE.mate, PEOPLE.other, PEOPLE.outsider, PEOPLE.stranger].map((claims) => leaveTraces(api, claims)),
  );
  if (mate === undefined || other === undefined || outsider === undefined || stranger === undefined) throw new Error();
  const inAcme = [
    ["team mate", mate],
    ["other", other],
    ["other organization", outsider],
  ] as const;
  const inGlobex = [
    ["other", stranger],
    ["other organization", other],
  ] as const;
  own.set("anonymous", new Map(inAcme));
  for (const [role, now] of Object.entries(CALLERS) as [Exclude<Role, "anonymous">, JWTPayload][]) {
    tokens.set(role, await api.sign(now));
    const claims = BEFORE[role] ?? now;
    const self = role === "outsider" ? outsider : await leaveTraces(api, claims);
    const agents: [Relation, Traces][] =
      claims.kind === "HUMAN" && claims.act === undefined
        ? [["own agent", await leaveTraces(api, acting("shared-agent", claims))]]
        : [];
    own.set(role, new Map([["self", self], ...agents, ...(claims.org === "globex" ? inGlobex : inAcme)]));
  }
  // What an agent of everybody did last, it did for somebody none of the others may know of.
  await leaveTraces(api, acting("shared-agent", PEOPLE.other));
  return {
    token: (role) => tokens.get(role),
    traces: (role) => own.get(role) ?? new Map(),
  };
}
