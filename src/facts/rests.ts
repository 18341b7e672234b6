import type { JsonObject } from "./canonical.ts";

/** A thing as an entry found it. Version 0: it does not exist. */
export interface Rest {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
}

interface Resting {
  readonly type?: unknown;
  readonly session?: unknown;
  readonly chain?: unknown;
  readonly states?: unknown;
}

/**
 * What an entry with this body rests on beside what it moves: the open session it is made in, and the open chain it is a
 * step of. The append refuses a draft that rests on what stands elsewhere; a verifier finds the same from the entry.
 */
export function restsOf(body: Resting): readonly Rest[] {
  const { type, session, chain } = body;
  const states = Array.isArray(body.states) ? (body.states as readonly JsonObject[]) : [];
  const moves = (kind: string, id: string) => states.some((state) => state.kind === kind && state.id === id);
  const rests: Rest[] = [];
  if (typeof session === "string" && !moves("SESSION", session)) {
    rests.push({ kind: "SESSION", id: session, version: 1 });
  }
  if (type === "ACTION_PROPOSED" && typeof chain === "string" && !moves("CHAIN", chain)) {
    rests.push({ kind: "CHAIN", id: chain, version: 1 });
  }
  return rests;
}
