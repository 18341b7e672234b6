import type { CelInput } from "@bufbuild/cel";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { JsonValue } from "../../../facts/canonical.ts";
import { NO_VALUES, type WindowValues } from "../windows/values.ts";
import { MAX_LIST } from "./check.ts";
import { plain, type Situation, type ToolFacts, variablesOf } from "./variables.ts";
import { WINDOWS } from "./windows.ts";

export type Bindings = Readonly<Record<string, CelInput>>;

/** What is known of a situation. */
export interface Known {
  /** The variables, and under `@windows` the windows: as explanations show them. */
  readonly variables: Readonly<Record<string, JsonValue>>;
  /** By the database's clock. */
  readonly now: Date | undefined;
  /** The values of windows: counts as ints of CEL, sums as doubles. */
  readonly windows: WindowValues["bound"];
}

/** What the conditions of a document read for one situation. */
export interface Readings extends Known {
  readonly now: Date;
  /** Of any of them: whether a text or a list is too long to be evaluated. */
  readonly isOversized: boolean;
  /** The same for the library. */
  bindings(): Bindings;
}

/** UTF-16 code units of a text that a condition reads: matching a pattern takes time in proportion. */
export const MAX_STRING = 16_384;

/** Whether `value` has a text or a list that is too long to be evaluated. */
export function isOversized(value: JsonValue | undefined): boolean {
  if (typeof value === "string") return value.length > MAX_STRING;
  if (typeof value !== "object" || value === null) return false;
  const members: readonly JsonValue[] = Object.values(value as Readonly<Record<string, JsonValue>>);
  return members.length > MAX_LIST || members.some(isOversized);
}

/** What is known of every call of a tool. */
export function knownOf(platform: string, name: string, { effect, data, region }: ToolFacts): Known {
  return { variables: { tool: { platform, name, effect, data }, region }, now: undefined, windows: NO_VALUES.bound };
}

export function readingsOf(situation: Situation, tool: ToolFacts, windows: WindowValues): Readings {
  const { now } = situation;
  const variables = { ...variablesOf(situation, tool), now: now.toISOString(), [WINDOWS]: windows.json };
  let made: Bindings | undefined;
  return {
    variables,
    now,
    windows: windows.bound,
    isOversized: isOversized(variables),
    // Most documents do without.
    bindings() {
      made ??= {
        ...(variables as Bindings),
        args: plain(variables.args),
        now: timestampFromDate(now),
        [WINDOWS]: windows.bound,
      };
      return made;
    },
  };
}
