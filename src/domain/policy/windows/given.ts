import type { CompiledPolicy } from "../compile.ts";
import { parseWindow } from "../conditions/windows.ts";
import { type PolicyProblem, problemAt } from "../document/problems.ts";
import type { ReadPolicy } from "../document/read.ts";
import type { PolicyCase, PolicyDocument } from "../document/schema.ts";
import { type Decimal, decimalOf } from "./decimal.ts";
import type { Window } from "./window.ts";

type Given = NonNullable<PolicyCase["given"]["windows"]>;

const namesOf = ({ measures = [] }: Pick<PolicyDocument, "measures">) => new Set(measures.map(({ name }) => name));

/** What is wrong with the windows that cases give: only those that a rule has, and numbers from 0, are. */
export function problemsOfCases(
  document: PolicyDocument,
  windows: ReadonlyMap<string, Window>,
  placeOf: ReadPolicy["placeOf"],
): readonly PolicyProblem[] {
  const measures = namesOf(document);
  return document.cases.flatMap(({ given }, at) => {
    const seen = new Set<string>();
    return Object.entries(given.windows ?? {}).flatMap(([text, value]) => {
      const window = parseWindow(text, measures);
      const key = typeof window === "string" ? text : window.text;
      const problem = seen.has(key) ? `gives ${key} a second time` : problemOf(window, value, windows);
      seen.add(key);
      return problem === undefined ? [] : [problemAt(["cases", at, "given", "windows", text], problem, placeOf)];
    });
  });
}

function problemOf(
  window: Window | string,
  value: number | string,
  windows: ReadonlyMap<string, Window>,
): string | undefined {
  if (typeof window === "string") return window;
  if (!windows.has(window.text)) return `no rule has the window ${window.text}`;
  const decimal = decimalOf(value);
  if (decimal === undefined) return "has to be a number from 0";
  return window.measure === undefined && decimal.includes(".") ? "has to be an integer: it is a count" : undefined;
}

/** The values before the proposal, of a document without problems: 0 where `given` says nothing. */
export function givenWindows(
  { document, allWindows }: Pick<CompiledPolicy, "document" | "allWindows">,
  given: Given = {},
): ReadonlyMap<string, Decimal> {
  const measures = namesOf(document);
  const values = new Map<string, Decimal>(allWindows.map(({ text }) => [text, "0"]));
  for (const [text, value] of Object.entries(given)) {
    const window = parseWindow(text, measures);
    const decimal = decimalOf(value);
    if (typeof window === "object" && decimal !== undefined) values.set(window.text, decimal);
  }
  return values;
}
