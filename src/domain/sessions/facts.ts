import type { EndReason } from "../../facts/areas/sessions.ts";
import type { FactDraft } from "../../facts/registry.ts";

/** What the end of a session records of it; `conversation` as its start has it, empty when there is none. */
export function endFacts(id: string, conversation: string, reason: EndReason): FactDraft<"SESSION_ENDED"> {
  return {
    type: "SESSION_ENDED",
    session: id,
    states: [{ kind: "SESSION", id, version: 2, state: { status: "ENDED" } }],
    conversation: conversation === "" ? undefined : conversation,
    reason,
  };
}
