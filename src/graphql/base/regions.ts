import {
  defaultFieldResolver,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLSchema,
  isIntrospectionType,
  isObjectType,
} from "graphql";
import { claimedRegion } from "../../domain/actions/grants.ts";
import { nowhere } from "../../domain/regions/errors.ts";
import { mayUseRegion, regionOfLedger } from "../../domain/visibility/regions.ts";
import { isLedgerId } from "../../facts/entry.ts";
import { type Context, inRegion, regionsOf, whereRecorded } from "./context.ts";
import { badUserInput } from "./errors.ts";
import { decodeNodeId, splitKey } from "./node-id.ts";

type Resolver = GraphQLFieldResolver<unknown, Context>;
type Arguments = Readonly<Record<string, unknown>>;

/** Members of arguments, of their `input` and of their `filter`, that name what is meant by a node id. */
const IDS = ["id", "actionId", "sessionId"] as const;

/** Root fields that find the region of each of their inputs themselves, or are about the caller alone. */
const OF_REGIONS: ReadonlySet<string> = new Set([
  "Query.viewer",
  "Mutation.decideActions",
  "Mutation.proposeAction",
  "Mutation.proposeActions",
]);
/**
 * Root fields about what the home region has for the whole organization. Any other field is about one region, and not for callers whose
 * roles leave that region out.
 */
const OF_ORGANIZATION: ReadonlySet<string> = new Set([
  "Query.addressFolding",
  "Query.channels",
  "Query.delegations",
  "Query.policy",
  "Query.policyVersions",
  "Query.principal",
  "Query.principals",
  "Query.teams",
  "Mutation.claimAdministrator",
  "Mutation.configureChannel",
  "Mutation.delegateApprovals",
  "Mutation.endDelegation",
  "Mutation.endSession",
  "Mutation.inviteAgent",
  "Mutation.publishPolicy",
  "Mutation.reinstatePrincipal",
  "Mutation.removeChannel",
  "Mutation.revokeToken",
  "Mutation.setAddressFolding",
  "Mutation.setPrincipalRoles",
  "Mutation.startAccountLink",
  "Mutation.startSession",
  "Mutation.suspendPrincipal",
  "Mutation.unlinkAccount",
  "Mutation.updateAgent",
]);
/** Types of nodes that the home region has for the whole organization. */
const TYPES_OF_ORGANIZATION: ReadonlySet<string> = new Set(["Delegation", "PolicyVersion"]);

/**
 * Has every field of `schema` resolved in the region of what it is a field of, and every root field in the region that its arguments
 * name: by `region`, a node id, or a grant; otherwise in the home region. Callers whose roles leave out the home region get the first
 * region that is theirs in its place, and of no other region anything.
 */
export function resolveInRegions(schema: GraphQLSchema): void {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || isIntrospectionType(type)) continue;
    const isRoot = roots.includes(type);
    for (const field of Object.values((type satisfies GraphQLObjectType).getFields())) {
      const resolve: Resolver = field.resolve ?? defaultFieldResolver;
      const isEvent = type === schema.getSubscriptionType();
      field.resolve = (parent, args, context, info) => {
        if (context.services.regions === undefined && !isRoot) return resolve(parent, args, context, info);
        const local = isRoot && !isEvent ? contextOfCall(context, args, type, field.name) : contextOf(context, parent);
        if (local.operation === undefined) return resolve(parent, args, local, info);
        return remembering(local, resolve(parent, args, local, info));
      };
      const { subscribe } = field;
      if (subscribe === undefined) continue;
      field.subscribe = (parent, args, context, info) => {
        return subscribe(parent, args, contextOfCall(context, args, type, field.name), info);
      };
    }
  }
}

/** Where an operation is about what `args` name. What belongs to another organization is looked for where nothing is named, and not found. */
function contextOfCall(context: Context, args: Arguments, { name: root }: GraphQLObjectType, field: string): Context {
  // Who may not call is told that, and nothing else.
  if (context.caller === undefined) return context;
  const given = (args.input ?? args) as Arguments;
  const region = given.region ?? args.region;
  if (typeof region === "string") return contextOfNamed(context, region);
  const unnamed = () => contextOfUnnamed(context, `${root}.${field}`);
  if (typeof given.token === "string") return contextOfGrant(context, given.token);
  const filter = (args.filter ?? {}) as Arguments;
  for (const name of IDS) {
    const id = given[name] ?? args[name] ?? filter[name];
    if (typeof id === "string") return contextOfId(context, id, unnamed);
  }
  const found = unnamed();
  // To read elsewhere than at home is what such callers expect; nothing is recorded elsewhere than where it belongs.
  if (root === "Mutation" && found.services.region !== homeOf(context)) throw nowhere(homeOf(context));
  return found;
}

function contextOfNamed(context: Context, region: string): Context {
  const { regions, region: home } = context.services;
  // Where there is one region, any other has no server that is known.
  if (regions === undefined && region !== home) {
    throw badUserInput(`This server keeps the ledgers of region ${home}. Ask a server of the other region.`);
  }
  return inRegion(context, region);
}

/**
 * Where an operation is that names no region: at home, or in the first region that the caller's roles do not leave out. What the home region
 * has for the whole organization is there alone; what finds its regions itself begins there, whether or not this server serves it.
 */
function contextOfUnnamed(context: Context, field = ""): Context {
  if (OF_REGIONS.has(field)) return context;
  if (OF_ORGANIZATION.has(field)) return whereRecorded(context, homeOf(context));
  const [region] = regionsOf(context);
  if (region === undefined) throw nowhere(homeOf(context));
  return inRegion(context, region);
}

/** Arguments of fields that are about one ledger. */
export const REGION =
  "The region of the ledger. Default: the home region, or the first one that your roles do not leave out.";

/** Arguments of lists. */
export const LISTED_REGION =
  "Only what is recorded in this region. Default: in all that this server serves and that your roles do not leave out, each in its own order.";

/** Arguments of fields that count. */
export const COUNTED_REGION =
  "Only what is recorded in this region. Default: in all that this server serves and that your roles do not leave out, together.";

/** Arguments of subscriptions to changes. */
export const FOLLOWED_REGION =
  "Only what is recorded in this region. Default: in all that this server serves and that your roles do not leave out; with `after`, in that of `ledger`.";
export const FOLLOWED_AFTER =
  "The last cursor received of one ledger. Default: where each ledger ends now, and `positions`.";
export const FOLLOWED_POSITIONS =
  "Where to go on in each region: `asOf` of the last event received, or of a list. Regions that are not among them are followed from where their ledger ends now. Not together with `region` or `after`.";

/** The context in the region of what `nodeId` names; that of `unnamed` for what the caller may not know of. */
export function contextOfId(context: Context, nodeId: string, unnamed = () => contextOfUnnamed(context)): Context {
  const { typename, id } = decodeNodeId(nodeId);
  if (TYPES_OF_ORGANIZATION.has(typename)) return whereRecorded(context, homeOf(context));
  const region = regionOf(context, splitKey(id).ledger);
  if (region === undefined) return unnamed();
  const { principal } = context.caller ?? {};
  return principal !== undefined && mayUseRegion(principal, region) ? inRegion(context, region) : unnamed();
}

/** Where a grant is redeemed. One that names no region there is was not made here: the attempt is recorded at home. */
function contextOfGrant(context: Context, token: string): Context {
  const region = claimedRegion(token);
  const { regions } = context.services;
  const { principal } = context.caller ?? {};
  const isKnown = region !== undefined && regions?.knows(region) === true;
  return isKnown && principal !== undefined && mayUseRegion(principal, region)
    ? inRegion(context, region)
    : contextOfUnnamed(context);
}

function homeOf(context: Context): string {
  return (context.operation ?? context).services.region;
}

/** The region of `ledger`; undefined for what is no ledger of the caller's organization. */
function regionOf(context: Context, ledger: string): string | undefined {
  const organization = context.caller?.principal.organization;
  if (organization === undefined || !ledger.startsWith(`${organization}/`) || !isLedgerId(ledger)) return undefined;
  return regionOfLedger(ledger);
}

/** By the objects that were resolved in another region than home, for each operation. */
const origins = new WeakMap<Context, WeakMap<object, Context>>();

/** The context in the region that `parent` is of: that of its ledger, or where it was resolved. */
function contextOf(context: Context, parent: unknown): Context {
  if (typeof parent !== "object" || parent === null) return context;
  const { ledger } = parent as { readonly ledger?: unknown };
  const region = typeof ledger === "string" ? regionOf(context, ledger) : undefined;
  if (region !== undefined) return whereRecorded(context, region);
  return origins.get(context.operation ?? context)?.get(parent) ?? context;
}

/** `value` with a note, of it and its items, where it was resolved. */
function remembering(local: Context, value: unknown): unknown {
  if (value instanceof Promise) return value.then((loaded: unknown) => note(local, loaded));
  return note(local, value);
}

function note(local: Context, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const home = local.operation ?? local;
  const known = origins.get(home) ?? new WeakMap<object, Context>();
  origins.set(home, known);
  known.set(value, local);
  if (Array.isArray(value)) for (const item of value) note(local, item);
  return value;
}
