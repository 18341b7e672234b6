import type { ServerResponse } from "node:http";

/** Bounds the bytes that wait for clients to read them, of all connections together. */
export interface Unread {
  /**
   * Counts `bytes` as waiting for `owner` until the returned function is called. When too many wait, those of whoever has the most of
   * them are dropped, the largest first: `drop` closes their connection. Others are not affected.
   */
  hold(owner: string, bytes: number, drop: () => void): () => void;
  /** Bytes that wait. */
  waiting(): number;
}

interface Held {
  readonly bytes: number;
  readonly drop: () => void;
}

/** Smaller ones are bounded by the number of connections. */
const SMALL = 4_096;

const nothing = () => {};

/** @param onDropped called for each connection that is closed */
export function createUnread(limit: number, onDropped: () => void): Unread {
  const owners = new Map<string, { bytes: number; readonly held: Set<Held> }>();
  let total = 0;

  function release(owner: string, one: Held): void {
    const theirs = owners.get(owner);
    if (theirs === undefined || !theirs.held.delete(one)) return;
    theirs.bytes -= one.bytes;
    total -= one.bytes;
    if (theirs.held.size === 0) owners.delete(owner);
  }

  function dropLargest(): void {
    let owner = "";
    let most = { bytes: -1, held: new Set<Held>() };
    for (const [name, theirs] of owners) if (theirs.bytes > most.bytes) [owner, most] = [name, theirs];
    const [largest] = [...most.held].sort((one, other) => other.bytes - one.bytes);
    if (largest === undefined) return;
    release(owner, largest);
    onDropped();
    largest.drop();
  }

  return {
    hold(owner, bytes, drop) {
      if (bytes < SMALL) return nothing;
      const one = { bytes, drop };
      const theirs = owners.get(owner) ?? { bytes: 0, held: new Set() };
      theirs.held.add(one);
      theirs.bytes += bytes;
      total += bytes;
      owners.set(owner, theirs);
      while (total > limit && owners.size > 0) dropLargest();
      return () => release(owner, one);
    },
    waiting: () => total,
  };
}

/** Those whose pieces are counted already. */
const counting = new WeakSet<ServerResponse>();

type Write = (chunk?: unknown, ...rest: readonly unknown[]) => unknown;

/** Counts what is written to `response` from now on, a piece until it was sent and the last one until the response is closed. */
export function holdUnread(response: ServerResponse, unread: Unread, owner: string): void {
  if (counting.has(response)) return;
  counting.add(response);
  const write = response.write.bind(response) as Write;
  const end = response.end.bind(response) as Write;
  const hold = (chunk: unknown) => unread.hold(owner, sizeOf(chunk), () => response.destroy());
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
