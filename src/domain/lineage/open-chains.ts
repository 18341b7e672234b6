import { LRUCache } from "lru-cache";
import type { StateOf } from "../../facts/registry.ts";
import { chainIdOf } from "./chain-id.ts";
import type { ChainProofs } from "./proof.ts";
import type { CurrentChain, RouteKey, Source } from "./routes.ts";
import type { RoutedStep, RoutingOptions } from "./routing.ts";

/** The cached chain of one key. Replaced when it turns out to be outdated. */
export interface Known {
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

export function idOf({ ledger, principalId, onBehalfOfId, conversation }: RouteKey): string {
  return `${ledger}\0${principalId}\0${onBehalfOfId}\0${conversation}`;
}

export type OpenChains = ReturnType<typeof createOpenChains>;

/** The latest chain of each key as far as this process knows: a cache that the append validates. */
export function createOpenChains(options: Omit<RoutingOptions, "ledgers" | "db"> & { readonly proofs: ChainProofs }) {
  const known = new LRUCache<string, Known>({ max: options.remembered ?? 50_000 });
  /** Keys of which several steps are being placed. */
  const reserved = new Map<string, Promise<void>>();

  function isIdle(route: Known, now: number): boolean {
    return now - route.lastSeen >= options.chainIdle * 1000;
  }

  /** `source`, unless it was read too long ago. */
  function within(source: Source | null | undefined, now: number): Source | undefined {
    return source && now - source.readAt.getTime() <= options.sessionWindow * 1000 ? source : undefined;
  }

  /** Another platform's chain that is still being started must exist before the next can be numbered after it. */
  async function unhindered(id: string, platform: string): Promise<Known | undefined> {
    for (;;) {
      const placing = reserved.get(id);
      const route = known.get(id);
      if (placing !== undefined) await placing;
      else if (route === undefined || route.confirmed || route.platform === platform) return route;
      else await route.settled;
    }
  }

  /**
   * Runs `place` while no other step of these keys is placed, and none of their chains is being started. Keys are reserved in
   * one order, and whoever starts a chain waits for none, so that nobody waits for each other.
   */
  async function reserve<Result>(ids: readonly string[], place: () => Promise<Result>): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const held: string[] = [];
    try {
      for (const id of ids.toSorted()) {
        for (let placing = reserved.get(id); placing !== undefined; placing = reserved.get(id)) await placing;
        reserved.set(id, promise);
        held.push(id);
      }
      for (const id of ids) {
        for (let route = known.get(id); route?.confirmed === false; route = known.get(id)) await route.settled;
      }
      return await place();
    } finally {
      for (const id of held) reserved.delete(id);
      resolve();
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

  /** The cached chain, after what was read is taken into account; undefined when the key has no chain. */
  function adopt(id: string, route: Known | undefined, current: CurrentChain | undefined): Known | undefined {
    if (current === undefined) return route;
    const { number, chain, platform, lastSeen } = current;
    if (route === undefined || number > route.number) {
      const newer = remember(id, { number, chain, platform, lastSeen: lastSeen.getTime() });
      confirm(newer, lastSeen.getTime());
      return newer;
    }
    if (chain === route.chain) confirm(route, lastSeen.getTime());
    return route;
  }

  /** The chain of `key` that follows `before`. Its id follows from its place, so of two that start it one is refused. */
  function begin(key: RouteKey, platform: string, now: number, before: Known | undefined): Known {
    const number = (before?.number ?? 0) + 1;
    return remember(idOf(key), { number, chain: chainIdOf(key, number), platform, lastSeen: now }, before);
  }

  function take(id: string, route: Known, source: Source | undefined, starts = false): RoutedStep {
    return {
      chain: route.chain,
      states: starts ? statesOfStart(route) : [],
      source,
      recorded(at) {
        if (starts) options.proofs.recorded(route);
        confirm(route, at.getTime());
      },
      failed(moved) {
        if (moved || !route.confirmed) forget(id, route);
      },
    };
  }

  return { get: (id: string) => known.get(id), isIdle, within, unhindered, reserve, adopt, begin, take };
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
