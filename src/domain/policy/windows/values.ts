import type { JsonObject } from "../../../facts/canonical.ts";
import type { Situation } from "../conditions/variables.ts";
import { addDecimals, type Decimal } from "./decimal.ts";
import type { Measure, Measured } from "./measures.ts";
import type { Window } from "./window.ts";

/** The values of windows for one proposal, by their texts. */
export interface WindowValues {
  /** For conditions: a count as an int of CEL, a sum as a double. */
  readonly bound: ReadonlyMap<string, bigint | number>;
  /** For people and entries: a count as a number, a sum as its exact decimal text. */
  readonly json: JsonObject;
  /** Why there is no value. */
  readonly problems: ReadonlyMap<string, string>;
}

export const NO_VALUES: WindowValues = { bound: new Map(), json: {}, problems: new Map() };

/** What `windows` are with the proposal, when it is recorded. */
export function windowValues(windows: readonly Window[], situation: Situation, measure: Measure): WindowValues {
  if (windows.length === 0) return NO_VALUES;
  const measured = situation.measured ?? measure(situation);
  const bound = new Map<string, bigint | number>();
  const json: Record<string, string | number> = {};
  const problems = new Map<string, string>();
  for (const window of windows) {
    const { text } = window;
    const before = situation.windows?.get(text);
    const problem = problemOf(window, measured) ?? (before === undefined ? unknown(text, situation) : undefined);
    if (problem !== undefined || before === undefined) {
      problems.set(text, problem ?? "");
      continue;
    }
    const value = addDecimals(before, contributionOf(window, measured));
    bound.set(text, window.measure === undefined ? BigInt(value) : Number(value));
    json[text] = window.measure === undefined ? Number(value) : value;
  }
  return { bound, json, problems };
}

function unknown(text: string, { unknownWindows }: Situation): string {
  const why = unknownWindows?.get(text);
  return `it is not known what ${text} was before${why === undefined ? "" : `: ${why}`}`;
}

function problemOf({ measure }: Window, { values, problems, missing }: Measured): string | undefined {
  if (measure === undefined) return undefined;
  return problems.get(measure) ?? (Object.hasOwn(values, measure) ? undefined : missing);
}

/** What a proposal adds to a window that it is in. */
export function contributionOf({ measure }: Window, { values }: Measured): Decimal {
  return measure === undefined ? "1" : (values[measure] ?? "0");
}
