import type { CompiledPolicy, Verdict } from "./compile.ts";
import type { Situation } from "./conditions/variables.ts";
import type { PolicyCase } from "./document/schema.ts";
import { unexpected } from "./requirements.ts";
import { givenWindows } from "./windows/given.ts";

/** What the cases of a policy document show. */
export interface CasesReport {
  readonly passed: number;
  /** Cases whose evaluation is not as they say, each with what it is instead. */
  readonly failed: readonly { readonly name: string; readonly problem: string }[];
  /** Ids of the rules that match in no case. */
  readonly untested: readonly string[];
}

/** The situation of a case: what it leaves out is empty, and an agent called `agent` proposes. */
function situationOf(policy: CompiledPolicy, { given }: PolicyCase, now: Date): Situation {
  const { principal, person, client, lineage } = given;
  return {
    principal: {
      id: principal?.id ?? "agent",
      kind: principal?.kind ?? "AGENT",
      roles: principal?.roles ?? [],
      groups: principal?.groups ?? [],
    },
    person: person && { id: person.id ?? "person", roles: person.roles ?? [], groups: person.groups ?? [] },
    client: {
      name: client?.name ?? "",
      confidence: client?.confidence ?? "UNKNOWN",
      model: client?.model,
      modelConfidence: client?.modelConfidence ?? "UNKNOWN",
    },
    platform: given.platform,
    tool: given.tool,
    arguments: given.arguments ?? {},
    targetRegion: given.targetRegion,
    lineage,
    now: given.now === undefined ? now : new Date(given.now),
    windows: givenWindows(policy, given.windows),
  };
}

const listed = (names: readonly string[]) => (names.length === 0 ? "none" : names.toSorted().join(", "));

/** How `verdict` differs from what the case expects; undefined: it does not. */
function differenceOf(
  { expect }: PolicyCase,
  { outcome, matched, requirements }: Verdict,
  now: Date,
): string | undefined {
  const rules = matched.map(({ ruleId }) => ruleId);
  const errors = matched
    .flatMap(({ ruleId, error }) => (error === undefined ? [] : [` (${ruleId}: ${error})`]))
    .join("");
  if (outcome !== expect.outcome)
    return `the outcome is ${outcome}, by ${listed(rules)}${errors}, not ${expect.outcome}`;
  if (expect.rules !== undefined && listed(expect.rules) !== listed(rules)) {
    return `the rules that match are ${listed(rules)}${errors}, not ${listed(expect.rules)}`;
  }
  return expect.requirements && unexpected(requirements, expect.requirements, now);
}

/** Evaluates every case. `now` is the time of cases that say none. */
export function runCases(policy: CompiledPolicy, now: Date): CasesReport {
  const { rules, cases } = policy.document;
  const tested = new Set<string>();
  const failed = cases.flatMap((each) => {
    const situation = situationOf(policy, each, now);
    const verdict = policy.judge(situation);
    for (const { ruleId } of verdict.matched) tested.add(ruleId);
    const problem = differenceOf(each, verdict, situation.now);
    return problem === undefined ? [] : [{ name: each.name, problem }];
  });
  const untested = rules.map(({ id }) => id).filter((id) => !tested.has(id));
  return { passed: cases.length - failed.length, failed, untested };
}
