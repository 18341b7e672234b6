import { Refusal } from "../../errors.ts";

/** Why nothing was acknowledged. Codes are API and never change; messages may. */
export const ACKNOWLEDGEMENT_REFUSAL_CODES = [
  "INVALID_INPUT",
  "ADMINISTRATORS_ONLY",
  "NOTHING_TO_ACKNOWLEDGE",
] as const;
export type AcknowledgementRefusalCode = (typeof ACKNOWLEDGEMENT_REFUSAL_CODES)[number];

/** An expected refusal. */
export class AcknowledgementRefusal extends Refusal<AcknowledgementRefusalCode> {}
