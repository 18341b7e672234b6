import type { StateOf } from "../../facts/registry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import { placeSteps, type WantedStep } from "./consecutive-steps.ts";
import type { DatabaseClock } from "./database-clock.ts";
import { createOpenChains, idOf } from "./open-chains.ts";
import { createChainProofs } from "./proof.ts";
import { type RouteKey, readRoute, type Source } from "./routes.ts";

/** The place of one step. Exactly one of `recorded` and `failed` must be called when its append has ended. */
export interface RoutedStep {
  readonly chain: string;
  /** The states of chains that the entry of this step moves: where it starts a chain, that one and the one it closes. */
  readonly states: readonly StateOf<"CHAIN">[];
  readonly source: Source | undefined;
  /** The entry is in the ledger: the chain exists, and was last seen then. */
  recorded(at: Date): void;
  /** The entry is not: `moved` when the append refused it because the chain is not, or no longer, the open one. */
  failed(moved: boolean): void;
}

export interface Routing {
  /** The place of the next step of `key` on `platform`. Reads the database at most once, and not at all as a rule. */
  step(key: RouteKey, platform: string, writes: boolean): Promise<RoutedStep>;
  /**
   * The places of several steps, to be recorded together and in this order: a step may build on those before it. Reads the
   * database at most once.
   */
  steps(wanted: readonly WantedStep[]): Promise<readonly RoutedStep[]>;
}

export interface RoutingOptions {
  readonly ledgers: Pick<Ledgers, "damaged">;
  readonly db: Queryable;
  readonly clock: DatabaseClock;
  /** Idle seconds that end a chain. */
  readonly chainIdle: number;
  /** How many seconds old a read may be and still count as a possible source. */
  readonly sessionWindow: number;
  /** Keys remembered. */
  readonly remembered?: number;
}

export function createRouting(options: RoutingOptions): Routing {
  const { ledgers, db, clock } = options;
  const proofs = createChainProofs(db, ledgers);
  const chains = createOpenChains({ ...options, proofs });
  return {
    async step(key, platform, writes) {
      const id = idOf(key);
      let route = await chains.unhindered(id, platform);
      const now = clock.now()?.getTime();
      if (route !== undefined && now !== undefined && !chains.isIdle(route, now)) {
        const joins = route.platform === platform;
        if (joins && !writes) return chains.take(id, route, undefined);
        if (joins && route.source !== undefined) return chains.take(id, route, chains.within(route.source, now));
        if (!joins && !writes) return chains.take(id, chains.begin(key, platform, now, route), undefined, true);
      }
      const read = await readRoute({ db, proofs }, key, platform, writes);
      clock.observe(read.now);
      const moment = read.now.getTime();
      // Somebody else of this process may have gone on while we read.
      route = chains.adopt(id, await chains.unhindered(id, platform), read.current);
      const starts =
        route === undefined || route.platform !== platform || (route.confirmed && chains.isIdle(route, moment));
      const at = route === undefined || starts ? chains.begin(key, platform, moment, route) : route;
      // A reader that sees this chain sees everything before it: appends to one ledger commit one after the other.
      if (writes && read.current?.chain === at.chain) at.source = read.source ?? null;
      return chains.take(id, at, chains.within(read.source, moment), starts);
    },
    steps: (wanted) => placeSteps({ db, proofs, clock, chains }, wanted),
  };
}
