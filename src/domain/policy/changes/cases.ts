import { canonicalize, type JsonValue } from "../../../facts/canonical.ts";
import { isSame } from "../../../facts/members.ts";
import type { PolicyCase } from "../document/schema.ts";
import type { Change } from "./change.ts";
import { fromTo, shown } from "./wording.ts";

export function caseChanges(before: PolicyCase | undefined, after: PolicyCase | undefined): readonly Change[] {
  const change = (text: string): Change => ({ effect: undefined, text });
  const whole = ({ name, given, expect }: PolicyCase, what: string) =>
    change(`case ${shown(name)} ${what}: given ${shown(given)}, expected ${shown(expect)}`);
  if (before === undefined) return after === undefined ? [] : [whole(after, "added")];
  if (after === undefined) return [whole(before, "removed")];
  return (["given", "expect"] as const)
    .filter((member) => !isSame(before[member], after[member]))
    .map((member) => change(`case ${shown(after.name)}: ${member} ${fromTo(before[member], after[member])}`));
}

/** Cases whose lists say the same in another order are the same. */
export function ordered({ name, given, expect }: PolicyCase): PolicyCase {
  const { rules, requirements } = expect;
  const byText = (one: JsonValue, other: JsonValue) => (canonicalize(one) < canonicalize(other) ? -1 : 1);
  const sorted = {
    ...expect,
    ...(rules && { rules: rules.toSorted() }),
    ...(requirements && { requirements: requirements.toSorted(byText) }),
  };
  return { name, given, expect: sorted };
}
