import type { MatchedRule, PolicyOutcome } from "./evaluate.ts";
import { FLOOR_ID } from "./floor.ts";

/** The ids of the rules of the starter, and of those that are built in. */
export const RULE_IDS = {
  reads: "reads-permitted",
  writes: "writes-one-approver",
  unknownTool: "unknown-tool-forbidden",
  foreignPlatform: "agent-platforms",
  notCovered: "not-covered",
  missingArguments: "missing-arguments",
} as const;

/** Of rules that no document has. */
export const BUILT_IN_IDS: ReadonlySet<string> = new Set([
  RULE_IDS.unknownTool,
  RULE_IDS.foreignPlatform,
  RULE_IDS.notCovered,
  RULE_IDS.missingArguments,
  FLOOR_ID,
]);

/** Why `rule` applies, for people; for a FORBID also what to do about it. */
export function reasonOf({ ruleId, outcome, reason, failed }: Partial<MatchedRule>): string {
  const why = reason ?? `Rule ${ruleId} of the policy has the outcome ${outcome}.`;
  return failed === true
    ? `${why} (The condition of rule ${ruleId} could not be evaluated, so the rule applies in its strictest reading.)`
    : why;
}

/** What an action may have drawn from, as it is recorded. */
interface Drawn {
  readonly known: readonly {
    readonly platform: string;
    readonly region: string;
    readonly ledger: string;
    readonly seq?: string | undefined;
  }[];
  readonly unread: readonly string[];
}

/** Why the policy has this `outcome`: the reasons of the rules that led to it, and the reads, where one of them is about these. */
export function reasonFor(outcome: PolicyOutcome, rules: readonly Partial<MatchedRule>[], drawn?: Drawn): string {
  const led = rules.filter((rule) => rule.outcome === outcome);
  const isAboutReads = led.some(({ because = {} }) => Object.keys(because).some((path) => OF_LINEAGE.test(path)));
  const told = drawn !== undefined && isAboutReads ? [...readsIn(drawn), ...unreadIn(drawn)] : [];
  return [...led.map(reasonOf), ...told].join(" ");
}

/** What conditions call what was read before. */
const OF_LINEAGE = /^lineage\b/;
/** Reads that are named. */
const MAX_NAMED = 10;

function readsIn({ known }: Drawn): readonly string[] {
  if (known.length === 0) return [];
  const named = known.slice(0, MAX_NAMED).map(({ platform, region, ledger, seq }) => {
    const place = seq === undefined ? `proposed together with it in ${ledger}` : `entry ${seq} of ${ledger}`;
    return `${platform} in ${region} (${place})`;
  });
  const more = known.length > MAX_NAMED ? ` and ${known.length - MAX_NAMED} more` : "";
  return [`What was read before: ${named.join(", ")}${more}.`];
}

function unreadIn({ unread }: Drawn): readonly string[] {
  if (unread.length === 0) return [];
  return [`Regions that could not be asked for earlier reads, and count as if they had some: ${unread.join(", ")}.`];
}
