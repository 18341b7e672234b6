import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { entryInScope, type ReadScope } from "../../ledger/read-scope.ts";

export type Direction = "UPSTREAM" | "DOWNSTREAM" | "BOTH";

/** Steps from the starting chain that a walk takes at most. */
export const MAX_WALK_DEPTH = 10;
/** Chains a walk visits at most. */
export const MAX_WALK_CHAINS = 100;

export interface WalkedChain {
  readonly chain: string;
  readonly platform: string;
}

/** Data may have moved from `source` to `chain`; `seq` is the first entry that records it. */
export interface WalkedEdge {
  readonly source: string;
  readonly chain: string;
  readonly seq: bigint;
}

export interface Walk {
  readonly chains: readonly WalkedChain[];
  readonly edges: readonly WalkedEdge[];
  /** Whether there is more beyond the maximum depth or number of chains. */
  readonly truncated: boolean;
}

// Each level of a walk is one look at the index of one of the two columns.
const EDGES = (column: "chain" | "source_chain", readable: string) => `
  SELECT e.source_chain AS source, e.chain, min(e.seq) AS seq
    FROM oc_audit_log e
   WHERE e.ledger = $1 AND e.${column} = ANY ($2::uuid[]) AND e.chain IS NOT NULL AND e.source_chain IS NOT NULL
     AND ${readable}
   GROUP BY e.source_chain, e.chain
   ORDER BY min(e.seq)
   LIMIT ${MAX_WALK_CHAINS + 1}`;

const PLATFORMS = (readable: string) => `
  SELECT c.chain, (SELECT e.platform FROM oc_audit_log e
                    WHERE e.ledger = $1 AND e.chain = c.chain AND e.platform IS NOT NULL
                      AND ${readable} ORDER BY e.seq LIMIT 1) AS platform
    FROM unnest($2::uuid[]) AS c(chain)`;

type Row = { readonly source: string; readonly chain: string; readonly seq: string };

export interface WalkOptions {
  readonly direction: Direction;
  readonly depth: number;
  /** Only steps in one of these are followed, and only chains with such a step are returned; undefined: all. */
  readonly scopes?: readonly ReadScope[] | undefined;
}

/** The chains data may have come from or gone to, up to `depth` steps from `start`; empty when `start` is unknown. */
export async function walkLineage(
  db: Queryable,
  ledger: LedgerId,
  start: string,
  { direction, depth, scopes }: WalkOptions,
): Promise<Walk> {
  // Both statements take the ledger and chains as $1 and $2; the parameters of `readable` follow.
  const ids: unknown[] = [];
  const readable = scopes === undefined ? "true" : entryInScope("e", scopes, (value) => `$${ids.push(value) + 2}`);
  const visited = new Set([start]);
  const edges = new Map<string, WalkedEdge>();
  let truncated = false;

  async function step(frontier: readonly string[], upstream: boolean): Promise<string[]> {
    const { rows } = await db.query<Row>(EDGES(upstream ? "chain" : "source_chain", readable), [
      ledger,
      frontier,
      ...ids,
    ]);
    const next: string[] = [];
    for (const { source, chain, seq } of rows) {
      const found = upstream ? source : chain;
      if (!visited.has(found)) {
        if (visited.size >= MAX_WALK_CHAINS) {
          truncated = true;
          continue;
        }
        visited.add(found);
        next.push(found);
      }
      edges.set(`${source} ${chain}`, { source, chain, seq: BigInt(seq) });
    }
    if (rows.length > MAX_WALK_CHAINS) truncated = true;
    return next;
  }

  async function walk(upstream: boolean): Promise<void> {
    let frontier = [start];
    for (let steps = Math.min(depth, MAX_WALK_DEPTH); steps > 0 && frontier.length > 0; steps--) {
      frontier = await step(frontier, upstream);
    }
    if (frontier.length === 0) return;
    const { rows } = await db.query<Row>(EDGES(upstream ? "chain" : "source_chain", readable), [
      ledger,
      frontier,
      ...ids,
    ]);
    if (rows.some(({ source, chain }) => !edges.has(`${source} ${chain}`))) truncated = true;
  }

  if (direction !== "DOWNSTREAM") await walk(true);
  if (direction !== "UPSTREAM") await walk(false);
  const { rows } = await db.query<{ chain: string; platform: string | null }>(PLATFORMS(readable), [
    ledger,
    [...visited],
    ...ids,
  ]);
  const chains = rows.flatMap(({ chain, platform }) => (platform === null ? [] : [{ chain, platform }]));
  const known = new Set(chains.map(({ chain }) => chain));
  return {
    chains,
    edges: [...edges.values()].filter((edge) => known.has(edge.source) && known.has(edge.chain)),
    truncated,
  };
}
