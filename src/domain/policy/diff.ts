import { caseChanges, ordered, withoutEqual } from "./changes/cases.ts";
import { platformChanges, toolChanges } from "./changes/catalog.ts";
import { type Change, EFFECTS, otherMembers, paired } from "./changes/change.ts";
import { measureChanges } from "./changes/measures.ts";
import { ruleChanges } from "./changes/rules.ts";
import { cut } from "./changes/wording.ts";
import type { PolicyDocument } from "./document/schema.ts";

/** Lines, the one that says how many are missing not counted. */
const MOST = 100;
/** UTF-16 code units of all lines: they are arguments of a proposal, which have a bound. */
const MOST_TEXT = 60_000;

type Tool = PolicyDocument["catalog"]["tools"][number];

/**
 * What is different in `after`, in words, one line each: what loosens the policy comes first and begins with `loosens:`, what may loosen it follows
 * with `may loosen:`. Empty: both say the same, but for order, which does not matter. At most 100 lines or 60,000 characters, and one that says how many are missing. Texts of
 * the documents stand in quotes, in which each character can be seen.
 */
export function describeChanges(before: PolicyDocument, after: PolicyDocument): readonly string[] {
  const toolKey = ({ platform, name }: Tool) => JSON.stringify([platform, name]);
  const [oldCases, newCases] = [before.cases.map(ordered), after.cases.map(ordered)];
  const changes: readonly Change[] = [
    ...otherMembers("document", ["catalog", "measures", "rules", "cases"], before, after),
    ...paired(before.rules, after.rules, ({ id }) => id).flatMap((pair) => ruleChanges(...pair)),
    ...paired(before.measures ?? [], after.measures ?? [], ({ name }) => name).flatMap((pair) =>
      measureChanges(...pair),
    ),
    ...otherMembers("catalog", ["platforms", "tools"], before.catalog, after.catalog),
    ...platformChanges(before.catalog, after.catalog),
    ...paired(before.catalog.tools, after.catalog.tools, toolKey).flatMap((pair) => toolChanges(...pair)),
    ...paired(withoutEqual(oldCases, newCases), withoutEqual(newCases, oldCases), ({ name }) => name).flatMap((pair) =>
      caseChanges(...pair),
    ),
  ];
  const sorted = EFFECTS.flatMap((effect) => changes.filter((change) => change.effect === effect));
  const lines = sorted.map(({ effect, text }) => cut(effect === undefined ? text : `${effect}: ${text}`));
  let length = 0;
  const tooMany = lines.findIndex((line, at) => {
    length += line.length;
    return at >= MOST || length > MOST_TEXT;
  });
  if (tooMany === -1) return lines;
  const missing = sorted.slice(tooMany);
  const looser = missing.filter(({ effect }) => effect !== undefined).length;
  return [
    ...lines.slice(0, tooMany),
    `${missing.length} more changes are not shown; ${looser} of them loosen or may loosen`,
  ];
}
