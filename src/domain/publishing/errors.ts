import { Refusal } from "../../errors.ts";
import { POLICY_REFUSALS } from "../../facts/areas/policy.ts";

/** The codes of refused publications. Codes are API and never change; messages may. */
export const PUBLICATION_REFUSAL_CODES = ["INVALID_INPUT", "ADMINISTRATORS_ONLY", ...POLICY_REFUSALS] as const;
export type PublicationRefusalCode = (typeof PUBLICATION_REFUSAL_CODES)[number];

/** An expected refusal. */
export class PublicationRefusal extends Refusal<PublicationRefusalCode> {}
