import { GraphQLError } from "graphql";
import { DomainError } from "../../../errors.ts";
import { LedgerDamagedError, LedgerUnavailableError } from "../../../ledger/errors.ts";
import { type Context, inRegion, regionsOf, whereRecorded } from "../context.ts";
import { badUserInput } from "../errors.ts";
import { LAST_POSITION, type Page, type PageArguments, pageSize } from "../page.ts";
import { type Position, readingAt } from "../position.ts";

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
  /** How many of its nodes are on the page. */
  taken: number;
  /** How many of them `shown` was told of; undefined: it was not called yet. */
  told: number | undefined;
}

/** Where a page continues in each region, by its name. */
type Positions = ReadonlyMap<string, bigint>;

/** Whether a list is to be of all regions of the caller: where nothing names a region, and there are several. */
export function isOfAllRegions(context: Context, region: string | null | undefined): boolean {
  const [first, ...others] = regionsOf(context);
  return (region ?? undefined) === undefined && context.services.region === first && others.length > 0;
}

/** What there is of each region that could be read, and why each of the others could not. */
export interface ReadRegions<Part> {
  readonly parts: readonly Part[];
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Reads in all regions of the caller, one after the other. What goes wrong in one keeps no other from being read, and is reported. Throws
 * when nothing can be read in any, and what no region is to blame for.
 *
 * @param milliseconds that each region has
 */
export async function readRegions<Part>(
  context: Context,
  read: (local: Context) => Promise<Part>,
  milliseconds = PATIENCE,
): Promise<ReadRegions<Part>> {
  const parts: Part[] = [];
  const failures = new Map<string, unknown>();
  const refusals: GraphQLError[] = [];
  // All operations in the same order: each holds a connection of those before.
  for (const region of regionsOf(context)) {
    try {
      parts.push(await inTime(read(inRegion(context, region)), milliseconds));
    } catch (error) {
      // What a filter names may be known in another region.
      if (isBadInput(error)) refusals.push(error);
      else if (isOfCall(error)) throw error;
      else failures.set(region, error);
    }
  }
  const [failure] = [...refusals, ...failures.values()];
  if (parts.length === 0 && failure !== undefined) throw failure;
  for (const [region, error] of failures) noteUnread(context, region, error);
  return { parts, failures };
}

/**
 * A page of what the caller may see in all regions, in the order in which it was recorded by the clocks of their databases. A region that
 * cannot be read, or where it cannot be recorded that it was, is named in `unreadRegions`, and what it has comes later, when it can. Throws
 * when none can.
 */
export async function mergedPage<Node>(
  context: Context,
  args: PageArguments,
  list: MergedList<Node>,
): Promise<Page<Node>> {
  const size = pageSize(args);
  const before = decodePositions(args.after);
  const read = await readRegions(context, async (local): Promise<Part<Node>> => {
    const { region } = local.services;
    const asOf = await readingAt(local);
    const { nodes, stoppedAt } = await list.read(local, { after: before.get(region), limit: size + 1 });
    return { region, local, asOf, nodes, stoppedAt, taken: 0, told: undefined };
  });
  const failures = new Map(read.failures);
  let parts = read.parts;
  for (;;) {
    const page = merged(parts, { list, size, before });
    const untold = await tell(parts, list);
    if (untold.size === 0) return { ...page, unreadRegions: [...failures.keys()] };
    for (const [region, error] of untold) failures.set(region, error);
    parts = parts.filter(({ region }) => !untold.has(region));
    if (parts.length === 0) throw [...untold.values()][0];
    for (const [region, error] of untold) noteUnread(context, region, error);
  }
}

interface Merging<Node> {
  readonly list: MergedList<Node>;
  readonly size: number;
  readonly before: Positions;
}

function merged<Node>(parts: readonly Part<Node>[], { list, size, before }: Merging<Node>): Page<Node> {
  const positions = new Map(before);
  const edges: { readonly cursor: string; readonly node: Node }[] = [];
  for (const part of parts) part.taken = 0;
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
  return {
    edges,
    pageInfo: {
      hasNextPage,
      hasPreviousPage: before.size > 0,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: positions.size === 0 ? null : encodePositions(positions),
    },
    asOf: parts.flatMap(({ asOf }) => asOf),
  };
}

/** Tells the list what of each region is on the page, beyond what it was told before. Returns why it could not be told, by region. */
async function tell<Node>(parts: readonly Part<Node>[], { shown }: MergedList<Node>): Promise<Map<string, unknown>> {
  const untold = new Map<string, unknown>();
  if (shown === undefined) return untold;
  for (const part of parts) {
    const count = Math.max(0, part.taken - (part.told ?? 0));
    if (part.told !== undefined && count === 0) continue;
    try {
      await shown(part.local, count);
      part.told = part.taken;
    } catch (error) {
      if (isOfCall(error)) throw error;
      untold.set(part.region, error);
    }
  }
  return untold;
}

export function isBadInput(error: unknown): error is GraphQLError {
  return error instanceof GraphQLError && error.extensions.code === "BAD_USER_INPUT";
}

/** Codes of errors that the caller can do something about: asking for less, or later. */
const OF_CALL: ReadonlySet<string> = new Set(["QUERY_TOO_COMPLEX", "RATE_LIMITED", "RESPONSE_TOO_LARGE"]);

/** Whether it is about the call, and not about what a region has. */
export function isOfCall(error: unknown): boolean {
  return error instanceof GraphQLError || (error instanceof DomainError && OF_CALL.has(error.code));
}

/** The same is said of it as where the region is read alone, but to operators only. */
export function noteUnread(context: Context, region: string, error: unknown): void {
  if (error instanceof LedgerDamagedError) whereRecorded(context, region).services.ledgers.damaged(error);
  else if (!(error instanceof LedgerUnavailableError)) context.onFault(error);
}

/** Milliseconds that a region has: more than a search takes before it is cut short. */
const PATIENCE = 8_000;

export function inTime<Result>(work: Promise<Result>, milliseconds = PATIENCE): Promise<Result> {
  const late = new LedgerUnavailableError("the region does not respond", 1);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late), milliseconds);
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

const CURSOR = /^regions:([a-z0-9-]{1,63}=[1-9]\d{0,18}(?:,[a-z0-9-]{1,63}=[1-9]\d{0,18})*)$/;

export function encodePositions(positions: Positions): string {
  const text = [...positions].map(([region, position]) => `${region}=${position}`).join(",");
  return Buffer.from(`regions:${text}`).toString("base64url");
}

export function decodePositions(after: string | null | undefined): Positions {
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
