import { type Assurance, UNSTATED_ASSURANCE } from "../../../facts/assurance.ts";
import type { Caller } from "../../identity/principal.ts";
import type { Channel } from "./command.ts";

/** Channels in which somebody clicks who is known there, and did not sign in here. */
const CHATS: readonly Channel[] = ["SLACK", "TEAMS", "WEBHOOK"];

/** How sure it is that the person who calls decides, by how they signed in and by the channel. An integration signed nobody in here. */
function assuranceIn(channel: Channel, { assurance, submittedBy }: Caller): Assurance {
  return CHATS.includes(channel) || submittedBy !== undefined ? "CHAT" : (assurance ?? UNSTATED_ASSURANCE);
}

/**
 * A decision of `caller` with what the server knows of it. Nothing of this is taken from the input, and the integration that passed a decision
 * on is never who decided. Throws an Error for one that is no service, or that is the person.
 */
export function decisionBy<Input extends { readonly channel: Channel }>(caller: Caller, input: Input) {
  const { principal: by, submittedBy } = caller;
  if (submittedBy !== undefined && (submittedBy.kind !== "SERVICE" || submittedBy.id === by.id)) {
    throw new Error("a decision is passed on by a service, and by nobody who decides");
  }
  return { ...input, by, submittedBy, assurance: assuranceIn(input.channel, caller) };
}
