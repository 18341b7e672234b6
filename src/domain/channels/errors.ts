import { Refusal } from "../../errors.ts";

/** The codes of refused changes of channels, accounts and notices. Codes are API and never change; messages may. */
export const CHANNEL_REFUSAL_CODES = [
  "INVALID_INPUT",
  "NOT_FOUND",
  "ADMINISTRATORS_ONLY",
  "HUMANS_ONLY",
  "CHANNEL_LIMIT",
  "ACCOUNT_TAKEN",
  "NOTHING_TO_RETRY",
] as const;
export type ChannelRefusalCode = (typeof CHANNEL_REFUSAL_CODES)[number];

/** An expected refusal. */
export class ChannelRefusal extends Refusal<ChannelRefusalCode> {}

export function refuse(code: ChannelRefusalCode, message: string, ...path: readonly string[]): ChannelRefusal {
  return new ChannelRefusal(code, message, { path });
}
