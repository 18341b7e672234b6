import type { FactDraft } from "../../../facts/registry.ts";
import type { Evaluation } from "../../policy/evaluate.ts";
import { areAlike } from "../../policy/requirements.ts";

/** What a policy that is evaluated without effect says, as an entry records it. */
export type ShadowDifference = NonNullable<FactDraft<"ACTION_PROPOSED">["shadow"]>;

/** What `shadow` says at `now` where that is not what `inForce` says; undefined: they lead to the same. */
export function differenceOf(shadow: Evaluation, inForce: Evaluation, now: Date): ShadowDifference | undefined {
  const { version, policyHash: hash, outcome, rules, requirements } = shadow;
  const isSame = outcome === inForce.outcome && areAlike(requirements, inForce.requirements, now);
  return isSame ? undefined : { version, hash, outcome, rules: rules.map(({ ruleId }) => ruleId) };
}
