import type { Caller, Principal } from "../../domain/identity/principal.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { createAttemptReads } from "../actions/attempts.ts";
import { type ChainReads, createChainReads } from "../lineage/chains.ts";
import type { Batch } from "./batch.ts";
import { graphqlError } from "./errors.ts";
import type { ActionRow, EntryRow } from "./rows.ts";
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
  /** Hears of each refusal that becomes a user error. */
  readonly onRefusal: (code: string) => void;
  readonly chains: ChainReads;
  /** The refused attempts on an action, oldest first. */
  readonly attempts: Batch<string, EntryRow[]>;
  /** What a mutation of this operation answered, so that its selection reads nothing again. */
  readonly known: {
    readonly actions: Map<string, ActionRow>;
    readonly entries: Map<bigint, EntryRow>;
  };
}

export type OperationOptions = Pick<Context, "caller" | "traceId" | "ends" | "onRefusal">;

export function createContext(services: Services, operation: OperationOptions): Context {
  const { caller, traceId, ends, onRefusal } = operation;
  const ledger: LedgerId = `${caller?.principal.organization ?? ""}/${services.region}`;
  const chains = createChainReads(services.pool, ledger);
  const attempts = createAttemptReads(services.pool, ledger);
  const known = { actions: new Map(), entries: new Map() };
  return { services, caller, ledger, traceId, ends, onRefusal, chains, attempts, known };
}

/** Who calls. Scopes have seen to it already; this says so to the compiler. */
export function callerOf({ caller }: Context): Caller {
  if (caller === undefined) throw graphqlError("UNAUTHENTICATED", "Sign in: send `Authorization: Bearer <token>`.");
  return caller;
}

export function viewerOf(context: Context): Principal {
  return callerOf(context).principal;
}
