import { GraphQLError } from "graphql";
import { classify } from "../../db/errors.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { type Context, inRegion, regionsOf } from "./context.ts";
import { badUserInput } from "./errors.ts";
import { LAST_POSITION, type Page, type PageArguments, pageSize } from "./page.ts";
import { type Position, readingAt } from "./position.ts";

/** How a list is read in one region. */
export interface MergedList<Node> {
  /** Reads `limit` nodes behind `after`. `stoppedAt`: where looking for them ended before enough were found. */
  read(
    local: Context,
    range: { readonly after: bigint | undefined; readonly limit: number },
  ): Promise<{ readonly nodes: readonly Node[]; readonly stoppedAt?: bigint | undefined }>;
  readonly positionOf: (node: Node) => bigint;
  /** RFC 3339, with six decimals: what the order of nodes of different ledgers is by. */
  readonly recordedAtOf: (node: Node) => string;
  readonly newestFirst: boolean;
  /** Is told how many nodes of a region are on the page. */
  readonly shown?: (local: Context, count: number) => Promise<unknown>;
}

/** What was read in one region. */
interface Part<Node> {
  readonly region: string;
  readonly local: Context;
  readonly asOf: readonly Position[];
  readonly nodes: readonly Node[];
  readonly stoppedAt: bigint | undefined;
  taken: number;
}

/** Where a page continues in each region, by its name. */
type Positions = ReadonlyMap<string, bigint>;

/** Whether a list is to be of all regions of the caller: where nothing names a region, and there are several. */
export function isOfAllRegions(context: Context, region: string | null | undefined): boolean {
  const [first, ...others] = regionsOf(context);
  return (region ?? undefined) === undefined && context.services.region === first && others.length > 0;
}

/**
 * A page of what the caller may see in all regions, in the order in which it was recorded by the clocks of their databases. A region that
 * cannot be read is named in `unreadRegions`, and what it has comes later, when it can. Throws when none can.
 */
export async function mergedPage<Node>(
  context: Context,
  args: PageArguments,
  list: MergedList<Node>,
): Promise<Page<Node>> {
  const size = pageSize(args);
  const before = decodePositions(args.after);
  const parts: Part<Node>[] = [];
  const failures = new Map<string, unknown>();
  const refusals: GraphQLError[] = [];
  // One after the other, all operations in the same order: each holds a connection of those before.
  for (const region of regionsOf(context)) {
    try {
      const local = inRegion(context, region);
      const read = async (): Promise<Part<Node>> => {
        const asOf = await readingAt(local);
        const { nodes, stoppedAt } = await list.read(local, { after: before.get(region), limit: size + 1 });
        return { region, local, asOf, nodes, stoppedAt, taken: 0 };
      };
      parts.push(await inTime(read()));
    } catch (error) {
      // What a filter names may be known in another region.
      if (error instanceof GraphQLError && error.extensions.code === "BAD_USER_INPUT") refusals.push(error);
      else if (isUnread(error)) failures.set(region, error);
      else throw error;
    }
  }
  const [failure] = [...refusals, ...failures.values()];
  if (parts.length === 0) throw failure;
  const positions = new Map(before);
  const edges: { readonly cursor: string; readonly node: Node }[] = [];
  for (let next = nextOf(parts, list); next !== undefined && edges.length < size; next = nextOf(parts, list)) {
    const { part, node } = next;
    part.taken += 1;
    positions.set(part.region, list.positionOf(node));
    edges.push({ cursor: encodePositions(positions), node });
  }
  let hasNextPage = false;
  for (const { region, nodes, taken, stoppedAt } of parts) {
    const early = nodes.length <= size && stoppedAt !== undefined;
    if (taken < nodes.length || early) hasNextPage = true;
    if (taken === nodes.length && early) positions.set(region, stoppedAt);
  }
  if (list.shown !== undefined) for (const { local, taken } of parts) await list.shown(local, taken);
  return {
    edges,
    pageInfo: {
      hasNextPage,
      hasPreviousPage: before.size > 0,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: positions.size === 0 ? null : encodePositions(positions),
    },
    asOf: parts.flatMap(({ asOf }) => asOf),
    unreadRegions: [...failures.keys()],
  };
}

/** Milliseconds that a region has: more than a search takes before it is cut short. */
const PATIENCE = 8_000;

function inTime<Result>(work: Promise<Result>): Promise<Result> {
  const late = new LedgerUnavailableError("the region does not respond", 1);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late), PATIENCE);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The part that the next node is of: the latest, or the earliest, of the first that each has left. */
function nextOf<Node>(parts: readonly Part<Node>[], { recordedAtOf, newestFirst }: MergedList<Node>) {
  let next: { readonly part: Part<Node>; readonly node: Node } | undefined;
  for (const part of parts) {
    const node = part.nodes[part.taken];
    if (node === undefined) continue;
    const [one, other] = [recordedAtOf(node), next && recordedAtOf(next.node)];
    if (other === undefined || (newestFirst ? one > other : one < other)) next = { part, node };
  }
  return next;
}

/** Whether nothing can be read there now. */
function isUnread(error: unknown): boolean {
  if (error instanceof LedgerUnavailableError) return error.code === "LEDGER_UNAVAILABLE";
  return !(error instanceof GraphQLError) && classify(error) === "unavailable";
}

const CURSOR = /^regions:([a-z0-9-]{1,63}=[1-9]\d{0,18}(?:,[a-z0-9-]{1,63}=[1-9]\d{0,18})*)$/;

function encodePositions(positions: Positions): string {
  const text = [...positions].map(([region, position]) => `${region}=${position}`).join(",");
  return Buffer.from(`regions:${text}`).toString("base64url");
}

function decodePositions(after: string | null | undefined): Positions {
  if (after === undefined || after === null) return new Map();
  const [, list] = CURSOR.exec(Buffer.from(after, "base64url").toString()) ?? [];
  const positions = list?.split(",").map((item) => {
    const [region = "", position = "0"] = item.split("=");
    return [region, BigInt(position)] as const;
  });
  if (positions === undefined || positions.some(([, position]) => position > LAST_POSITION)) {
    throw badUserInput("`after` is no cursor of this list.");
  }
  return new Map(positions);
}
