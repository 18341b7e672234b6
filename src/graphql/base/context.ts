import type { Caller, Principal } from "../../domain/identity/principal.ts";
import { nowhere } from "../../domain/regions/errors.ts";
import { mayUseRegion } from "../../domain/visibility/regions.ts";
import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { LedgerSnapshot } from "../../ledger/snapshot.ts";
import { graphqlError } from "./errors.ts";
import { createResponseBudget, RESPONSE_BYTES, type ResponseBudget } from "./response-budget.ts";
import type { Services } from "./services.ts";

/** What resolvers know about one operation. Never shared between operations: scopes are cached by it. */
export interface Context {
  readonly services: Services;
  /** Undefined for a call without a token. */
  readonly caller: Caller | undefined;
  /** The ledger of the caller's organization; meaningless without a caller. */
  readonly ledger: LedgerId;
  readonly traceId: string;
  /**
   * A signal that aborts when the token expires or the server stops, to end a subscription. `over` aborts when the subscription
   * has ended otherwise.
   */
  readonly ends: (over: AbortSignal) => AbortSignal;
  /** Called with the code of each refusal that becomes a user error. */
  readonly onRefusal: (code: string) => void;
  /** Called with each fault in the server, or in what it stores, of which the client is told no error. */
  readonly onFault: (fault: unknown) => void;
  /** All resolvers read through this: in a query its snapshot, otherwise the latest committed data. */
  readonly db: Queryable;
  /** In a query. */
  readonly snapshot: LedgerSnapshot | undefined;
  /** The context of the operation in the home region; undefined in that one itself. */
  readonly operation?: Context | undefined;
  /** How resolvers read: as of now, as subscriptions do, or in a snapshot. */
  readonly reads: "LATEST" | "FOLLOWING" | "SNAPSHOT" | "SLOW_SNAPSHOT";
  /** What is left of the bytes that the response may have. */
  readonly budget: ResponseBudget;
}

export type OperationOptions = Pick<Context, "caller" | "traceId" | "ends" | "onRefusal" | "onFault">;

/** @param responseBytes what the response may have, or each event of a subscription */
export function createContext(
  services: Services,
  operation: OperationOptions,
  responseBytes = RESPONSE_BYTES,
): Context {
  const { caller, traceId, ends, onRefusal, onFault } = operation;
  const ledger = ledgerOf(caller?.principal.organization ?? "", services.region);
  const budget = createResponseBudget(responseBytes);
  const reads = "LATEST";
  const db = services.pool;
  return { services, caller, ledger, traceId, ends, onRefusal, onFault, reads, db, snapshot: undefined, budget };
}

/** `context` of a subscription, whose reads keep no decision waiting. */
export function followingContext(context: Context): Context {
  return { ...context, reads: "FOLLOWING", db: context.services.following ?? context.services.pool };
}

/**
 * Executes a query with `run` in a context with a snapshot: all fields read the same data. The first field that reads opens
 * the snapshot; it is closed when `run` settles.
 */
export async function executeInSnapshot<Result>(
  context: Context,
  { slow }: { readonly slow: boolean },
  run: (context: Context) => Result | Promise<Result>,
): Promise<Result> {
  const { snapshots, slowSnapshots = snapshots } = context.services;
  const snapshot = (slow ? slowSnapshots : snapshots)(context.ledger, context.caller?.principal.id);
  const inSnapshot = { ...context, reads: slow ? "SLOW_SNAPSHOT" : "SNAPSHOT", db: snapshot, snapshot } as const;
  try {
    return await run(inSnapshot);
  } finally {
    // The result does not wait for the connection to be returned.
    void snapshot.end();
    for (const { snapshot: other } of regional.get(inSnapshot)?.values() ?? []) void other?.end();
  }
}

/**
 * Does `work` with a snapshot that ends with it, so that no connection is held until the operation ends; with that of the operation once any
 * other field has read, for whoever holds a connection must not wait for another one.
 */
export async function readApart<Result>(context: Context, work: (db: Queryable) => Promise<Result>): Promise<Result> {
  const { snapshots, slowSnapshots = snapshots } = context.services;
  if (context.snapshot === undefined || context.snapshot.hasBegun()) return work(context.db);
  const own = slowSnapshots(context.ledger, context.caller?.principal.id);
  try {
    return await work(own);
  } finally {
    await own.end();
  }
}

/** The contexts of an operation in other regions than the home region, by their names. */
const regional = new WeakMap<Context, Map<string, Context>>();

/** The regions that this server serves and that the caller's roles do not leave out, the home region first. */
export function regionsOf(context: Context): readonly string[] {
  const { services } = context.operation ?? context;
  const names = services.regions?.names ?? [services.region];
  const { principal } = context.caller ?? {};
  return principal === undefined ? [] : names.filter((region) => mayUseRegion(principal, region));
}

/**
 * `context` in another region: its services, ledger and a snapshot of its own, one for each operation. Throws RegionRefusal, also for a
 * region that the caller's roles leave out, LedgerUnavailableError.
 */
export function inRegion(context: Context, region: string): Context {
  const { caller } = context;
  if (caller !== undefined && !mayUseRegion(caller.principal, region)) throw nowhere(region);
  return whereRecorded(context, region);
}

/** The same whoever calls: for what they were shown already, such as what the home region has about their organization. */
export function whereRecorded(context: Context, region: string): Context {
  const { operation: home = context, caller } = context;
  const { regions } = home.services;
  if (regions === undefined) return home;
  if (region === home.services.region) {
    // Throws where it is served elsewhere.
    regions.of(region);
    return home;
  }
  const known = regional.get(home) ?? new Map<string, Context>();
  regional.set(home, known);
  let local = known.get(region);
  if (local === undefined) {
    const services = regions.of(region);
    const ledger = ledgerOf(caller?.principal.organization ?? "", region);
    const { snapshots, slowSnapshots = snapshots, following, pool } = services;
    const makes = { SNAPSHOT: snapshots, SLOW_SNAPSHOT: slowSnapshots, LATEST: undefined, FOLLOWING: undefined };
    const snapshot = makes[home.reads]?.(ledger, caller?.principal.id);
    const db = snapshot ?? (home.reads === "FOLLOWING" ? (following ?? pool) : pool);
    local = { ...home, operation: home, services, ledger, db, snapshot };
    known.set(region, local);
  }
  return local;
}

/** The caller, for the compiler: scopes have checked already that there is one. */
export function callerOf({ caller }: Context): Caller {
  if (caller === undefined) throw graphqlError("UNAUTHENTICATED", "Sign in: send `Authorization: Bearer <token>`.");
  return caller;
}

export function viewerOf(context: Context): Principal {
  return callerOf(context).principal;
}
