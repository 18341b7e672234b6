import type { LedgerEntry } from "../../facts/entry.ts";
import { listOf, objectOf } from "../../facts/members.ts";
import type { Concern, PersonalConcern } from "../../ledger/concern.ts";
import type { Principal } from "../identity/principal.ts";

/** Roles that read everything of their organization. */
const ORGANIZATION_READERS: readonly string[] = ["approver", "auditor", "admin"];
/** Groups that read it too. Where tokens map groups and no roles, belonging to one is what makes an approver. */
const READING_GROUPS: readonly string[] = ["approvers"];
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
  /** The groups whose people policy asked about it. */
  readonly askedGroups: readonly string[];
}

function idOf(value: LedgerEntry["body"][string] | undefined): string | undefined {
  const { id } = objectOf(value);
  return typeof id === "string" ? id : undefined;
}

/** Whom `entry` concerns by itself; what it says of an action is its proposal's to say. */
export function concernedBy({ ledger, body }: LedgerEntry): Concerned {
  const groups = listOf(objectOf(body.policy).requirements).map((requirement) => objectOf(requirement).group);
  return {
    organization: ledger.slice(0, ledger.indexOf("/")),
    actorId: idOf(body.actor),
    onBehalfOfId: idOf(body.onBehalfOf),
    askedGroups: groups.filter((group) => typeof group === "string"),
  };
}

/** Whether `principal` did what `entry` says. What became of one's own doing is an answer, and no audit log. */
export function isOwn({ id, onBehalfOf }: Principal, entry: LedgerEntry): boolean {
  const { actorId, onBehalfOfId } = concernedBy(entry);
  return actorId === id && onBehalfOfId === onBehalfOf?.id;
}

/**
 * True for a principal who reads the organization's whole ledger: by a role, or, a person, by a group that reads it. An
 * agent never does, whatever roles its token claims: it would read what other people told other agents.
 */
export function readsOrganization({ kind, roles, groups }: Principal): boolean {
  if (kind === "AGENT") return false;
  if (roles.some((role) => ORGANIZATION_READERS.includes(role))) return true;
  return kind === "HUMAN" && groups.some((group) => READING_GROUPS.includes(group));
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
 * they or their agents did and what people of a group of theirs are asked about, the lead of a team also what its members
 * or agents for them did, a reader of the organization all of it, and nobody anything of another organization.
 */
export function mayRead({ principal, teamMembers }: Viewer, concerned: Concerned): boolean {
  const { organization, actorId, onBehalfOfId, askedGroups } = concerned;
  if (principal.organization !== organization) return false;
  if (readsOrganization(principal)) return true;
  // One agent account serves many people: what it did for one of them is not the others' to read.
  if (actorId === principal.id && onBehalfOfId === principal.onBehalfOf?.id) return true;
  if (principal.kind === "AGENT") return false;
  if (onBehalfOfId === principal.id) return true;
  if (askedGroups.some((group) => groupsOf(principal).includes(group))) return true;
  // What an agent did is the work of the person it did it for, whatever teams the agent is in.
  const whose = onBehalfOfId ?? actorId;
  return principal.kind === "HUMAN" && whose !== undefined && teamMembers?.has(whose) === true;
}

/** Groups that let `principal` read what their people are asked about: those of a person, for only people decide. */
function groupsOf({ kind, groups }: Principal): readonly string[] {
  return kind === "HUMAN" ? groups : [];
}

/**
 * The same as `mayRead` as conditions for the database, within the viewer's organization: a record is the viewer's to
 * read when it meets one of them. "everything" for a reader of the organization.
 */
export function concernsOf(viewer: Viewer): "everything" | readonly Concern[] {
  const personal = personalConcernsOf(viewer);
  const groups = groupsOf(viewer.principal);
  return personal === "everything" || groups.length === 0 ? personal : [...personal, { askedGroups: groups }];
}

/** The same for records that policy asks nobody about, such as sessions. */
export function personalConcernsOf({ principal, teamMembers }: Viewer): "everything" | readonly PersonalConcern[] {
  if (readsOrganization(principal)) return "everything";
  const own: PersonalConcern = {
    actorIds: [principal.id],
    people: [principal.onBehalfOf?.id ?? null],
  };
  if (principal.kind === "AGENT") return [own];
  const team = principal.kind === "HUMAN" ? [...(teamMembers ?? [])] : [];
  const theirs: readonly PersonalConcern[] = team.length === 0 ? [] : [{ actorIds: team, people: [null] }];
  return [own, { people: [principal.id, ...team] }, ...theirs];
}
