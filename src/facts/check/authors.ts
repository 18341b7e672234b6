import { BREAK_GLASS_ROLE } from "../areas/break-glass.ts";
import { ASSURANCES } from "../assurance.ts";
import type { JsonObject, JsonValue } from "../canonical.ts";
import type { Author, Conditions, StateConditions } from "../conditions.ts";
import { listOf, memberAt, objectOf, textOf } from "../members.ts";
import { type Approver, type AskedApproval, isAsked, mayConfirm, type NeededApprovals, suffices } from "../quorum.ts";
import { areKnownAlone, isAdministrator, isHuman, isSystem } from "./agreement.ts";

type Quorum = NonNullable<StateConditions["quorum"]>;

/** An entry that does something about a thing, and the entry that made that. */
export interface Authored {
  readonly body: JsonObject;
  readonly recordedAt: string;
  readonly before: JsonObject;
  readonly maker: JsonObject;
}

/** Whether somebody recorded the entry who may: as far as those before it tell. */
export function authorProblems(
  entry: Authored,
  { by }: Pick<Conditions, "by">,
  state: StateConditions,
  problems: string[],
) {
  if (by === undefined || areKnownAlone(by)) return;
  const { body, before, maker } = entry;
  const fits = by.some((one) => {
    if (typeof one === "string") return isBy(one, entry, state);
    return before.status === one.from && isBy(one.author, entry, state);
  });
  if (fits) return;
  const [id, made] = [textOf(objectOf(body.actor).id), textOf(objectOf(maker.actor).id)];
  problems.push(`${id} may not record it: it is for ${by.map(named).join(" or ")} of what ${made} made`);
}

const named = (one: NonNullable<Conditions["by"]>[number]) => (typeof one === "string" ? one : one.author);

function isBy(author: Author, { body, maker, recordedAt }: Authored, state: StateConditions): boolean {
  switch (author) {
    case "SYSTEM":
      return isSystem(body);
    case "HUMAN":
      return isHuman(body);
    case "ADMINISTRATOR":
      return isAdministrator(body);
    case "MAKER":
      return isSameCaller(body, maker);
    case "APPROVER":
      return isApprover(body, maker, recordedAt, state);
    case "CALLER":
      return idOf(body.actor) === idOf(maker.actor) && idOf(body.onBehalfOf) === idOf(maker.onBehalfOf);
    case "DELEGATE":
      return isDelegate(body, maker);
    case "GLASS_BREAKER":
      return isGlassBreaker(body, maker);
    case "REVIEWER":
      return isReviewer(body, maker);
  }
}

const idOf = (principal: JsonValue | undefined) => objectOf(principal).id;

function isGlassBreaker(body: JsonObject, maker: JsonObject): boolean {
  if (!isHuman(body) || body.onBehalfOf !== undefined) return false;
  const { id, roles } = objectOf(body.actor);
  const requester = [textOf(objectOf(maker.actor).id), ...peopleOf(maker)];
  return listOf(roles).includes(BREAK_GLASS_ROLE) && !requester.includes(textOf(id));
}

function isReviewer(body: JsonObject, maker: JsonObject): boolean {
  const { id: requester, onBehalfOf: person } = objectOf(maker.requestedBy);
  const involved = [...peopleOf(maker), requester, person];
  return isHuman(body) && body.onBehalfOf === undefined && !involved.includes(objectOf(body.actor).id);
}

function isDelegate({ actor, onBehalfOf }: JsonObject, maker: JsonObject): boolean {
  if (objectOf(actor).kind !== "AGENT" || onBehalfOf === undefined || maker.onBehalfOf !== undefined) return false;
  return idOf(onBehalfOf) === idOf(maker.actor);
}

function isSameCaller(one: JsonObject, other: JsonObject): boolean {
  return ["actor", "onBehalfOf"].every((member) => {
    const [here, there] = [objectOf(one[member]), objectOf(other[member])];
    return here.id === there.id && here.kind === there.kind;
  });
}

function isApprover(body: JsonObject, maker: JsonObject, recordedAt: string, { quorum }: StateConditions): boolean {
  if (!isHuman(body) || quorum === undefined) return false;
  const { asOf, submittedBy } = objectOf(memberAt(body, quorum.decision));
  if (typeof asOf === "string" && asOf > recordedAt) return false;
  // What passes a decision on is nobody who decides.
  const { id } = objectOf(submittedBy);
  if (id !== undefined && id === objectOf(body.actor).id) return false;
  const requester = [textOf(objectOf(maker.actor).id), ...peopleOf(maker)];
  const approver = approverIn(body, maker, quorum);
  const { kinds, requirements } = askedBy(maker, quorum.requirements);
  const delegator = delegatorIn(body, quorum);
  if (delegator !== undefined && [delegator, ...peopleOf(body)].some((id) => requester.includes(id))) return false;
  const isRequester = peopleOf(body).some((id) => requester.includes(id));
  if (isRequester && !approver.isBehind && !mayConfirm(requirements, approver, recordedAt)) return false;
  return kinds.some((one) => (body.type === quorum.by ? suffices : isAsked)(one, approver));
}

/** Ids of the people who act in an entry: its actor, and whom that acts for. */
export function peopleOf({ actor, onBehalfOf }: JsonObject): readonly string[] {
  return [actor, onBehalfOf].flatMap((part) => {
    const { id, kind } = objectOf(part);
    return kind === "HUMAN" ? [textOf(id)] : [];
  });
}

/** The id of the person in whose place its actor decides; undefined where they decide for themselves. */
export function delegatorIn(body: JsonObject, { decision }: Quorum): string | undefined {
  const { delegatedBy } = objectOf(memberAt(body, decision));
  return delegatedBy === undefined ? undefined : textOf(objectOf(delegatedBy).id);
}

/** What the approval, or the denial, in `body` counts by. */
export function approverIn(
  body: JsonObject,
  maker: JsonObject,
  { decision }: Quorum,
): Approver & { isBehind: boolean } {
  const { groups, roles } = objectOf(body.actor);
  const { assurance, note, region, asOf, delegatedBy } = objectOf(memberAt(body, decision));
  const isOwn = delegatedBy === undefined;
  return {
    // In somebody else's place, as a member of that group and nothing else.
    groups: isOwn ? namesIn(groups) : namesIn([objectOf(delegatedBy).group ?? null]),
    roles: isOwn ? namesIn(roles) : [],
    region: typeof region === "string" ? region : undefined,
    at: typeof asOf === "string" ? asOf : undefined,
    assurance: ASSURANCES.find((one) => one === assurance),
    hasNote: note !== undefined,
    isBehind: isOwn && isBehind(body, maker),
  };
}

const namesIn = (list: JsonValue | undefined) => listOf(list).filter((name) => typeof name === "string");

/** Whether the actor is the person for whom an agent made the thing. */
function isBehind({ actor, onBehalfOf }: JsonObject, maker: JsonObject): boolean {
  const [agent, person] = [objectOf(maker.actor), objectOf(maker.onBehalfOf)];
  if (agent.kind !== "AGENT" || person.kind !== "HUMAN" || onBehalfOf !== undefined) return false;
  const { id, kind } = objectOf(actor);
  return kind === "HUMAN" && typeof id === "string" && id === person.id && id !== agent.id;
}

/** Who is asked to approve. */
export interface Asked {
  readonly requirements: readonly NeededApprovals[];
  /** One of those that ask the same people. */
  readonly kinds: readonly AskedApproval[];
}

const NOBODY: Asked = { requirements: [], kinds: [] };
/** By the entry that made the thing: a proposal may have thousands of each, requirements and approvals. */
const known = new WeakMap<JsonObject, { readonly path: string; readonly asked: Asked }>();

/** The requirements of the entry that made a thing, those that are of the form of requirements. */
export function askedBy(maker: JsonObject, path: string | undefined): Asked {
  if (path === undefined) return NOBODY;
  const before = known.get(maker);
  if (before?.path === path) return before.asked;
  const requirements = listOf(memberAt(maker, path)).flatMap((item) => {
    const { group, needed } = objectOf(item);
    return typeof group === "string" && isPlaces(needed) ? [requirementIn(objectOf(item), group, needed)] : [];
  });
  const kinds = [...new Map(requirements.map(({ needed: _, ...one }) => [JSON.stringify(one), one])).values()];
  const asked = { requirements, kinds };
  known.set(maker, { path, asked });
  return asked;
}

/** A requirement as it is recorded; what is not of its form asks for nothing. */
function requirementIn(item: JsonObject, group: string, needed: number): NeededApprovals {
  const { role, requesterAfter: from, assurance, note, approver, ownerConfirms, escalation } = item;
  const { at, group: to } = objectOf(escalation);
  return {
    group,
    role: role === true,
    needed,
    requesterAfter: typeof from === "string" ? from : undefined,
    assurance: ASSURANCES.find((one) => one === assurance),
    note: note === true,
    approver: listOf(approver).map((filter) => {
      const { roles, regions } = objectOf(filter);
      return {
        roles: Array.isArray(roles) ? namesIn(roles) : undefined,
        regions: Array.isArray(regions) ? namesIn(regions) : undefined,
      };
    }),
    ownerConfirms: ownerConfirms === true,
    escalation: typeof at === "string" && typeof to === "string" ? { at, group: to } : undefined,
  };
}

function isPlaces(needed: JsonValue | undefined): needed is number {
  return typeof needed === "number" && Number.isSafeInteger(needed) && needed > 0;
}
