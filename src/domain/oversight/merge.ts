import { type ApproverLoad, MAX_APPROVERS, type Oversight } from "./oversight.ts";

/**
 * What was counted in several ledgers, together. A median of medians is none: it is undefined where more than one ledger has one. Of people
 * who decided in several, those are counted who are among the busiest of each.
 */
export function mergeOversight(parts: readonly [Oversight, ...Oversight[]]): Oversight {
  const [first, ...others] = parts;
  if (others.length === 0) return first;
  const duties = parts.map(({ separationOfDuties }) => separationOfDuties);
  return {
    proposals: summed(parts.map(({ proposals }) => proposals)),
    statuses: summed(parts.map(({ statuses }) => statuses)),
    medianSecondsToDecide: onlyOne(parts.map(({ medianSecondsToDecide }) => medianSecondsToDecide)),
    decided: {
      decisions: sum(parts.map(({ decided }) => decided.decisions)),
      opened: sum(parts.map(({ decided }) => decided.opened)),
      considered: sum(parts.map(({ decided }) => decided.considered)),
      quick: sum(parts.map(({ decided }) => decided.quick)),
    },
    overrides: sum(parts.map(({ overrides }) => overrides)),
    breakGlass: sum(parts.map(({ breakGlass }) => breakGlass)),
    load: loads(parts.flatMap(({ load }) => load)),
    separationOfDuties: {
      decisions: sum(duties.map(({ decisions }) => decisions)),
      violations: sum(duties.map(({ violations }) => violations)),
      exceptions: sum(duties.map(({ exceptions }) => exceptions)),
      query: duties.map(({ query }) => query).join(";\n\n"),
    },
    matchedRules: new Set(parts.flatMap(({ matchedRules }) => [...matchedRules])),
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((one, other) => one + other, 0);
}

function summed(parts: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const names = new Set(parts.flatMap((counts) => Object.keys(counts)));
  return Object.fromEntries([...names].map((name) => [name, sum(parts.map((counts) => counts[name] ?? 0))]));
}

function onlyOne(medians: readonly (number | undefined)[]): number | undefined {
  const known = medians.filter((median) => median !== undefined);
  return known.length === 1 ? known[0] : undefined;
}

function loads(all: readonly ApproverLoad[]): readonly ApproverLoad[] {
  const people = [...Map.groupBy(all, ({ approverId }) => approverId)].map(([approverId, parts]) => ({
    approverId,
    decisions: sum(parts.map(({ decisions }) => decisions)),
    denials: sum(parts.map(({ denials }) => denials)),
    medianSecondsToDecide: onlyOne(parts.map(({ medianSecondsToDecide }) => medianSecondsToDecide)),
  }));
  return people.sort((one, other) => other.decisions - one.decisions).slice(0, MAX_APPROVERS);
}
