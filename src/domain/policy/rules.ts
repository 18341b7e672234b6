import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { type Condition, type ConditionResult, compileCondition } from "./conditions/condition.ts";
import type { Known, Readings } from "./conditions/readings.ts";
import { describePath, valueAtPath } from "./conditions/reads.ts";
import type { PolicyRule } from "./document/schema.ts";
import type { PolicyOutcome } from "./evaluate.ts";
import { type RequiredApprovals, requirementOf } from "./requirements.ts";
import type { WindowValues } from "./windows/values.ts";
import type { Window } from "./windows/window.ts";

/** What one rule says of a situation, for explanations. */
export interface RuleExplanation {
  readonly ruleId: string;
  /** A rule whose condition cannot be evaluated counts as one that matches, unless it would permit. */
  readonly matched: boolean;
  readonly outcome: PolicyOutcome;
  readonly reason: string;
  /** The values its condition read, by their path, such as `args.amount`. */
  readonly values: JsonObject;
  /** Why the condition could not be evaluated. */
  readonly error?: string;
}

/** A rule that can be evaluated. */
export interface CompiledRule {
  readonly id: string;
  readonly outcome: PolicyOutcome;
  readonly requirements: readonly RequiredApprovals[];
  readonly readsArguments: boolean;
  readonly readsLineage: boolean;
  readonly windows: readonly Window[];
  /** How many parts of its condition are evaluated at most. */
  readonly cost: number;
  /** Its windows, where what it says depends on them: the condition is an error without their values. */
  needs(readings: Readings): readonly Window[];
  /** Whether it does not match whatever else there is, unless something is oversized. */
  isNever(known: Known): boolean;
  evaluate(readings: Readings): ConditionResult;
  /** `result`: what `evaluate` said of the same. */
  matches(result: ConditionResult): boolean;
  explain(result: ConditionResult, readings: Readings, windows: WindowValues): RuleExplanation;
}

/** Of a value in an explanation: whoever reads it sees the whole value elsewhere. */
const LONGEST = 200;
const ALWAYS: Condition = {
  reads: [],
  cost: 0,
  windows: [],
  evaluate: () => ({ matches: true }),
  isNever: () => false,
};

function shortened(value: JsonValue): JsonValue {
  if (typeof value === "string" && value.length <= LONGEST) return value;
  if (typeof value !== "object" && typeof value !== "string") return value;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= LONGEST ? value : `${text.slice(0, LONGEST)}…`.toWellFormed();
}

/** Compiles the condition of `rule`. `measures`: the names of those that windows can add up. Throws ConditionError. */
export function compileRule(rule: PolicyRule, measures: ReadonlySet<string>): CompiledRule {
  const { id, when, reason, require = [] } = rule;
  const outcome: PolicyOutcome = rule.forbid === true ? "FORBID" : rule.permit === true ? "PERMIT" : "REQUIRE";
  const condition = when === undefined ? ALWAYS : compileCondition(when, measures);
  const requirements = require.map((one) => requirementOf(require.length === 1 ? id : `${id}:${one.group}`, one));
  const matches = (result: ConditionResult) => ("matches" in result ? result.matches : outcome !== "PERMIT");
  return {
    id,
    outcome,
    requirements,
    readsArguments: condition.reads.some(([variable]) => variable === "args"),
    readsLineage: condition.reads.some(([variable]) => variable === "lineage"),
    windows: condition.windows,
    cost: condition.cost,
    needs: (readings) =>
      condition.windows.length > 0 && "error" in condition.evaluate(readings) ? condition.windows : [],
    isNever: condition.isNever,
    evaluate: condition.evaluate,
    matches,
    explain(result, { variables }, windows) {
      const read = condition.reads.flatMap((path) => {
        const value = valueAtPath(variables, path);
        return value === undefined ? [] : [[describePath(path), shortened(value)] as const];
      });
      const explained = { ruleId: id, matched: matches(result), outcome, reason, values: Object.fromEntries(read) };
      if ("matches" in result) return explained;
      const unknown = condition.windows.map(({ text }) => windows.problems.get(text)).find((one) => one !== undefined);
      return { ...explained, error: unknown ?? result.error };
    },
  };
}
