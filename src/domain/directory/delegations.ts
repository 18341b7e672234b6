import { MAX_DELEGATION_DAYS } from "../../facts/areas/delegations.ts";
import { canonicalize } from "../../facts/canonical.ts";
import { instant, type LedgerEntry } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { uuidOf } from "../../facts/hash.ts";
import type { Queryable } from "../../ledger/read.ts";
import { databaseTime } from "../database-time.ts";
import type { Caller, Principal, PrincipalKind } from "../identity/principal.ts";
import { oversees } from "../visibility/visibility.ts";
import type { Admission } from "./admission.ts";
import type { Changes } from "./changes.ts";
import { refuse } from "./errors.ts";
import { checkId, checkName, checkNote } from "./input.ts";
import type { KnownPeople } from "./known-people.ts";
import type { Organization } from "./organization.ts";
import type { Projections } from "./projections.ts";
import { lastSighting } from "./read-seen.ts";
import type { Delegation } from "./record.ts";
import { latest } from "./seen-principals.ts";

export interface DelegateInput {
  readonly toPrincipalId: string;
  /** A group of the caller. */
  readonly group: string;
  /** Left out, or past: now. */
  readonly startsAt?: Date | undefined;
  readonly endsAt: Date;
  readonly note?: string | undefined;
}

export interface DelegationResult {
  readonly delegation: Delegation;
  readonly entry: LedgerEntry;
}

/** The right to approve as a member of `group`, which `delegator` lent. */
export interface LentRight {
  readonly delegation: string;
  readonly group: string;
  readonly delegator: Principal;
  readonly startsAt: Date;
  readonly expiresAt: Date;
}

export interface Delegations {
  /** Lends a right of the caller to another person. Throws DirectoryRefusal, LedgerUnavailableError. */
  delegateApprovals(caller: Caller, input: DelegateInput): Promise<DelegationResult>;
  /** Ends a delegation before its time: its delegator may, and administrators. Throws DirectoryRefusal, LedgerUnavailableError. */
  endDelegation(caller: Caller, delegationId: string): Promise<DelegationResult>;
  /**
   * Those that are neither ended nor over and that `viewer` lent or was lent, or all of them for who reads the directory: at most
   * MAX_LISTED, in order of their ends. Throws LedgerUnavailableError.
   */
  delegations(viewer: Principal): Promise<readonly Delegation[]>;
  /** The same of one, whether it is over or not; undefined when there is none that `viewer` may see. */
  delegation(viewer: Principal, id: string): Promise<Delegation | undefined>;
}

export interface Lending {
  /**
   * What was lent to a person: not ended, by somebody who was in the group when last seen, and neither of them suspended since. Later
   * or past times are among them. Throws LedgerUnavailableError.
   */
  lentTo(organization: string, principalId: string): Promise<readonly LentRight[]>;
  /** The same as far as it is known in memory, for what is shown: as new as a second or two. */
  knownToBeLent(organization: string, principalId: string): readonly LentRight[];
  /**
   * The right by a delegation as it was until somebody ended it, as far as that is known in memory; undefined where it was void before, or
   * may have been.
   */
  wasLent(organization: string, delegationId: string): LentRight | undefined;
  /** Ids of those who a person ever lent something, as far as that is known in memory. */
  delegatesOf(organization: string, principalId: string): readonly string[];
}

/** Delegations that one answer has at most. */
export const MAX_LISTED = 500;
/** What one person may have lent at a time. */
const MAX_LENT = 20;
const MILLISECONDS_A_DAY = 86_400_000;
/** How far ahead one may begin. */
const MAX_DAYS_AHEAD = 365;

export interface DelegationsOptions {
  readonly changes: Changes;
  readonly projections: Projections;
  readonly admission: Pick<Admission, "administers">;
  readonly known: KnownPeople;
  readonly db: Queryable;
}

export function createDelegations(options: DelegationsOptions): Delegations & Lending {
  const { changes, projections, admission, known, db } = options;

  async function kindOf(organization: Organization, id: string): Promise<PrincipalKind | undefined> {
    const recorded = organization.principals.get(id)?.state.kind;
    return recorded ?? (await lastSighting(db, organization.ledger, id))?.kind;
  }

  /** That `to` is another person of the organization, whom something may be lent. */
  async function checkDelegate(organization: Organization, caller: Principal, to: string): Promise<void> {
    const self = () =>
      refuse(
        "CANNOT_DELEGATE_TO_SELF",
        "a right is lent to another person, not to an account of yours",
        "toPrincipalId",
      );
    if (to === caller.id) throw self();
    const kind = await kindOf(organization, to);
    if (kind === undefined) throw refuse("NOT_FOUND", "there is no such principal", "toPrincipalId");
    if (kind !== "HUMAN") throw refuse("HUMANS_ONLY", "only people approve, so only to people", "toPrincipalId");
    if (organization.isSuspended(to)) throw refuse("DELEGATE_SUSPENDED", "this person is suspended", "toPrincipalId");
    const people = await known.people(organization.name, [caller, bare(organization, to)], 0n);
    if (people.compare(caller, bare(organization, to)) === "SAME") throw self();
  }

  /** Whether the right can be used: whoever was suspended since cannot use or lend it any more. */
  function stands(organization: Organization, delegation: Delegation): boolean {
    return delegation.status === "MADE" && isValid(organization, delegation);
  }

  function isValid(organization: Organization, { delegator, delegate, madeSeq }: Delegation): boolean {
    return !organization.wasSuspended(delegator, madeSeq) && !organization.wasSuspended(delegate, madeSeq);
  }

  function toRight(organization: Organization, { id, delegator, group, startsAt, expiresAt }: Delegation): LentRight {
    const person = { ...bare(organization, delegator), groups: [group] };
    return { delegation: id, group, delegator: person, startsAt: new Date(startsAt), expiresAt: new Date(expiresAt) };
  }

  return {
    async delegateApprovals(caller, input) {
      const { principal } = caller;
      const { toPrincipalId: to, group, note } = input;
      let made: Omit<Delegation, "madeSeq"> | undefined;
      const organization = await projections.open(principal.organization);
      const entry = await changes.record(organization, caller, async (fresh) => {
        checkPerson(principal);
        checkId(to, "toPrincipalId");
        checkName(group, "group");
        checkNote(note, "note");
        if (!principal.groups.includes(group)) {
          throw refuse("NOT_IN_GROUP", "you can lend only what you may do as a member of a group of yours", "group");
        }
        const now = await databaseTime(db);
        const { startsAt, expiresAt } = checkedTimes(input, now);
        await checkDelegate(fresh, principal, to);
        const mine = fresh.delegationsBy(principal.id).filter(({ expiresAt: end }) => Date.parse(end) > now.getTime());
        const open = mine.filter(({ status }) => status === "MADE");
        const same = open.filter((one) => one.delegate === to && one.group === group);
        if (same.some((one) => one.startsAt < expiresAt && startsAt < one.expiresAt)) {
          throw refuse("ALREADY_EXISTS", "this is lent to that person already at that time: end that first");
        }
        if (open.length >= MAX_LENT) {
          throw refuse("DELEGATION_LIMIT", `you have lent ${MAX_LENT} times already: end one of these first`);
        }
        const state = { status: "MADE", delegator: principal.id, delegate: to, group, startsAt, expiresAt } as const;
        const id = idOf(fresh, principal.id, to, group);
        made = { id, ...state };
        return {
          type: "DELEGATION_MADE",
          delegation: id,
          note: note === undefined ? undefined : new Erasable(note),
          states: [fresh.next("DELEGATION", id, state)],
        } as const;
      });
      if (made === undefined) throw new Error("a delegation was recorded that was never made");
      return { delegation: { ...made, madeSeq: entry.seq }, entry };
    },
    async endDelegation(caller, id) {
      const { principal } = caller;
      let ended: Delegation | undefined;
      const organization = await projections.open(principal.organization);
      const entry = await changes.record(organization, caller, async (fresh) => {
        checkPerson(principal);
        const found = fresh.delegation(id);
        if (found === undefined || !sees(principal, found)) {
          throw refuse("NOT_FOUND", "there is no such delegation", "delegationId");
        }
        if (found.delegator !== principal.id && !admission.administers(fresh, principal)) {
          throw refuse("NOT_ALLOWED", "only who lent it can end it, and administrators", "delegationId");
        }
        const isOver = Date.parse(found.expiresAt) <= (await databaseTime(db)).getTime();
        if (found.status === "ENDED" || isOver) {
          throw refuse("ALREADY_ENDED", "the delegation has ended already", "delegationId");
        }
        const { madeSeq, id: _id, ...state } = found;
        ended = { ...found, status: "ENDED" };
        return {
          type: "DELEGATION_ENDED",
          delegation: id,
          states: [fresh.next("DELEGATION", id, { ...state, status: "ENDED" })],
        } as const;
      });
      if (ended === undefined) throw new Error("the end of a delegation was recorded that there is not");
      return { delegation: ended, entry };
    },
    async delegations(viewer) {
      const organization = await projections.open(viewer.organization);
      const now = instant(new Date());
      return organization
        .delegations()
        .filter((one) => one.status === "MADE" && one.expiresAt > now && sees(viewer, one))
        .sort((one, other) => (`${one.expiresAt} ${one.id}` < `${other.expiresAt} ${other.id}` ? -1 : 1))
        .slice(0, MAX_LISTED);
    },
    async delegation(viewer, id) {
      const found = (await projections.open(viewer.organization)).delegation(id);
      return found !== undefined && sees(viewer, found) ? found : undefined;
    },
    async lentTo(name, principalId) {
      const organization = await projections.open(name);
      const lent = organization.delegationsTo(principalId).filter((one) => stands(organization, one));
      const groups = new Map(
        await Promise.all(
          [...new Set(lent.map(({ delegator }) => delegator))].map(
            async (id) => [id, (await lastSighting(db, organization.ledger, id))?.groups ?? []] as const,
          ),
        ),
      );
      return lent
        .filter(({ delegator, group }) => groups.get(delegator)?.includes(group))
        .map((one) => toRight(organization, one));
    },
    delegatesOf(name, principalId) {
      const lent = projections.current(name)?.delegationsBy(principalId) ?? [];
      return [...new Set(lent.map(({ delegate }) => delegate))];
    },
    knownToBeLent(name, principalId) {
      const organization = projections.current(name);
      const lent = organization?.delegationsTo(principalId).filter((one) => stands(organization, one)) ?? [];
      if (organization === undefined || lent.length === 0) return [];
      projections.seeSoon(organization);
      return lent.filter((one) => isMember(organization, one)).map((one) => toRight(organization, one));
    },
    wasLent(name, id) {
      const organization = projections.current(name);
      const found = organization?.delegation(id);
      if (organization === undefined || found === undefined) return undefined;
      const isRight = isValid(organization, found) && isMember(organization, found);
      return isRight ? toRight(organization, found) : undefined;
    },
  };
}

/** Whether who lent it is in the group, as far as the latest that was seen of them says. */
function isMember({ seen: all }: Organization, { delegator, group, madeSeq }: Delegation): boolean {
  const seen = all.get(delegator);
  // Who lent it was in the group then.
  return seen === undefined || latest(seen).seq <= madeSeq || latest(seen).groups.includes(group);
}

/** Who is a person by themselves. */
function checkPerson({ kind, onBehalfOf }: Principal): void {
  if (kind !== "HUMAN" || onBehalfOf !== undefined) {
    throw refuse("HUMANS_ONLY", "only people approve, so only people can lend that, for themselves");
  }
}

function sees(viewer: Principal, { delegator, delegate }: Delegation): boolean {
  if (oversees(viewer)) return true;
  return viewer.kind === "HUMAN" && (viewer.id === delegator || viewer.id === delegate);
}

function bare({ name }: Organization, id: string): Principal {
  return { id, kind: "HUMAN", organization: name, roles: [], groups: [] };
}

/**
 * The id of the next delegation of this right to this person: two that are made at the same moment have one id, of which the append
 * records one.
 */
function idOf(organization: Organization, delegator: string, delegate: string, group: string): string {
  const before = organization
    .delegationsBy(delegator)
    .filter((one) => one.delegate === delegate && one.group === group);
  const { ledger } = organization;
  return uuidOf(canonicalize(["countersign/delegation/v1", ledger, delegator, delegate, group, before.length]));
}

/** From when on and until when, in whole milliseconds. */
function checkedTimes({ startsAt: wanted, endsAt }: DelegateInput, now: Date) {
  const startsAt = wanted === undefined || wanted < now ? now : wanted;
  if (startsAt.getTime() - now.getTime() > MAX_DAYS_AHEAD * MILLISECONDS_A_DAY) {
    throw refuse("INVALID_INPUT", `must be at most ${MAX_DAYS_AHEAD} days from now`, "startsAt");
  }
  if (endsAt <= startsAt) throw refuse("INVALID_INPUT", "must be after now and after the beginning", "endsAt");
  if (endsAt.getTime() - startsAt.getTime() > MAX_DELEGATION_DAYS * MILLISECONDS_A_DAY) {
    const message = `must be at most ${MAX_DELEGATION_DAYS} days of 24 hours after the beginning, ${instant(startsAt)}`;
    throw refuse("INVALID_INPUT", message, "endsAt");
  }
  return { startsAt: instant(startsAt), expiresAt: instant(endsAt) };
}
