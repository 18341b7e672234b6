import { LRUCache } from "lru-cache";
import type { StateOf } from "../../facts/registry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { chainIdOf } from "./chain-id.ts";
import type { DatabaseClock } from "./database-clock.ts";
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
}

export interface RoutingOptions {
  readonly db: Queryable;
  readonly clock: DatabaseClock;
  /** Idle seconds that end a chain. */
  readonly chainIdle: number;
  /** How many seconds old a read may be and still count as a possible source. */
  readonly sessionWindow: number;
  /** Keys remembered. */
  readonly remembered?: number;
}

/** The cached chain of one key. Replaced when it turns out to be outdated. */
interface Known {
  readonly number: number;
  /** The chain that this one closes. */
  readonly before: Known | undefined;
  readonly chain: string;
  readonly platform: string;
  /** Milliseconds since the epoch. */
  lastSeen: number;
  /** Some entry of it is in the ledger. Until then others may join it, but nobody builds on it. */
  confirmed: boolean;
  /** Resolves when it is confirmed or given up. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  /**
   * The source of its writes. Once this chain is in the database every earlier one is closed, so what is found from then
   * on is final; null: there is none; undefined: not looked up since.
   */
  source: Source | null | undefined;
}

export function createRouting(options: RoutingOptions): Routing {
  const { db, clock } = options;
  const known = new LRUCache<string, Known>({ max: options.remembered ?? 50_000 });

  function isIdle(route: Known, now: number): boolean {
    return now - route.lastSeen >= options.chainIdle * 1000;
  }

  function within(source: Source | null | undefined, now: number): Source | undefined {
    return source && now - source.readAt.getTime() <= options.sessionWindow * 1000 ? source : undefined;
  }

  /** Another platform's chain that is still being started must exist before the next can be numbered after it. */
  async function unhindered(id: string, platform: string): Promise<Known | undefined> {
    for (;;) {
      const route = known.get(id);
      if (route === undefined || route.confirmed || route.platform === platform) return route;
      await route.settled;
    }
  }

  function remember(
    id: string,
    place: Pick<Known, "number" | "chain" | "platform" | "lastSeen">,
    before?: Known,
  ): Known {
    const { promise, resolve } = Promise.withResolvers<void>();
    const route: Known = {
      ...place,
      before: before && { ...before, before: undefined },
      confirmed: false,
      settled: promise,
      settle: resolve,
      source: undefined,
    };
    known.set(id, route);
    return route;
  }

  function confirm(route: Known, at: number): void {
    route.confirmed = true;
    route.lastSeen = Math.max(route.lastSeen, at);
    route.settle();
  }

  function forget(id: string, route: Known): void {
    if (known.get(id) === route) known.delete(id);
    route.settle();
  }

  /** The chain of `key` that follows `before`. Its id follows from its place, so of two that start it one is refused. */
  function begin(key: RouteKey, id: string, platform: string, now: number, before: Known | undefined): Known {
    const number = (before?.number ?? 0) + 1;
    return remember(id, { number, chain: chainIdOf(key, number), platform, lastSeen: now }, before);
  }

  function take(id: string, route: Known, source: Source | undefined, starts = false): RoutedStep {
    return {
      chain: route.chain,
      states: starts ? statesOfStart(route) : [],
      source,
      recorded: (at) => confirm(route, at.getTime()),
      failed(moved) {
        if (moved || !route.confirmed) forget(id, route);
      },
    };
  }

  return {
    async step(key, platform, writes) {
      const id = `${key.ledger}\0${key.principalId}\0${key.onBehalfOfId}\0${key.conversation}`;
      let route = await unhindered(id, platform);
      const now = clock.now()?.getTime();
      if (route !== undefined && now !== undefined && !isIdle(route, now)) {
        const joins = route.platform === platform;
        if (joins && !writes) return take(id, route, undefined);
        if (joins && route.source !== undefined) return take(id, route, within(route.source, now));
        if (!joins && !writes) return take(id, begin(key, id, platform, now, route), undefined, true);
      }
      const read = await readRoute(db, key, platform, writes);
      clock.observe(read.now);
      const moment = read.now.getTime();
      // Somebody else of this process may have gone on while we read.
      route = await unhindered(id, platform);
      if (read.current !== undefined && (route === undefined || read.current.number > route.number)) {
        const { number, chain, platform: at, lastSeen } = read.current;
        route = remember(id, { number, chain, platform: at, lastSeen: lastSeen.getTime() });
        confirm(route, lastSeen.getTime());
      } else if (route !== undefined && read.current?.chain === route.chain) {
        confirm(route, read.current.lastSeen.getTime());
      }
      const starts = route === undefined || route.platform !== platform || (route.confirmed && isIdle(route, moment));
      const at = route === undefined || starts ? begin(key, id, platform, moment, route) : route;
      // A reader that sees this chain sees everything before it: appends to one ledger commit one after the other.
      if (writes && read.current?.chain === at.chain) at.source = read.source ?? null;
      return take(id, at, within(read.source, moment), starts);
    },
  };
}

function statesOfStart({ chain, number, platform, before }: Known): readonly StateOf<"CHAIN">[] {
  const started: StateOf<"CHAIN"> = {
    kind: "CHAIN",
    id: chain,
    version: 1,
    state: { status: "OPEN", number, platform },
  };
  if (before === undefined) return [started];
  const closed = { status: "CLOSED" as const, number: before.number, platform: before.platform };
  return [started, { kind: "CHAIN", id: before.chain, version: 2, state: closed }];
}
