import { type Assurance, UNSTATED_ASSURANCE } from "../../../facts/assurance.ts";
import type { Caller } from "../../identity/principal.ts";
import type { Channel } from "./command.ts";

/** Channels in which somebody clicks who is known there, and did not sign in here. */
const CHATS: readonly Channel[] = ["SLACK", "TEAMS", "WEBHOOK"];

/** How sure it is that the person who calls decides, by how they signed in and by the channel. */
export function assuranceIn(channel: Channel, { assurance }: Pick<Caller, "assurance">): Assurance {
  return CHATS.includes(channel) ? "CHAT" : (assurance ?? UNSTATED_ASSURANCE);
}

/** A decision of `caller` with what the server knows of it. Nothing of this is taken from the input. */
export function decisionBy<Input extends { readonly channel: Channel }>(caller: Caller, input: Input) {
  return { ...input, by: caller.principal, assurance: assuranceIn(input.channel, caller) };
}
