import { isLedgerId, type LedgerEntry, type LedgerId } from "../../../facts/entry.ts";
import { regionOfLedger } from "../../visibility/regions.ts";
import { type Chain, readChains } from "./chains.ts";
import { type EdgeSource, type ProvenEdge, proveEdges } from "./proven-edges.ts";
import { type Beginning, type Bounds, followEdges, type Stop, type Way } from "./statement.ts";
import { unfollowedOf } from "./unfollowed.ts";

export type Direction = Way | "BOTH";

/** Edges from where it starts that a walk follows at most. */
export const MAX_WALK_DEPTH = 10;
/** Chains and edges that a walk returns at most. */
export const MAX_WALK_CHAINS = 200;
export const MAX_WALK_EDGES = 500;
/** Rows that each level of a walk looks at, at most. */
const MAX_ROWS = 20_000;
/** Milliseconds by which clocks of databases may differ. */
const CLOCKS_APART = 300_000;

/** An edge of which both ends are known. */
export interface WalkedEdge extends ProvenEdge {
  readonly sourceChain: string;
}

export interface Walk {
  /** The chains that were reached, that where it started first. */
  readonly chains: readonly Chain[];
  readonly edges: readonly WalkedEdge[];
  /** Whether there is more than the limits of depth and size, or than the entries of writes name. */
  readonly truncated: boolean;
  /**
   * Regions that edges lead to or may come from, and that the caller may not read, or that this server does not serve, or of reads there
   * of which entries do not name the chain.
   */
  readonly otherRegions: readonly string[];
  /** Those that could not be read, now or when a write was proposed. */
  readonly unreadRegions: readonly string[];
}

/** Where a walk starts. */
export interface Start extends Beginning {
  readonly chain: Chain;
  /** RFC 3339. */
  readonly at: string | undefined;
  /** Upstream, of a write: its proposal. */
  readonly proposal?: LedgerEntry | undefined;
}

/** The regions of an organization that a caller may read, and that can be read. */
export interface Regions {
  /** By the name of the region, in the order in which they are read. */
  readonly sources: ReadonlyMap<string, EdgeSource>;
  /** Those that the caller may read and that cannot be read now. */
  readonly unread: readonly string[];
  /** Is told why a region could not be read any more; throws what no region is to blame for. */
  failed(region: string, error: unknown): void;
}

const FOREVER = "infinity";
const ALWAYS = "-infinity";

/**
 * The chains that data may have come from or gone to, up to `depth` edges from `start`, with the edges between them, in all regions of the
 * caller: of two edges on a way, the one nearer to the source was recorded before. Each region is asked once for as many steps as it can be
 * followed alone.
 */
export async function walkLineage(regions: Regions, start: Start, direction: Direction, depth: number): Promise<Walk> {
  const collected = createCollection(start.chain, regions.unread);
  if (direction !== "DOWNSTREAM") await walkOneWay(regions, start, "UPSTREAM", depth, collected);
  if (direction !== "UPSTREAM") await walkOneWay(regions, start, "DOWNSTREAM", depth, collected);
  return collected.walk();
}

type Collection = ReturnType<typeof createCollection>;

/** What a walk has found so far. */
function createCollection(start: Chain, unreadBefore: readonly string[]) {
  const chains = new Map([[keyOf(start), start]]);
  const edges = new Map<string, WalkedEdge>();
  const others = new Set<string>();
  const unread = new Set(unreadBefore);
  let truncated = false;
  return {
    truncate() {
      truncated = true;
    },
    leadsTo(region: string) {
      others.add(region);
    },
    isUnread(region: string) {
      unread.add(region);
    },
    /** Takes what a write may rest on beyond its edges. */
    addUnfollowed(ledger: LedgerId, entry: LedgerEntry) {
      const { isMore, ledgers, unread: unasked } = unfollowedOf(ledger, entry);
      if (isMore) truncated = true;
      for (const other of ledgers) others.add(regionOf(other));
      for (const region of unasked) unread.add(region);
    },
    /** Takes an edge that leads on from a chain that was reached. */
    add(edge: WalkedEdge, way: Way): void {
      const source: Chain = { ledger: edge.sourceLedger, chain: edge.sourceChain, platform: edge.sourcePlatform ?? "" };
      const written: Chain = { ledger: edge.ledger, chain: edge.chain, platform: edge.platform };
      const [from, to] = way === "UPSTREAM" ? [written, source] : [source, written];
      if (!chains.has(keyOf(from))) return;
      const pair = `${keyOf(source)} ${keyOf(written)}`;
      const known = edges.get(pair);
      if (known !== undefined) {
        if (tellsMore(edge, known)) edges.set(pair, edge);
        return;
      }
      if (edges.size >= MAX_WALK_EDGES || (!chains.has(keyOf(to)) && chains.size >= MAX_WALK_CHAINS)) {
        truncated = true;
        return;
      }
      edges.set(pair, edge);
      if (!chains.has(keyOf(to))) chains.set(keyOf(to), to);
    },
    isFull: () => edges.size >= MAX_WALK_EDGES || chains.size >= MAX_WALK_CHAINS,
    bounds: (): Bounds => ({ chains: MAX_WALK_CHAINS, edges: MAX_WALK_EDGES, rows: MAX_ROWS }),
    walk(): Walk {
      const otherRegions = [...others].filter((region) => !unread.has(region)).sort();
      const [found, unreadRegions] = [[...edges.values()], [...unread].sort()];
      return { chains: [...chains.values()], edges: found, truncated, otherRegions, unreadRegions };
    },
  };
}

const keyOf = ({ ledger, chain }: Pick<Stop, "ledger" | "chain">) => `${ledger} ${chain}`;

function tellsMore(one: WalkedEdge, other: WalkedEdge): boolean {
  return (one.strength ?? 0) > (other.strength ?? 0);
}

async function walkOneWay(
  regions: Regions,
  { chain: { ledger, chain }, at, writeAt, readsAt, proposal }: Start,
  way: Way,
  depth: number,
  collected: Collection,
): Promise<void> {
  const upstream = way === "UPSTREAM";
  const first: Stop = { ledger, chain, at: at ?? (upstream ? FOREVER : ALWAYS), left: Math.min(depth, MAX_WALK_DEPTH) };
  const waiting = createWaiting(regions, way, collected);
  let beginning: Beginning = { writeAt, readsAt };
  const isRestricted = writeAt !== undefined || readsAt !== undefined;
  waiting.add(first, { region: regionOf(ledger), clock: ledger, isRestricted });
  if (!upstream) waiting.addElsewhere(first, { isRestricted });
  // It may have no edges.
  if (upstream && proposal !== undefined && isLedgerId(ledger)) collected.addUnfollowed(ledger, proposal);
  for (let round = 0; round <= MAX_WALK_DEPTH; round++) {
    const batch = waiting.take();
    if (batch.length === 0) return;
    for (const { region, source, stops } of batch) {
      try {
        const found = await followEdges(source, way, stops, beginning, collected.bounds());
        const proven = await proveEdges(source, found.edges);
        const { edges, hidden, others } = await withVisibleEnds(regions, source, way, proven);
        if (found.isCut) collected.truncate();
        if (upstream) for (const entry of entriesOf(proven)) collected.addUnfollowed(source.ledger, entry);
        for (const other of others) collected.leadsTo(other);
        for (const edge of edges) collected.add(edge, way);
        for (const stop of found.reached) {
          if (!upstream) waiting.addElsewhere(stop);
          else if (stop.ledger !== source.ledger && !hidden.has(keyOf(stop))) {
            waiting.add(stop, { region: regionOf(stop.ledger), clock: source.ledger });
          }
        }
      } catch (error) {
        // Where the walk starts there is nothing to show without it.
        if (source.ledger === ledger) throw error;
        regions.failed(region, error);
        collected.isUnread(region);
      }
    }
    if (waiting.isEmpty()) return;
    if (collected.isFull()) {
      collected.truncate();
      return;
    }
    beginning = {};
  }
}

const entriesOf = (edges: readonly ProvenEdge[]) => new Map(edges.map(({ entry }) => [entry.seq, entry])).values();

const regionOf = (ledger: string) => (isLedgerId(ledger) ? regionOfLedger(ledger) : "");

interface Look {
  /** Where edges are looked for. */
  readonly region: string;
  /** The ledger that the time of the stop is by. */
  readonly clock: string;
  /** Whether only some of its edges are followed, so that it is looked at again when it is reached again. */
  readonly isRestricted?: boolean;
}

/** Stops to go on from, by the region where edges from them are looked for. */
function createWaiting({ sources }: Regions, way: Way, collected: Collection) {
  const stops = new Map<string, Stop[]>();
  const seen = new Map<string, Stop[]>();

  function add(reached: Stop, { region, clock, isRestricted = false }: Look): void {
    const source = sources.get(region);
    if (source === undefined) {
      collected.leadsTo(region);
      return;
    }
    const stop = source.ledger === clock || !isTime(reached.at) ? reached : apart(reached, way);
    const place = `${region} ${keyOf(stop)}`;
    const known = seen.get(place) ?? [];
    if (known.some((other) => other.left >= stop.left && isAsGood(way, other.at, stop.at))) return;
    if (!isRestricted) seen.set(place, [...known, stop]);
    stops.set(region, [...(stops.get(region) ?? []), stop]);
  }

  return {
    add,
    /** Downstream, where the time of a stop is by its own ledger. */
    addElsewhere(stop: Stop, { isRestricted = false } = {}) {
      for (const [region, { ledger }] of sources) {
        if (ledger !== stop.ledger) add(stop, { region, clock: stop.ledger, isRestricted });
      }
    },
    isEmpty: () => stops.size === 0,
    take() {
      const batch = [...sources].flatMap(([region, source]) => {
        const own = stops.get(region);
        if (own === undefined) return [];
        if (own.length > MAX_WALK_CHAINS) collected.truncate();
        return [{ region, source, stops: own.slice(0, MAX_WALK_CHAINS) }];
      });
      stops.clear();
      return batch;
    },
  };
}

const isTime = (at: string) => at !== FOREVER && at !== ALWAYS;

function isAsGood(way: Way, one: string, other: string): boolean {
  const [a, b] = [timeOf(one), timeOf(other)];
  return way === "UPSTREAM" ? a >= b : a <= b;
}

function timeOf(at: string): number {
  if (at === FOREVER) return Number.POSITIVE_INFINITY;
  return at === ALWAYS ? Number.NEGATIVE_INFINITY : Date.parse(at);
}

/** A time of one database by the clock of another: none is missed for clocks that differ. */
function apart(stop: Stop, way: Way): Stop {
  const shift = way === "UPSTREAM" ? CLOCKS_APART : -CLOCKS_APART;
  return { ...stop, at: new Date(Date.parse(stop.at) + shift).toISOString() };
}

/** `edges` without those of which the caller may not see the other end, which can be in another region. */
async function withVisibleEnds(
  regions: Regions,
  source: EdgeSource,
  way: Way,
  edges: readonly ProvenEdge[],
): Promise<Ends> {
  const named = await withPlatforms(source, edges.filter(isNamed));
  // Downstream, sources were reached where they are.
  if (way === "DOWNSTREAM") return { edges: named, hidden: new Set(), others: [] };
  const hidden = new Set<string>();
  const others: string[] = [];
  const abroad = Map.groupBy(
    named.filter((edge) => edge.sourceLedger !== source.ledger),
    (edge) => edge.sourceLedger,
  );
  for (const [ledger, there] of abroad) {
    const region = regionOf(ledger);
    const other = regions.sources.get(region);
    const isRead = other !== undefined && other.ledger === ledger;
    if (!isRead) others.push(region);
    else if (other.scopes === undefined) continue;
    const chains = there.map((edge) => edge.sourceChain);
    const visible = isRead ? await readChains(other, chains) : new Map();
    for (const chain of chains) if (!visible.has(chain)) hidden.add(keyOf({ ledger, chain }));
  }
  const shown = named.filter((edge) => !hidden.has(keyOf({ ledger: edge.sourceLedger, chain: edge.sourceChain })));
  return { edges: shown, hidden, others };
}

interface Ends {
  readonly edges: readonly WalkedEdge[];
  /** Chains that the caller may not see. */
  readonly hidden: ReadonlySet<string>;
  /** Regions of such chains that the caller may not read. */
  readonly others: readonly string[];
}

const isNamed = (edge: ProvenEdge): edge is WalkedEdge => edge.sourceChain !== null;

/** Of a source of which the entry says the chain alone, its platform is that of its first step. */
async function withPlatforms(source: EdgeSource, edges: readonly WalkedEdge[]): Promise<readonly WalkedEdge[]> {
  const without = edges.filter((edge) => edge.sourcePlatform === null && edge.sourceLedger === source.ledger);
  if (without.length === 0) return edges;
  const chains = await readChains(
    source,
    without.map(({ sourceChain }) => sourceChain),
  );
  return edges.flatMap((edge) => {
    if (edge.sourcePlatform !== null || edge.sourceLedger !== source.ledger) return [edge];
    const chain = chains.get(edge.sourceChain);
    return chain === undefined ? [] : [{ ...edge, sourcePlatform: chain.platform }];
  });
}
