import { badUserInput } from "./errors.ts";
import type { Position } from "./position.ts";

/** Default number of nodes on a page. */
export const DEFAULT_PAGE = 20;
/** Maximum number of nodes on a page. Requesting more is not an error; the page is shorter. */
export const MAX_PAGE = 100;

/** Descriptions of the arguments of every connection. */
export const FIRST = `The page size, at most ${MAX_PAGE}. Default: ${DEFAULT_PAGE}.`;
export const AFTER = "Continue after this cursor: `endCursor` of the previous page. Default: the first page.";

const CURSOR = /^seq:([1-9]\d{0,18})$/;
/** No ledger has a later one. */
export const LAST_POSITION = 2n ** 63n - 1n;

/** Arguments of a connection over ledger positions. A cursor is a position, opaque to clients. */
export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

export function pageSize({ first }: Pick<PageArguments, "first">): number {
  if (first === undefined || first === null) return DEFAULT_PAGE;
  if (first < 0) throw badUserInput("`first` is not negative.");
  return Math.min(first, MAX_PAGE);
}

/** What a page costs: once for itself, and its fields for every node. */
export function pageComplexity({ first }: Pick<PageArguments, "first">): { field: number; multiplier: number } {
  return { field: 1, multiplier: Math.max(1, Math.min(first ?? DEFAULT_PAGE, MAX_PAGE)) };
}

export function encodeCursor(position: bigint): string {
  return Buffer.from(`seq:${position}`).toString("base64url");
}

/** The position behind which the page starts; undefined for the first page. */
export function decodeCursor({ after }: Pick<PageArguments, "after">): bigint | undefined {
  if (after === undefined || after === null) return undefined;
  const [, digits] = CURSOR.exec(Buffer.from(after, "base64url").toString()) ?? [];
  const position = digits === undefined ? undefined : BigInt(digits);
  if (position === undefined || position > LAST_POSITION) throw badUserInput("`after` is no cursor of this list.");
  return position;
}

/** A page in Relay's shape. */
export interface Page<Node> {
  readonly edges: { readonly cursor: string; readonly node: Node }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly asOf: readonly Position[];
  /** Regions that could not be read; undefined: none. */
  readonly unreadRegions?: readonly string[];
}

/** What a page is made of. */
export interface Found<Node> {
  /** One node more than `size` when more follow. */
  readonly nodes: readonly Node[];
  readonly size: number;
  readonly after: bigint | undefined;
  /** Where it was read, taken before it was. */
  readonly asOf: readonly Position[];
  readonly positionOf: (node: Node) => bigint;
  /** Where looking for nodes ended before enough were found; the next page begins there. */
  readonly stoppedAt?: bigint | undefined;
}

export function pageOf<Node>({ nodes, size, after, asOf, positionOf, stoppedAt }: Found<Node>): Page<Node> {
  const edges = nodes.slice(0, size).map((node) => ({ cursor: encodeCursor(positionOf(node)), node }));
  const early = nodes.length <= size && stoppedAt !== undefined;
  return {
    edges,
    pageInfo: {
      hasNextPage: nodes.length > size || early,
      hasPreviousPage: after !== undefined,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: early ? encodeCursor(stoppedAt) : (edges.at(-1)?.cursor ?? null),
    },
    asOf,
  };
}
