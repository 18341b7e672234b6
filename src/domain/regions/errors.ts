import { Refusal } from "../../errors.ts";

/** Why something is not done in a region. Codes are API and never change; messages may. */
export const REGION_REFUSAL_CODES = ["REGION_ELSEWHERE"] as const;
export type RegionRefusalCode = (typeof REGION_REFUSAL_CODES)[number];

/** An expected refusal: what was asked belongs to a region that this server does not serve. Nothing of it is kept. */
export class RegionRefusal extends Refusal<RegionRefusalCode> {}

/** Characters of a name that a message repeats. */
const MAX_SHOWN = 63;

/**
 * What concerns `region` is for others: for a server that was not named, or for people whose roles do not leave the region out. Which of the
 * two is not told.
 */
export function nowhere(region: string): RegionRefusal {
  const shown = JSON.stringify(region.slice(0, MAX_SHOWN));
  return new RegionRefusal(
    "REGION_ELSEWHERE",
    `this server does not serve region ${shown} to you, and knows no server that does`,
  );
}
