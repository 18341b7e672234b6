import { isDeepStrictEqual } from "node:util";
import type { FactDraft } from "../../../facts/registry.ts";
import type { Evaluation } from "../../policy/evaluate.ts";

/** What a policy that is evaluated without effect says, as an entry records it. */
export type ShadowDifference = NonNullable<FactDraft<"ACTION_PROPOSED">["shadow"]>;

/** What `shadow` says where that is not what `inForce` says; undefined: they lead to the same. */
export function differenceOf(shadow: Evaluation, inForce: Evaluation): ShadowDifference | undefined {
  const { version, policyHash: hash, outcome, rules, requirements } = shadow;
  const isSame = outcome === inForce.outcome && isDeepStrictEqual(asked(requirements), asked(inForce.requirements));
  return isSame ? undefined : { version, hash, outcome, rules: rules.map(({ ruleId }) => ruleId) };
}

/** Without their ids, which are those of rules, and in one order. */
function asked(requirements: Evaluation["requirements"]): readonly string[] {
  return requirements.map(({ id: _, ...rest }) => JSON.stringify(rest)).sort();
}
