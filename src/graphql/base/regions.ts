import {
  defaultFieldResolver,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLSchema,
  isIntrospectionType,
  isObjectType,
} from "graphql";
import { claimedRegion } from "../../domain/actions/grants.ts";
import { isLedgerId } from "../../facts/entry.ts";
import { type Context, inRegion } from "./context.ts";
import { badUserInput } from "./errors.ts";
import { decodeNodeId, splitKey } from "./node-id.ts";

type Resolver = GraphQLFieldResolver<unknown, Context>;
type Arguments = Readonly<Record<string, unknown>>;

/** Members of arguments, of their `input` and of their `filter`, that name what is meant by a node id. */
const IDS = ["id", "actionId", "sessionId"] as const;

/**
 * Has every field of `schema` resolved in the region of what it is a field of, and every root field in the region that its arguments
 * name: by `region`, a node id, or a grant; otherwise in the home region. Where there is one region, nothing changes.
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
        const local = isRoot && !isEvent ? contextOfCall(context, args) : contextOf(context, parent);
        if (local.operation === undefined) return resolve(parent, args, local, info);
        return remembering(local, resolve(parent, args, local, info));
      };
      const { subscribe } = field;
      if (subscribe === undefined) continue;
      field.subscribe = (parent, args, context, info) => {
        return subscribe(parent, args, contextOfCall(context, args), info);
      };
    }
  }
}

/** Where an operation is about what `args` name. What belongs to another organization is looked for at home, and not found. */
function contextOfCall(context: Context, args: Arguments): Context {
  const given = (args.input ?? args) as Arguments;
  const region = given.region ?? args.region;
  if (context.services.regions === undefined) return inTheRegion(context, region);
  // Who may not call is told that, and nothing else.
  if (context.caller === undefined) return context;
  if (typeof region === "string") return inRegion(context, region);
  if (typeof given.token === "string") return contextOfGrant(context, given.token);
  const filter = (args.filter ?? {}) as Arguments;
  for (const name of IDS) {
    const id = given[name] ?? args[name] ?? filter[name];
    if (typeof id === "string") return contextOfId(context, id);
  }
  return context;
}

/** Where there is one region, any other has no server that is known. */
function inTheRegion(context: Context, region: unknown): Context {
  if (typeof region !== "string" || region === context.services.region) return context;
  throw badUserInput(
    `This server keeps the ledgers of region ${context.services.region}. Ask a server of the other region.`,
  );
}

/** Arguments of fields that are about one ledger. */
export const REGION = "The region of the ledger. Default: the home region.";

/** Arguments of lists. */
export const LISTED_REGION =
  "Only what is recorded in this region. Default: in all that this server serves, each in its own order.";

/** The context in the region of what `nodeId` names. */
export function contextOfId(context: Context, nodeId: string): Context {
  const { ledger } = splitKey(decodeNodeId(nodeId).id);
  return contextOfLedger(context, ledger) ?? inRegion(context, homeOf(context));
}

/** Where a grant is redeemed. One that names no region there is was not made here: the attempt is recorded at home. */
function contextOfGrant(context: Context, token: string): Context {
  const region = claimedRegion(token);
  const isKnown = region !== undefined && context.services.regions?.knows(region) === true;
  return inRegion(context, isKnown ? region : homeOf(context));
}

function homeOf(context: Context): string {
  return (context.operation ?? context).services.region;
}

/** Undefined for what is no ledger of the caller's organization. */
function contextOfLedger(context: Context, ledger: string): Context | undefined {
  const organization = context.caller?.principal.organization;
  if (organization === undefined || !ledger.startsWith(`${organization}/`) || !isLedgerId(ledger)) return undefined;
  return inRegion(context, ledger.slice(organization.length + 1));
}

/** By the objects that were resolved in another region than home, for each operation. */
const origins = new WeakMap<Context, WeakMap<object, Context>>();

/** The context in the region that `parent` is of: that of its ledger, or where it was resolved. */
function contextOf(context: Context, parent: unknown): Context {
  if (typeof parent !== "object" || parent === null) return context;
  const { ledger } = parent as { readonly ledger?: unknown };
  const ofLedger = typeof ledger === "string" ? contextOfLedger(context, ledger) : undefined;
  return ofLedger ?? origins.get(context.operation ?? context)?.get(parent) ?? context;
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
