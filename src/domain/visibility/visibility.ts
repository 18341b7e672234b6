import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { listOf, objectOf } from "../../facts/members.ts";
import type { PersonScope, ReadScope } from "../../ledger/read-scope.ts";
import type { Principal } from "../identity/principal.ts";
import { mayUseRegion, regionOfLedger } from "./regions.ts";

/** Roles that read everything of their organization. */
const ORGANIZATION_READERS: readonly string[] = ["approver", "auditor", "admin"];
/** Groups that read it too. Where tokens map groups and no roles, belonging to one is what makes an approver. */
const READING_GROUPS: readonly string[] = ["approvers"];
/** A principal leads the team `blue` by the role `lead:blue`. */
const LEAD = "lead:";

/** The reader that visibility is computed for. */
export interface Viewer {
  readonly principal: Principal;
  /** Ids of the principals in the teams the viewer leads; see `viewerFor`. */
  readonly teamMembers?: ReadonlySet<string> | undefined;
  /** Groups for which the viewer may approve now, because a member lent them that right. */
  readonly lentGroups?: readonly string[] | undefined;
}

/** The current members of teams, and what they lent to others. */
export interface Teams {
  membersOf(organization: string, team: string): ReadonlySet<string>;
  lentGroups?(organization: string, principalId: string): readonly string[];
}

/** The people an action or an entry is about: who did it, for whom, and the groups that may have to approve it; and where it is recorded. */
export interface Subjects {
  readonly organization: string;
  readonly region: string;
  readonly actorId: string | undefined;
  readonly onBehalfOfId: string | undefined;
  /** Groups that its policy requirements name. */
  readonly askedGroups: readonly string[];
}

function idOf(value: LedgerEntry["body"][string] | undefined): string | undefined {
  const { id } = objectOf(value);
  return typeof id === "string" ? id : undefined;
}

/** The subjects of `entry` by its own members. Those of the action it is about are in the action's proposal. */
export function subjectsOf({ ledger, body }: LedgerEntry): Subjects {
  const groups = listOf(objectOf(body.policy).requirements).flatMap((requirement) => {
    const { group, role, escalation } = objectOf(requirement);
    // With `role`, `group` is the name of a role: a group of that name is another thing.
    return [...(role === undefined ? [group] : []), objectOf(escalation).group];
  });
  return {
    organization: ledger.slice(0, ledger.indexOf("/")),
    region: regionOfLedger(ledger),
    actorId: idOf(body.actor),
    onBehalfOfId: idOf(body.onBehalfOf),
    askedGroups: groups.filter((group) => typeof group === "string"),
  };
}

/** Whether `entry` records what `principal` did. Reading the result of one's own call is not recorded as an audit read. */
export function isOwn({ id, onBehalfOf }: Principal, entry: LedgerEntry): boolean {
  const { actorId, onBehalfOfId } = subjectsOf(entry);
  return actorId === id && onBehalfOfId === onBehalfOf?.id;
}

/**
 * Whether `principal` may read the organization's whole ledger: by a role, or for a person also by a group. Never for an
 * agent, whatever roles its token claims: it would read what other people wrote to other agents.
 */
export function readsOrganization({ kind, roles, groups }: Principal): boolean {
  if (kind === "AGENT") return false;
  if (roles.some((role) => ORGANIZATION_READERS.includes(role))) return true;
  return kind === "HUMAN" && groups.some((group) => READING_GROUPS.includes(group));
}

/**
 * Whether `principal` may read the whole directory, how their organization oversees its agents, and who decided how much. Never an agent,
 * whatever roles its token claims.
 */
export function oversees({ kind, roles }: Principal): boolean {
  return kind !== "AGENT" && (roles.includes("admin") || roles.includes("auditor"));
}

/** The teams `principal` leads. Only a person leads: an agent or a service with such a role leads nobody. */
export function teamsLedBy({ kind, roles }: Pick<Principal, "kind" | "roles">): readonly string[] {
  if (kind !== "HUMAN") return [];
  return roles
    .filter((role) => role.startsWith(LEAD) && role.length > LEAD.length)
    .map((role) => role.slice(LEAD.length));
}

/** `principal` as a viewer, with the members of the teams it leads, and the rights it was lent, as they are now. */
export function viewerFor(principal: Principal, teams: Teams | undefined): Viewer {
  if (teams === undefined) return { principal };
  const viewer = principal.kind === "HUMAN" ? lentTo(principal, teams) : { principal };
  const [first, ...more] = teamsLedBy(principal).map((team) => teams.membersOf(principal.organization, team));
  if (first === undefined) return viewer;
  // Called for every record that is checked: a large team must not be copied each time.
  return { ...viewer, teamMembers: more.length === 0 ? first : new Set([first, ...more].flatMap((ids) => [...ids])) };
}

function lentTo(principal: Principal, teams: Teams): Viewer {
  const lentGroups = teams.lentGroups?.(principal.organization, principal.id) ?? [];
  return lentGroups.length === 0 ? { principal } : { principal, lentGroups };
}

/**
 * Whether `viewer` may read a record about `subjects`. An agent reads what it did itself for the same person; a person what
 * they or their agents did, and what their groups, or those they may approve for, may have to approve; the lead of a team also what its members or agents
 * for them did; a reader of the organization everything in it. Nobody reads another organization, or a region that their roles leave out.
 */
export function mayRead(viewer: Viewer, subjects: Subjects): boolean {
  const { principal, teamMembers } = viewer;
  const { organization, region, actorId, onBehalfOfId, askedGroups } = subjects;
  if (principal.organization !== organization || !mayUseRegion(principal, region)) return false;
  if (readsOrganization(principal)) return true;
  // One agent account serves many people: the others may not read what it did for one of them.
  if (actorId === principal.id && onBehalfOfId === principal.onBehalfOf?.id) return true;
  if (principal.kind === "AGENT") return false;
  if (onBehalfOfId === principal.id) return true;
  if (askedGroups.some((group) => groupsOf(viewer).includes(group))) return true;
  // What an agent did counts as done by the person it acted for, whatever teams the agent is in.
  const personId = onBehalfOfId ?? actorId;
  return principal.kind === "HUMAN" && personId !== undefined && teamMembers?.has(personId) === true;
}

/** Groups by which `principal` may read actions that name the group: none but a person's, because only people decide. */
function groupsOf({ principal: { kind, groups }, lentGroups = [] }: Viewer): readonly string[] {
  return kind === "HUMAN" ? [...groups, ...lentGroups] : [];
}

/**
 * `mayRead` as scopes for a query of `ledger`, of the viewer's organization: the viewer may read a record in any of them.
 * "everything" for a reader of the organization; none in a region that the viewer's roles leave out.
 */
export function scopesOf(viewer: Viewer, ledger: LedgerId): "everything" | readonly ReadScope[] {
  const personal = personScopesOf(viewer, ledger);
  const groups = groupsOf(viewer);
  if (personal === "everything" || personal.length === 0 || groups.length === 0) return personal;
  return [...personal, { askedGroups: groups }];
}

/** The same for records that no policy requirement names a group for, such as sessions. */
export function personScopesOf(
  { principal, teamMembers }: Viewer,
  ledger: LedgerId,
): "everything" | readonly PersonScope[] {
  if (!mayUseRegion(principal, regionOfLedger(ledger))) return [];
  if (readsOrganization(principal)) return "everything";
  const own: PersonScope = {
    actorIds: [principal.id],
    people: [principal.onBehalfOf?.id ?? null],
  };
  if (principal.kind === "AGENT") return [own];
  const team = principal.kind === "HUMAN" ? [...(teamMembers ?? [])] : [];
  const theirs: readonly PersonScope[] = team.length === 0 ? [] : [{ actorIds: team, people: [null] }];
  return [own, { people: [principal.id, ...team] }, ...theirs];
}
