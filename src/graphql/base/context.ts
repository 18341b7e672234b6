import type { Caller, Principal } from "../../domain/identity/principal.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { LedgerSnapshot } from "../../ledger/snapshot.ts";
import { graphqlError } from "./errors.ts";
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
   * A signal that aborts when the token expires or the server stops, so that whatever streams ends. `over` aborts when it has
   * ended by itself.
   */
  readonly ends: (over: AbortSignal) => AbortSignal;
  /** Called with the code of each refusal that becomes a user error. */
  readonly onRefusal: (code: string) => void;
  /** What every resolver reads through: in a query its snapshot, else whatever is committed by then. */
  readonly db: Queryable;
  /** In a query. */
  readonly snapshot: LedgerSnapshot | undefined;
}

export type OperationOptions = Pick<Context, "caller" | "traceId" | "ends" | "onRefusal">;

export function createContext(services: Services, operation: OperationOptions): Context {
  const { caller, traceId, ends, onRefusal } = operation;
  const ledger: LedgerId = `${caller?.principal.organization ?? ""}/${services.region}`;
  return { services, caller, ledger, traceId, ends, onRefusal, db: services.pool, snapshot: undefined };
}

/**
 * The result of `run`, which executes a query in the context it is given: all of its fields are read from one snapshot,
 * opened by the first that reads. The snapshot ends with `run`, however that ends.
 */
export async function executeInSnapshot<Result>(
  context: Context,
  run: (context: Context) => Result | Promise<Result>,
): Promise<Result> {
  const snapshot = context.services.snapshots(context.ledger);
  try {
    return await run({ ...context, db: snapshot, snapshot });
  } finally {
    // The answer does not wait for the connection to be given back.
    void snapshot.end();
  }
}

/** Who calls. Scopes have seen to it already; this says so to the compiler. */
export function callerOf({ caller }: Context): Caller {
  if (caller === undefined) throw graphqlError("UNAUTHENTICATED", "Sign in: send `Authorization: Bearer <token>`.");
  return caller;
}

export function viewerOf(context: Context): Principal {
  return callerOf(context).principal;
}
