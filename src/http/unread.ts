import type { ServerResponse } from "node:http";

/** Who is to read: a principal of an organization. */
export interface Reader {
  readonly organization: string;
  /** Of the principal, or of what else counts by itself in the organization. */
  readonly id: string;
}

/** Bounds the bytes that wait for clients to read them, of all connections together. */
export interface Unread {
  /**
   * Counts `bytes` as waiting for `reader` until the returned function is called. When too many wait, those of the organization that has the
   * most, and in it of the reader that has the most, are dropped, the largest first: `drop` closes their connection. Others are not affected.
   */
  hold(reader: Reader, bytes: number, drop: () => void): () => void;
  /** Bytes that wait. */
  waiting(): number;
}

interface Held {
  readonly bytes: number;
  readonly drop: () => void;
}

/** What waits for one reader. */
interface Waiting {
  bytes: number;
  readonly held: Set<Held>;
}

/** What waits for the readers of an organization, by their ids. */
interface WaitingTogether {
  bytes: number;
  readonly readers: Map<string, Waiting>;
}

/** Smaller ones are bounded by the number of connections. */
const SMALL = 4_096;

const nothing = () => {};

/** The key of what has the most bytes. Scanned only while there is too much in all. */
function largestOf(sizes: ReadonlyMap<string, { readonly bytes: number }>): string {
  let largest = "";
  let most = -1;
  for (const [key, { bytes }] of sizes) if (bytes > most) [largest, most] = [key, bytes];
  return largest;
}

/** @param onDropped called for each connection that is closed */
export function createUnread(limit: number, onDropped: () => void): Unread {
  const organizations = new Map<string, WaitingTogether>();
  let total = 0;

  function add({ organization, id }: Reader, one: Held): void {
    const theirs = organizations.get(organization) ?? { bytes: 0, readers: new Map<string, Waiting>() };
    const own = theirs.readers.get(id) ?? { bytes: 0, held: new Set() };
    organizations.set(organization, theirs);
    theirs.readers.set(id, own);
    own.held.add(one);
    own.bytes += one.bytes;
    theirs.bytes += one.bytes;
    total += one.bytes;
  }

  function release({ organization, id }: Reader, one: Held): void {
    const theirs = organizations.get(organization);
    const own = theirs?.readers.get(id);
    if (theirs === undefined || own === undefined || !own.held.delete(one)) return;
    own.bytes -= one.bytes;
    theirs.bytes -= one.bytes;
    total -= one.bytes;
    if (own.held.size === 0) theirs.readers.delete(id);
    if (theirs.readers.size === 0) organizations.delete(organization);
  }

  function dropLargest(): void {
    const organization = largestOf(organizations);
    const readers = organizations.get(organization)?.readers ?? new Map<string, Waiting>();
    const id = largestOf(readers);
    const [largest] = [...(readers.get(id)?.held ?? [])].sort((one, other) => other.bytes - one.bytes);
    if (largest === undefined) return;
    release({ organization, id }, largest);
    onDropped();
    largest.drop();
  }

  return {
    hold(reader, bytes, drop) {
      if (bytes < SMALL) return nothing;
      const one = { bytes, drop };
      add(reader, one);
      while (total > limit && organizations.size > 0) dropLargest();
      return () => release(reader, one);
    },
    waiting: () => total,
  };
}

/** Those whose pieces are counted already. */
const counting = new WeakSet<ServerResponse>();

type Write = (chunk?: unknown, ...rest: readonly unknown[]) => unknown;

/** Counts what is written to `response` from now on, a piece until it was sent and the last one until the response is closed. */
export function holdUnread(response: ServerResponse, unread: Unread, reader: Reader): void {
  if (counting.has(response)) return;
  counting.add(response);
  const write = response.write.bind(response) as Write;
  const end = response.end.bind(response) as Write;
  const hold = (chunk: unknown) => unread.hold(reader, sizeOf(chunk), () => response.destroy());
  const counted = {
    write(chunk?: unknown, ...rest: readonly unknown[]) {
      const release = hold(chunk);
      if (release === nothing) return write(chunk, ...rest);
      response.once("close", release);
      const sent = () => {
        response.off("close", release);
        release();
      };
      const done = rest.at(-1);
      const encoding = typeof rest[0] === "string" ? [rest[0]] : [];
      return write(chunk, ...encoding, (...results: readonly unknown[]) => {
        sent();
        if (typeof done === "function") done(...results);
      });
    },
    end(chunk?: unknown, ...rest: readonly unknown[]) {
      const release = hold(chunk);
      if (release !== nothing) response.once("close", release);
      return end(chunk, ...rest);
    },
  };
  Object.assign(response, counted);
}

function sizeOf(chunk: unknown): number {
  if (typeof chunk === "string") return Buffer.byteLength(chunk);
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}
