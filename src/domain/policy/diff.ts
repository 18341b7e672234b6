import { caseChanges, ordered } from "./changes/cases.ts";
import { platformChanges, toolChanges } from "./changes/catalog.ts";
import { type Change, EFFECTS, otherMembers, paired } from "./changes/change.ts";
import { declarationChanges, measureChanges } from "./changes/measures.ts";
import { ruleChanges } from "./changes/rules.ts";
import { linesOf, onlyIn } from "./changes/wording.ts";
import type { PolicyDocument } from "./document/schema.ts";

/** Lines, the one that says how many are missing not counted. */
const MOST = 100;
/** UTF-16 code units of all lines: they are arguments of a proposal, which have a bound. */
const MOST_TEXT = 60_000;
/** Of one change. Both sides of the longest condition fit, even if each of its characters has to be written out. */
const MOST_OF_ONE = 50_000;

type Tool = PolicyDocument["catalog"]["tools"][number];

/**
 * What is different in `after`, in words, one line each, or several numbered ones: what loosens the policy comes first and begins with `loosens:`,
 * what may loosen it follows with `may loosen:`. Empty: both say the same, but for order, which does not matter. At most 100 lines or 60,000
 * characters, 50,000 of them for one change; one more says how many changes are missing because there was no room for them. Texts of the
 * documents stand in quotes, in which each character can be seen.
 */
export function describeChanges(before: PolicyDocument, after: PolicyDocument): readonly string[] {
  const toolKey = ({ platform, name }: Tool) => JSON.stringify([platform, name]);
  const [oldCases, newCases] = [before.cases.map(ordered), after.cases.map(ordered)];
  const changes: readonly Change[] = [
    ...otherMembers("document", ["catalog", "measures", "rules", "cases"], before, after),
    ...paired(before.rules, after.rules, ({ id }) => id).flatMap((pair) => ruleChanges(...pair)),
    ...declarationChanges(before.measures, after.measures),
    ...paired(before.measures ?? [], after.measures ?? [], ({ name }) => name).flatMap((pair) =>
      measureChanges(...pair),
    ),
    ...otherMembers("catalog", ["platforms", "tools"], before.catalog, after.catalog),
    ...platformChanges(before.catalog, after.catalog),
    ...paired(before.catalog.tools, after.catalog.tools, toolKey).flatMap((pair) => toolChanges(...pair)),
    ...paired(onlyIn(oldCases, newCases), onlyIn(newCases, oldCases), ({ name }) => name).flatMap((pair) =>
      caseChanges(...pair),
    ),
  ];
  const sorted = EFFECTS.flatMap((effect) => changes.filter((change) => change.effect === effect));
  const lines: string[] = [];
  const missing: Change[] = [];
  let length = 0;
  for (const change of sorted) {
    const { effect, text } = change;
    const its = linesOf(effect === undefined ? "" : `${effect}: `, text, MOST_OF_ONE);
    const further = its.reduce((sum, line) => sum + line.length, 0);
    if (lines.length + its.length > MOST || length + further > MOST_TEXT) {
      missing.push(change);
      continue;
    }
    lines.push(...its);
    length += further;
  }
  if (missing.length === 0) return lines;
  const looser = missing.filter(({ effect }) => effect !== undefined).length;
  return [...lines, `${missing.length} more changes are not shown; ${looser} of them loosen or may loosen`];
}
