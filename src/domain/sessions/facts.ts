import type { UnsealedObject } from "../../facts/commitment.ts";

/** Why a session is over: its owner ended it, or its time had passed and the server did. */
export const END_REASONS = ["LOGOUT", "EXPIRED"] as const;
export type EndReason = (typeof END_REASONS)[number];

/** What the end of a session records of it; `conversation` as its start has it, empty when there is none. */
export function endFacts(id: string, conversation: string, reason: EndReason): UnsealedObject {
  return {
    type: "SESSION_ENDED",
    session: id,
    states: [{ kind: "SESSION", id, version: 2, state: { status: "ENDED" } }],
    conversation: conversation === "" ? undefined : conversation,
    reason,
  };
}
