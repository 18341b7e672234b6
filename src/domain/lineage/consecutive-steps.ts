import type { DatabaseClock } from "./database-clock.ts";
import { idOf, type Known, type OpenChains } from "./open-chains.ts";
import { type Asked, type Route, type RouteSource, readRoutes, type Source } from "./routes.ts";
import type { RoutedStep } from "./routing.ts";

/** A step that is to be placed. */
export type WantedStep = Asked;

interface Placing extends RouteSource {
  readonly clock: DatabaseClock;
  readonly chains: OpenChains;
}

/** The steps of one key, in order, each with its place among all. */
type Series = (WantedStep & { readonly at: number })[];

/**
 * The places of `wanted`, which one transaction is to record in this order. Reads the database once: a cached chain that
 * another process has closed would part the steps of several conversations into two transactions.
 */
export async function placeSteps(placing: Placing, wanted: readonly WantedStep[]): Promise<readonly RoutedStep[]> {
  const { clock, chains } = placing;
  const all = seriesOf(wanted);
  return chains.reserve([...all.keys()], async () => {
    const questions = new Map([...all].map(([id, series]) => [id, questionsOf(series)]));
    const routes = await readRoutes(placing, [...questions.values()].flat());
    for (const route of routes) clock.observe(route.now);
    const placed = new Array<RoutedStep>(wanted.length);
    let taken = 0;
    for (const [id, series] of all) {
      const asked = questions.get(id) ?? [];
      const found = routes.slice(taken, taken + asked.length);
      taken += asked.length;
      placeSeries(chains, id, series, new Map(asked.map(({ platform }, at) => [platform, found[at] as Route])), placed);
    }
    return placed;
  });
}

function seriesOf(wanted: readonly WantedStep[]): ReadonlyMap<string, Series> {
  const all = new Map<string, Series>();
  for (const [at, step] of wanted.entries()) {
    const id = idOf(step.key);
    const series = all.get(id) ?? [];
    series.push({ ...step, at });
    all.set(id, series);
  }
  return all;
}

/** What has to be read to place the steps of a series: its latest chain, and the sources of those that write. */
function questionsOf(series: Series): readonly Asked[] {
  const readOn = new Set<string>();
  const asked = new Map<string, Asked>();
  for (const { key, platform, writes } of series) {
    if (!writes) readOn.add(platform);
    // Otherwise a read that is recorded together with it, before it, is the latest.
    else if (readOn.size === 0 || (readOn.size === 1 && readOn.has(platform))) {
      asked.set(platform, { key, platform, writes });
    }
  }
  return asked.size > 0 ? [...asked.values()] : series.slice(0, 1);
}

/** Places the steps of one key. Nothing else happens meanwhile, so that each builds on the one before it. */
function placeSeries(
  chains: OpenChains,
  id: string,
  series: Series,
  read: ReadonlyMap<string, Route>,
  placed: RoutedStep[],
): void {
  const [first] = read.values();
  if (first === undefined) throw new Error("a step is placed without having read its chain");
  const moment = first.now.getTime();
  let route = chains.adopt(id, chains.get(id), first.current);
  const reads: Source[] = [];
  for (const { at, key, platform, writes } of series) {
    const starts = route === undefined || route.platform !== platform || chains.isIdle(route, moment);
    const chain: Known = route === undefined || starts ? chains.begin(key, platform, moment, route) : route;
    const latest = read.get(platform);
    if (writes && latest?.current?.chain === chain.chain) chain.source = latest.source ?? null;
    const source = reads.findLast((one) => one.platform !== platform) ?? chains.within(latest?.source, moment);
    if (!writes) reads.push({ chain: chain.chain, platform, readAt: first.now });
    placed[at] = chains.take(id, chain, writes ? source : undefined, starts);
    route = chain;
  }
}
