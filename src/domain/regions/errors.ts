import { Refusal } from "../../errors.ts";

/** Why something is not done in a region. Codes are API and never change; messages may. */
export const REGION_REFUSAL_CODES = ["REGION_ELSEWHERE"] as const;
export type RegionRefusalCode = (typeof REGION_REFUSAL_CODES)[number];

/** An expected refusal: what was asked belongs to a region that this server does not serve. Nothing of it is kept. */
export class RegionRefusal extends Refusal<RegionRefusalCode> {}
