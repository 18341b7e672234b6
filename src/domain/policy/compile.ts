import { LRUCache } from "lru-cache";
import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import type { Hash } from "../../facts/hash.ts";
import { type ConditionResult, FALSE } from "./conditions/condition.ts";
import { ConditionError } from "./conditions/parse.ts";
import { knownOf, type Readings, readingsOf } from "./conditions/readings.ts";
import { valueAtPath } from "./conditions/reads.ts";
import type { Situation, ToolFacts } from "./conditions/variables.ts";
import { PolicyDocumentError, type PolicyProblem, problemAt } from "./document/problems.ts";
import type { ReadPolicy } from "./document/read.ts";
import type { PolicyDocument } from "./document/schema.ts";
import type { PolicyOutcome, Requirement } from "./evaluate.ts";
import { floorVerdict } from "./floor.ts";
import { type KnownSources, lineageOf, notLookedUp } from "./lineage.ts";
import { BUILT_IN_IDS, RULE_IDS } from "./reason.ts";
import { requirementsAt, unionOf } from "./requirements.ts";
import { type CompiledRule, compileRule, type RuleExplanation } from "./rules.ts";
import type { Decimal } from "./windows/decimal.ts";
import { problemsOfCases } from "./windows/given.ts";
import { createMeasure, type Measured, problemsOfMeasures } from "./windows/measures.ts";
import { countsProposals } from "./windows/recorded.ts";
import { NO_VALUES, windowValues } from "./windows/values.ts";
import type { Window } from "./windows/window.ts";

/** What a policy says of a situation. */
export interface Verdict {
  readonly outcome: PolicyOutcome;
  /** Of the rules that led to the outcome and of all others that matched, the strictest first. */
  readonly matched: readonly RuleExplanation[];
  /** Of every rule, in the order of the document; those that are built in come last, and only where they matched. */
  readonly explanation: readonly RuleExplanation[];
  /** Empty unless `outcome` is REQUIRE. */
  readonly requirements: readonly Requirement[];
  /** What is recorded of the measures of a proposal that windows count; undefined: none counts it. */
  readonly measures: Readonly<Record<string, Decimal>> | undefined;
  /** The windows that it was given, by their texts: what they came to before; undefined: none. */
  readonly windows: Readonly<Record<string, Decimal>> | undefined;
  readonly tool: ToolFacts;
}

export interface CompiledPolicy {
  readonly hash: Hash;
  readonly document: PolicyDocument;
  /** Whether any condition, or the catalog, reads arguments. */
  readonly readsArguments: boolean;
  readonly readsLineage: boolean;
  effectOf(platform: string, tool: string): ToolFacts["effect"];
  /** The windows of all rules. */
  readonly allWindows: readonly Window[];
  /** The windows that what the policy says of the situation depends on. Most often none. Pure. */
  windows(situation: Situation): readonly Window[];
  /** What its measures are for the proposal. Pure. */
  measure(situation: Situation): Measured;
  /** Pure. `allowed`: the platforms that the agent was invited for; undefined: any. */
  judge(situation: Situation, allowed?: readonly string[]): Verdict;
}

type Tool = PolicyDocument["catalog"]["tools"][number];
type Place = ReadPolicy["placeOf"];

/** The region of a platform nobody has catalogued. */
/** Of a platform that the catalog does not have. */
export const UNKNOWN_REGION = "unknown";
const STRICTNESS: readonly PolicyOutcome[] = ["FORBID", "REQUIRE", "PERMIT"];
/** Who is asked about a WRITE that no rule covers. */
const FALLBACK: Requirement = { id: RULE_IDS.notCovered, group: "approvers", needed: 1 };
/** Different windows of all rules together: each may have to be read for a proposal. */
const MAX_WINDOWS = 32;
/** Tools for which is kept which rules concern them. */
const MAX_TOOLS = 500;
const keyOf = (platform: string, name: string) => JSON.stringify([platform, name]);

function problemsOfCatalog({ catalog }: PolicyDocument, placeOf: Place): readonly PolicyProblem[] {
  const seen = new Set<string>();
  const own = ["catalog", "platforms", OWN_PLATFORM];
  const reserved = Object.hasOwn(catalog.platforms, OWN_PLATFORM)
    ? [problemAt(own, "is built in, and no document governs it", placeOf)]
    : [];
  const listed = catalog.tools.flatMap(({ platform, name }, at) => {
    const path = ["catalog", "tools", at];
    const known = Object.hasOwn(catalog.platforms, platform);
    const key = keyOf(platform, name);
    if (known && !seen.has(key)) {
      seen.add(key);
      return [];
    }
    const message = known ? `lists ${name} on ${platform} again` : `is on platform ${platform}, which is not listed`;
    return [problemAt(path, message, placeOf)];
  });
  return [...reserved, ...listed];
}

function problemsOfWindows(count: number, placeOf: Place): readonly PolicyProblem[] {
  if (count <= MAX_WINDOWS) return [];
  return [problemAt(["rules"], `have ${count} different windows, and at most ${MAX_WINDOWS} are read`, placeOf)];
}

/** Parts of conditions that are evaluated for one action at most, for the longest lists: some tenths of a second, in which others wait. */
const MAX_COST = 250_000;

function problemsOfCost(rules: readonly CompiledRule[], placeOf: Place): readonly PolicyProblem[] {
  const cost = rules.reduce((sum, rule) => sum + rule.cost, 0);
  if (cost <= MAX_COST) return [];
  const message =
    `have conditions of which ${cost} parts may be evaluated for one action, and at most ${MAX_COST} are: ` +
    "what goes through a list counts for each of its elements, up to 1,000";
  return [problemAt(["rules"], message, placeOf)];
}

/** Compiles all rules. Throws PolicyDocumentError with every problem. */
function compileRules({ rules, measures = [] }: PolicyDocument, placeOf: Place): readonly CompiledRule[] {
  const problems: PolicyProblem[] = [];
  const seen = new Set<string>();
  const measured = new Set(measures.map(({ name }) => name));
  const compiled = rules.flatMap((rule, at) => {
    const add = (member: string, message: string) => {
      problems.push(problemAt(["rules", at, member], message, placeOf));
    };
    if (seen.has(rule.id)) add("id", `there is a rule ${rule.id} before this one`);
    if (BUILT_IN_IDS.has(rule.id)) add("id", `${rule.id} is the id of a built-in rule: choose another one`);
    seen.add(rule.id);
    const groups = (rule.require ?? []).map(({ group }) => group);
    if (new Set(groups).size < groups.length) add("require", "names a group twice: add the numbers up");
    try {
      return [compileRule(rule, measured)];
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      add("when", `${error.message} (character ${error.offset + 1} of the condition)`);
      return [];
    }
  });
  if (problems.length > 0) throw new PolicyDocumentError(problems);
  return compiled;
}

/** Makes a document that was read ready to be evaluated. Throws PolicyDocumentError with every problem. */
export function compilePolicy({ document, hash, placeOf }: ReadPolicy): CompiledPolicy {
  const problems = [...problemsOfCatalog(document, placeOf), ...problemsOfMeasures(document, placeOf)];
  if (problems.length > 0) throw new PolicyDocumentError(problems);
  const rules = compileRules(document, placeOf);
  const tools = new Map(document.catalog.tools.map((tool) => [keyOf(tool.platform, tool.name), tool]));
  const regions = new Map(Object.entries(document.catalog.platforms).map(([name, { region }]) => [name, region]));

  const measure = createMeasure(document);
  const windows = new Map(rules.flatMap((rule) => rule.windows.map((window) => [window.text, window] as const)));
  const allWindows = [...windows.values()];
  /** By tool: the positions of the rules that may match a call of it. */
  const concerned = new LRUCache<string, readonly number[]>({ max: MAX_TOOLS });
  const counts = countsProposals({ document, allWindows });
  const further = [
    ...problemsOfCases(document, windows, placeOf),
    ...problemsOfWindows(windows.size, placeOf),
    ...problemsOfCost(rules, placeOf),
  ];
  if (further.length > 0) throw new PolicyDocumentError(further);

  function factsOf({ platform }: Situation, listed: Tool | undefined): ToolFacts {
    const region = regions.get(platform) ?? UNKNOWN_REGION;
    return listed === undefined
      ? { effect: "UNKNOWN", data: [], region }
      : { effect: listed.effect, data: listed.data, region };
  }

  /** The positions of the rules that may match. */
  function concerning({ platform, tool: name }: Situation, tool: ToolFacts, readings: Readings): readonly number[] {
    // What is oversized may make an error of a condition about another tool.
    if (readings.isOversized) return [...rules.keys()];
    const key = keyOf(platform, name);
    let some = concerned.get(key);
    if (some === undefined) {
      const known = knownOf(platform, name, tool);
      some = [...rules.keys()].filter((at) => rules[at]?.isNever(known) === false);
      concerned.set(key, some);
    }
    return some;
  }

  const readsLineage = rules.some((rule) => rule.readsLineage);
  const withLineage = (situation: Situation): Situation =>
    situation.sources === undefined || !readsLineage
      ? situation
      : {
          ...situation,
          lineage: lineageOf(sourcesOf(situation, situation.sources), situation.platform, document.catalog),
        };
  /** What was not looked up, because the tool was a READ when it was proposed, counts as not compared. */
  const sourcesOf = ({ platform, tool: name }: Situation, sources: KnownSources): KnownSources =>
    sources.recorded !== undefined || tools.get(keyOf(platform, name))?.effect === "READ"
      ? sources
      : notLookedUp(sources, document.catalog);

  return {
    hash,
    document,
    allWindows,
    windows(given) {
      if (windows.size === 0 || given.platform === OWN_PLATFORM) return [];
      const situation = withLineage(given);
      const tool = factsOf(situation, tools.get(keyOf(situation.platform, situation.tool)));
      const readings = readingsOf(situation, tool, NO_VALUES);
      const needed = rules.flatMap((rule) => rule.needs(readings));
      return [...new Map(needed.map((window) => [window.text, window])).values()];
    },
    measure,
    readsArguments:
      rules.some((rule) => rule.readsArguments) || document.catalog.tools.some(({ required }) => required.length > 0),
    readsLineage,
    effectOf: (platform, name) => tools.get(keyOf(platform, name))?.effect ?? "UNKNOWN",
    judge(proposed, allowed) {
      const own = floorVerdict(proposed);
      if (own !== undefined) return own;
      const situation = withLineage(proposed);
      const listed = tools.get(keyOf(situation.platform, situation.tool));
      const tool = factsOf(situation, listed);
      const values = windowValues(allWindows, situation, measure);
      const readings = readingsOf(situation, tool, values);
      const results = new Map<CompiledRule, ConditionResult>();
      const stated: CompiledRule[] = [];
      for (const at of concerning(situation, tool, readings)) {
        const rule = rules[at] as CompiledRule;
        const result = rule.evaluate(readings);
        if (result === FALSE) continue;
        results.set(rule, result);
        if (rule.matches(result)) stated.push(rule);
      }
      const explained = (rule: CompiledRule) => rule.explain(results.get(rule) ?? FALSE, readings, values);
      const floor = floorOf(situation, listed, tool, allowed);
      const covered = floor.length > 0 || stated.length > 0;
      const builtIn = [...floor, ...(covered ? [] : [uncovered(tool)])];
      const matching = [...stated.map(explained), ...builtIn];
      const matched = STRICTNESS.flatMap((outcome) => matching.filter((rule) => rule.outcome === outcome));
      const outcome = matched[0]?.outcome ?? "FORBID";
      const asked = stated.flatMap(({ requirements }) => requirements);
      const requirements = requirementsAt(asked.length === 0 ? [FALLBACK] : unionOf(asked), situation.now);
      const asking = outcome === "REQUIRE" ? requirements : [];
      // What is forbidden does not happen.
      const measures = counts && outcome !== "FORBID" ? measure(situation).values : undefined;
      const given = [...(situation.windows ?? [])].filter(([text]) => windows.has(text));
      const before = given.length === 0 ? undefined : Object.fromEntries(given);
      let explanation: readonly RuleExplanation[] | undefined;
      return {
        outcome,
        matched,
        // Of rules that do not match, most often nobody asks.
        get explanation() {
          explanation ??= [...rules.map(explained), ...builtIn];
          return explanation;
        },
        requirements: asking,
        measures,
        windows: before,
        tool,
      };
    },
  };
}

/**
 * What no document changes: what the catalog does not list is forbidden, so that no rule written for what it lists reaches further; an agent acts
 * where it was invited, with all arguments that the catalog requires.
 */
function floorOf(
  { platform, tool: name, arguments: given }: Situation,
  listed: Tool | undefined,
  tool: ToolFacts,
  allowed: readonly string[] | undefined,
): readonly RuleExplanation[] {
  const forbidden = { outcome: "FORBID", matched: true } as const;
  const found: RuleExplanation[] = [];
  if (allowed !== undefined && !allowed.includes(platform)) {
    const reason =
      `The agent was not invited to platform ${platform}${allowed.length === 0 ? "" : `, only to ${allowed.join(", ")}`}: ` +
      "an administrator can change that with updateAgent.";
    found.push({ ...forbidden, ruleId: RULE_IDS.foreignPlatform, reason, values: { platform, allowed } });
  }
  if (listed === undefined) {
    const reason =
      `The catalog lists no tool ${name} on platform ${platform}, and what it does not list is forbidden: ` +
      "correct platform and tool, or add the tool to the catalog (CATALOG).";
    found.push({ ...forbidden, ruleId: RULE_IDS.unknownTool, reason, values: { platform, tool: name, known: false } });
  }
  const missing = (listed?.required ?? []).filter((name) => valueAtPath(given, [name]) === undefined);
  if (missing.length > 0) {
    const reason = `The catalog requires arguments that are missing: ${missing.join(", ")}.`;
    found.push({
      ...forbidden,
      ruleId: RULE_IDS.missingArguments,
      reason,
      values: { "tool.effect": tool.effect, missing },
    });
  }
  return found;
}

/** What follows where no rule matches: never a PERMIT. */
function uncovered({ effect }: ToolFacts): RuleExplanation {
  const values = { "tool.effect": effect };
  const reason = "No rule of the policy covers this, so one of the approvers must approve it.";
  return { ruleId: RULE_IDS.notCovered, matched: true, outcome: "REQUIRE", reason, values };
}
