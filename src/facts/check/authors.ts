import type { JsonObject, JsonValue } from "../canonical.ts";
import type { Author, Conditions, StateConditions } from "../conditions.ts";
import { listOf, memberAt, objectOf, textOf } from "../members.ts";
import { type Approver, isAsked, mayConfirm, type NeededApprovals } from "../quorum.ts";
import { areKnownAlone, isAdministrator, isHuman, isSystem } from "./agreement.ts";

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
  }
}

const idOf = (principal: JsonValue | undefined) => objectOf(principal).id;

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
  if (!isHuman(body)) return false;
  const requester = [textOf(objectOf(maker.actor).id), ...peopleOf(maker)];
  const approver = rightsOf(body);
  const { kinds, requirements } = askedBy(maker, quorum?.requirements);
  if (peopleOf(body).some((id) => requester.includes(id))) return mayConfirm(requirements, approver, recordedAt);
  return kinds.some((one) => isAsked(one, approver));
}

/** Ids of the people who act in an entry: its actor, and whom that acts for. */
export function peopleOf({ actor, onBehalfOf }: JsonObject): readonly string[] {
  return [actor, onBehalfOf].flatMap((part) => {
    const { id, kind } = objectOf(part);
    return kind === "HUMAN" ? [textOf(id)] : [];
  });
}

/** What its actor may approve by. */
export function rightsOf({ actor }: JsonObject): Pick<Approver, "groups" | "roles"> {
  const { groups, roles } = objectOf(actor);
  return { groups: listOf(groups).map(textOf), roles: listOf(roles).map(textOf) };
}

/** Who is asked to approve. */
export interface Asked {
  readonly requirements: readonly NeededApprovals[];
  /** One of those that ask the same people. */
  readonly kinds: readonly NeededApprovals[];
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
    const { group, role, needed, requesterAfter: from } = objectOf(item);
    if (typeof group !== "string" || !isPlaces(needed)) return [];
    return [{ group, role: role === true, needed, requesterAfter: typeof from === "string" ? from : undefined }];
  });
  const kinds = [...Map.groupBy(requirements, ({ group, role }) => `${role} ${group}`).values()].flatMap(
    ([one]) => one ?? [],
  );
  const asked = { requirements, kinds };
  known.set(maker, { path, asked });
  return asked;
}

function isPlaces(needed: JsonValue | undefined): needed is number {
  return typeof needed === "number" && Number.isSafeInteger(needed) && needed > 0;
}
