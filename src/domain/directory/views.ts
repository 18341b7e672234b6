import { type Queryable, readEntries } from "../../ledger/read.ts";
import type { Principal, PrincipalKind } from "../identity/principal.ts";
import { withListErrors } from "../ledger-errors.ts";
import { oversees, teamsLedBy } from "../visibility/visibility.ts";
import type { Organization } from "./organization.ts";
import type { Projections } from "./projections.ts";
import type { DirectoryRecord, PrincipalState } from "./record.ts";
import { byCodeUnits, lastSeenAt, latest, type Seen } from "./seen-principals.ts";
import { recordedProfile, snapshotOf } from "./snapshot.ts";

/** A principal as the directory has it now. */
export interface DirectoryPrincipal {
  readonly id: string;
  /** As last seen, or else as entered here; an erased profile leaves name and address away. */
  readonly principal: Principal;
  readonly status: "ACTIVE" | "SUSPENDED";
  /** Roles given here. */
  readonly roles: readonly string[];
  readonly ownerId?: string | undefined;
  readonly platforms?: readonly string[] | undefined;
  /** RFC 7638. */
  readonly keyThumbprint?: string | undefined;
  readonly gateway: boolean;
  /** RFC 3339. */
  readonly invitedAt?: string | undefined;
  readonly lastSeenAt?: string | undefined;
  readonly teams: readonly string[];
}

export interface PrincipalFilter {
  readonly kind?: PrincipalKind | undefined;
  readonly team?: string | undefined;
  readonly suspended?: boolean | undefined;
  /** Part of the id, the name or the address, in any case. */
  readonly text?: string | undefined;
}

export interface PrincipalPage {
  readonly principals: readonly DirectoryPrincipal[];
  readonly more: boolean;
  /** Where looking ended before a page was full: the next one begins behind this id. */
  readonly stoppedAt?: string | undefined;
}

/** A group of principals, with those who lead it. */
export interface Team {
  readonly name: string;
  readonly leadIds: readonly string[];
}

/** What a viewer may see of the directory. All of these throw LedgerUnavailableError. */
export interface Views {
  /** At most `limit` principals behind the id `after`, in order of the code units of their ids. */
  list(
    viewer: Principal,
    filter: PrincipalFilter,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<PrincipalPage>;
  /** Those of `ids` that there are, by id. */
  load(viewer: Principal, ids: readonly string[]): Promise<ReadonlyMap<string, DirectoryPrincipal>>;
  /**
   * The teams behind the name `after`, at most `MAX_TEAMS`, in order of the code units of their names: all of them, or
   * for those who do not read the whole directory the ones they belong to or lead.
   */
  teams(viewer: Principal, after?: string): Promise<readonly Team[]>;
}

/** Principals for which one page searches profiles at most, read by one query. */
const MAX_LOOKS = 1_000;
const BATCH = 100;
/** Maximum number of teams that are returned. */
export const MAX_TEAMS = 100;

export function createViews(projections: Projections, db: Queryable): Views {
  async function open(viewer: Principal): Promise<Organization> {
    const organization = await projections.open(viewer.organization);
    await projections.see(organization);
    return organization;
  }

  /** What is known of each, in the order given; one query for all of them. */
  async function describe(organization: Organization, ids: readonly string[]): Promise<DirectoryPrincipal[]> {
    const known = ids.map((id) => ({
      id,
      record: organization.principals.get(id),
      seen: organization.seen.get(id),
    }));
    const positions = known.flatMap(({ record, seen }) => [
      ...(record === undefined ? [] : [record.updatedSeq]),
      ...(seen === undefined ? [] : [latest(seen).seq]),
    ]);
    const entries = await withListErrors(readEntries(db, organization.ledger, [...new Set(positions)]));
    const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
    return known.flatMap(({ id, record, seen }) => {
      if (record === undefined && seen === undefined) return [];
      const entered = record && bySeq.get(record.updatedSeq);
      const sighted = seen && bySeq.get(latest(seen).seq);
      const profile = entered === undefined ? {} : recordedProfile(entered, id);
      const { kind = "HUMAN", roles = [] } = record?.state ?? {};
      const bare: Principal = {
        id,
        kind,
        organization: organization.name,
        roles,
        groups: [],
      };
      return [view({ ...((sighted && snapshotOf(sighted, id)) ?? bare), ...profile }, record, seen)];
    });
  }

  return {
    async list(viewer, filter, { after, limit }) {
      const organization = await open(viewer);
      const wanted = text(filter.text);
      const sees = seesIn(organization, viewer);
      const ids = candidates(organization, filter.team)
        .filter((id) => after === undefined || byCodeUnits(id, after) > 0)
        .filter((id) => sees(id) && meets(organization, id, filter));
      const found: DirectoryPrincipal[] = [];
      const size = wanted === "" ? limit + 1 : BATCH;
      for (let at = 0; at < ids.length; at += size) {
        if (at >= MAX_LOOKS) return { principals: found, more: true, stoppedAt: ids[at - 1] };
        const batch = await describe(organization, ids.slice(at, at + size));
        found.push(...batch.filter((one) => hasText(one, wanted)));
        if (found.length > limit) return { principals: found.slice(0, limit), more: true };
      }
      return { principals: found, more: false };
    },
    async load(viewer, ids) {
      const organization = await open(viewer);
      const sees = seesIn(organization, viewer);
      const found = await describe(organization, [...new Set(ids)].filter(sees));
      return new Map(found.map((one) => [one.id, one]));
    },
    async teams(viewer, after) {
      const organization = await open(viewer);
      const leads = leadsOf(organization);
      const all = oversees(viewer)
        ? [...new Set([...organization.seen.groups(), ...leads.keys()])]
        : [...new Set([...viewer.groups, ...teamsLedBy(viewer)])];
      const behind = all.filter((name) => after === undefined || byCodeUnits(name, after) > 0);
      const names = behind.sort(byCodeUnits).slice(0, MAX_TEAMS);
      return names.map((name) => ({
        name,
        leadIds: [...(leads.get(name) ?? [])].sort(byCodeUnits),
      }));
    },
  };
}

/**
 * Whom `viewer` may see: everybody, or themselves, whom they act for, the agents that are theirs or acted for them, the
 * members of teams they lead and the leads of those they belong to.
 */
function seesIn(organization: Organization, viewer: Principal): (id: string) => boolean {
  if (oversees(viewer)) return () => true;
  const ids = new Set([viewer.id, ...(viewer.onBehalfOf === undefined ? [] : [viewer.onBehalfOf.id])]);
  if (viewer.kind !== "AGENT") {
    for (const [id, { state }] of organization.principals) if (state.owner === viewer.id) ids.add(id);
    for (const [id, { acted }] of organization.seen.entries()) if (acted?.onBehalfOf === viewer.id) ids.add(id);
    for (const team of teamsLedBy(viewer)) for (const id of organization.seen.membersOf(team)) ids.add(id);
    const leads = leadsOf(organization);
    for (const team of viewer.groups) for (const id of leads.get(team) ?? []) ids.add(id);
  }
  return (id) => ids.has(id);
}

/** Who leads which team: by a role given here, or by one a token claimed when it was last seen. */
function leadsOf(organization: Organization): ReadonlyMap<string, ReadonlySet<string>> {
  const leads = new Map<string, Set<string>>();
  const add = (team: string, id: string) => leads.set(team, (leads.get(team) ?? new Set()).add(id));
  for (const [id, { state }] of organization.principals) for (const team of teamsLedBy(state)) add(team, id);
  for (const [team, ids] of organization.seen.ledTeams()) {
    for (const id of ids) if (!changedSince(organization, id)) add(team, id);
  }
  return leads;
}

/** Whether roles recorded when `id` was last seen may have been given here, and be taken away since. */
function changedSince(organization: Organization, id: string): boolean {
  const seen = organization.seen.get(id);
  const record = organization.principals.get(id);
  return seen !== undefined && record !== undefined && record.updatedSeq > latest(seen).seq;
}

function candidates(organization: Organization, team: string | undefined): readonly string[] {
  if (team !== undefined) return [...organization.seen.membersOf(team)].sort(byCodeUnits);
  const unseen = [...organization.principals.keys()].filter((id) => organization.seen.get(id) === undefined);
  const seen = organization.seen.ids();
  return unseen.length === 0 ? seen : [...seen, ...unseen].sort(byCodeUnits);
}

function meets(organization: Organization, id: string, { kind, suspended }: PrincipalFilter): boolean {
  const seen = organization.seen.get(id);
  const is = organization.principals.get(id)?.state.kind ?? (seen && latest(seen).kind);
  if (kind !== undefined && is !== kind) return false;
  return suspended === undefined || organization.isSuspended(id) === suspended;
}

function text(wanted: string | undefined): string {
  return wanted?.trim().toLowerCase() ?? "";
}

function hasText({ id, principal }: DirectoryPrincipal, wanted: string): boolean {
  return [id, principal.displayName, principal.email].some((one) => one?.toLowerCase().includes(wanted));
}

function view(
  principal: Principal,
  record: DirectoryRecord<PrincipalState> | undefined,
  seen: Seen | undefined,
): DirectoryPrincipal {
  const state = record?.state;
  return {
    id: principal.id,
    principal,
    status: state?.suspended === true ? "SUSPENDED" : "ACTIVE",
    roles: state?.roles ?? [],
    ownerId: state?.owner,
    platforms: state?.platforms,
    keyThumbprint: state?.key ?? state?.gatewayKey?.kid,
    gateway: state?.gatewayKey !== undefined,
    invitedAt: state?.invitedAt,
    lastSeenAt: seen && lastSeenAt(seen),
    teams: [...(seen === undefined ? [] : latest(seen).groups)].sort(byCodeUnits),
  };
}
