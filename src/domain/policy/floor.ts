import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import type { Verdict } from "./compile.ts";
import type { Situation } from "./conditions/variables.ts";
import type { PolicyOutcome, Requirement } from "./evaluate.ts";

/** Its tool that puts a policy document in force. */
export const PUBLISH_POLICY = "publish_policy";

export const FLOOR_ID = "countersign-floor";
const FLOOR: Requirement = { id: FLOOR_ID, group: "admin", role: true, needed: 1 };

/**
 * What no policy weakens: another administrator approves what governs this installation, and only its own mutations propose it. Returns
 * undefined for everything else.
 */
export function floorVerdict({ platform, tool, own }: Situation): Verdict | undefined {
  if (platform !== OWN_PLATFORM) return undefined;
  const values = { "tool.platform": platform, "tool.name": tool };
  const said = (
    outcome: PolicyOutcome,
    reason: string,
  ): Pick<Verdict, "outcome" | "matched" | "explanation" | "measures" | "windows"> => {
    const rule = { ruleId: FLOOR_ID, matched: true, outcome, reason, values };
    // No window counts it.
    return { outcome, matched: [rule], explanation: [rule], measures: undefined, windows: undefined };
  };
  if (own === undefined) {
    const reason = `What governs this installation has mutations of its own, such as publishPolicy: platform ${OWN_PLATFORM} cannot be proposed.`;
    return { ...said("FORBID", reason), requirements: [], tool: { effect: "UNKNOWN", data: [], region: OWN_PLATFORM } };
  }
  const { region, requesterAfter } = own;
  const alone =
    requesterAfter === undefined
      ? ""
      : ` There is no other one now, so whoever asked for it may from ${requesterAfter} on.`;
  return {
    ...said("REQUIRE", `Another administrator must approve what governs this installation.${alone}`),
    requirements: [requesterAfter === undefined ? FLOOR : { ...FLOOR, requesterAfter }],
    tool: { effect: "WRITE", data: [], region },
  };
}
