import type { Concern } from "../../ledger/concern.ts";
import type { Principal } from "../identity/principal.ts";

/** Roles that read everything of their organization. */
const ORGANIZATION_READERS: readonly string[] = ["approver", "auditor", "admin"];
/** Groups whose people policy asks. Where tokens map groups and no roles, belonging to one is what makes an approver. */
const ASKED_GROUPS: readonly string[] = ["approvers"];
/** A principal leads the team `blue` by the role `lead:blue`. */
const LEAD = "lead:";

/** Who reads. */
export interface Viewer {
  readonly principal: Principal;
  /** Ids of the principals in the teams the viewer leads; see `viewerFor`. */
  readonly teamMembers?: ReadonlySet<string> | undefined;
}

/** Who is in which team, as the directory has it now. */
export interface Teams {
  membersOf(organization: string, team: string): ReadonlySet<string>;
}

/** Whom an action or an entry concerns: who did it, and the person it was done for. */
export interface Concerned {
  readonly organization: string;
  readonly actorId: string | undefined;
  readonly onBehalfOfId: string | undefined;
}

/**
 * True for a principal who reads the organization's whole ledger: by a role, or, a person, by a group that policy asks. An
 * agent never does, whatever roles its token claims: it would read what other people told other agents.
 */
export function readsOrganization({ kind, roles, groups }: Principal): boolean {
  if (kind === "AGENT") return false;
  if (roles.some((role) => ORGANIZATION_READERS.includes(role))) return true;
  return kind === "HUMAN" && groups.some((group) => ASKED_GROUPS.includes(group));
}

/** The teams `principal` leads. Only a person leads: an agent or a service with such a role leads nobody. */
export function teamsLedBy({ kind, roles }: Pick<Principal, "kind" | "roles">): readonly string[] {
  if (kind !== "HUMAN") return [];
  return roles
    .filter((role) => role.startsWith(LEAD) && role.length > LEAD.length)
    .map((role) => role.slice(LEAD.length));
}

/** `principal` as a viewer, with the members of the teams it leads as they are now. */
export function viewerFor(principal: Principal, teams: Teams | undefined): Viewer {
  if (teams === undefined) return { principal };
  const [first, ...more] = teamsLedBy(principal).map((team) => teams.membersOf(principal.organization, team));
  if (first === undefined) return { principal };
  // Asked for with every record that is looked at: a large team is not copied each time.
  return { principal, teamMembers: more.length === 0 ? first : new Set([first, ...more].flatMap((ids) => [...ids])) };
}

/**
 * Whether `viewer` may read what concerns `concerned`: an agent what it did itself for the same person, a person what
 * they or their agents did, the lead of a team also what its members or agents for them did, a reader of the organization
 * all of it, and nobody anything of another organization.
 */
export function mayRead({ principal, teamMembers }: Viewer, concerned: Concerned): boolean {
  const { organization, actorId, onBehalfOfId } = concerned;
  if (principal.organization !== organization) return false;
  if (readsOrganization(principal)) return true;
  // One agent account serves many people: what it did for one of them is not the others' to read.
  if (actorId === principal.id && onBehalfOfId === principal.onBehalfOf?.id) return true;
  if (principal.kind === "AGENT") return false;
  if (onBehalfOfId === principal.id) return true;
  // What an agent did is the work of the person it did it for, whatever teams the agent is in.
  const whose = onBehalfOfId ?? actorId;
  return principal.kind === "HUMAN" && whose !== undefined && teamMembers?.has(whose) === true;
}

/**
 * The same as `mayRead` as conditions for the database, within the viewer's organization: a record is the viewer's to
 * read when it meets one of them. "everything" for a reader of the organization.
 */
export function concernsOf({ principal, teamMembers }: Viewer): "everything" | readonly Concern[] {
  if (readsOrganization(principal)) return "everything";
  const own: Concern = {
    actorIds: [principal.id],
    people: [principal.onBehalfOf?.id ?? null],
  };
  if (principal.kind === "AGENT") return [own];
  const team = principal.kind === "HUMAN" ? [...(teamMembers ?? [])] : [];
  const theirs: readonly Concern[] = team.length === 0 ? [] : [{ actorIds: team, people: [null] }];
  return [own, { people: [principal.id, ...team] }, ...theirs];
}
