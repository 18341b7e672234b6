import type { UnsealedObject } from "../facts/commitment.ts";
import type { Rest } from "./append-call.ts";

/** What an entry with this body rests on beside what it moves: the open session it is made in, and the open chain. */
export function restsOf(body: UnsealedObject): readonly Rest[] {
  const { type, session, chain, states } = body;
  const moves = (kind: string, id: string) =>
    Array.isArray(states) && states.some((state: UnsealedObject) => state.kind === kind && state.id === id);
  const rests: Rest[] = [];
  if (typeof session === "string" && !moves("SESSION", session)) {
    rests.push({ kind: "SESSION", id: session, version: 1 });
  }
  if (type === "ACTION_PROPOSED" && typeof chain === "string" && !moves("CHAIN", chain)) {
    rests.push({ kind: "CHAIN", id: chain, version: 1 });
  }
  return rests;
}
