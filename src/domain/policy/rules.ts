import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { type Condition, compileCondition } from "./conditions/condition.ts";
import { describePath, valueAtPath } from "./conditions/reads.ts";
import type { Bindings } from "./conditions/variables.ts";
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
  readonly windows: readonly Window[];
  /** How many parts of its condition are evaluated at most. */
  readonly cost: number;
  /** Its windows, where what it says depends on them: the condition is an error without their values. */
  needs(bindings: Bindings, values: JsonValue): readonly Window[];
  explain(bindings: Bindings, values: JsonValue, windows: WindowValues): RuleExplanation;
}

/** Of a value in an explanation: whoever reads it sees the whole value elsewhere. */
const LONGEST = 200;
const ALWAYS: Condition = { reads: [], cost: 0, windows: [], evaluate: () => ({ matches: true }) };

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
  return {
    id,
    outcome,
    requirements,
    readsArguments: condition.reads.some(([variable]) => variable === "args"),
    windows: condition.windows,
    cost: condition.cost,
    needs: (bindings, values) =>
      condition.windows.length > 0 && "error" in condition.evaluate(bindings, values) ? condition.windows : [],
    explain(bindings, values, windows) {
      const result = condition.evaluate(bindings, values);
      const read = condition.reads.flatMap((path) => {
        const value = valueAtPath(values, path);
        return value === undefined ? [] : [[describePath(path), shortened(value)] as const];
      });
      const explained = { ruleId: id, outcome, reason, values: Object.fromEntries(read) };
      if ("matches" in result) return { ...explained, matched: result.matches };
      const unknown = condition.windows.map(({ text }) => windows.problems.get(text)).find((one) => one !== undefined);
      return { ...explained, matched: outcome !== "PERMIT", error: unknown ?? result.error };
    },
  };
}
