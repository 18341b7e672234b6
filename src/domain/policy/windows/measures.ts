import type { JsonValue } from "../../../facts/canonical.ts";
import type { Place } from "../../../json-text.ts";
import { valueAtPath } from "../conditions/reads.ts";
import type { Situation } from "../conditions/variables.ts";
import { type PolicyProblem, problemAt } from "../document/problems.ts";
import type { PolicyDocument } from "../document/schema.ts";
import { type Decimal, decimalOf } from "./decimal.ts";

/** What the measures of a policy are for one proposal. */
export interface Measured {
  /** By the name of the measure; those that do not concern the tool are missing. */
  readonly values: Readonly<Record<string, Decimal>>;
  /** Why there is no value, by the name of the measure. */
  readonly problems: ReadonlyMap<string, string>;
  /** Why a measure without a value has none, where its absence does not say that it does not concern the tool. */
  readonly missing?: string | undefined;
}

/** Measures the arguments of a proposal. Pure. */
export type Measure = (situation: Situation) => Measured;

type Declared = NonNullable<PolicyDocument["measures"]>[number];

/** What is wrong with the measures of a document. */
export function problemsOfMeasures(
  { measures = [], catalog }: PolicyDocument,
  placeOf: (path: readonly PropertyKey[]) => Place,
): readonly PolicyProblem[] {
  const seen = new Set<string>();
  return measures.flatMap(({ name, tools = [] }, at) => {
    const found = tools.flatMap(({ platform, name: tool }, n) => {
      const isListed =
        tool === undefined
          ? Object.hasOwn(catalog.platforms, platform)
          : catalog.tools.some((one) => one.platform === platform && one.name === tool);
      const what = tool === undefined ? `platform ${platform}` : `tool ${tool} on platform ${platform}`;
      return isListed ? [] : [problemAt(["measures", at, "tools", n], `names ${what}, which is not listed`, placeOf)];
    });
    if (seen.has(name)) {
      found.push(problemAt(["measures", at, "name"], `there is a measure ${name} before this one`, placeOf));
    }
    seen.add(name);
    return found;
  });
}

/** A measure concerns the tools that it lists, and where it lists none, each call that has the argument. */
export function createMeasure({ measures = [] }: Pick<PolicyDocument, "measures">): Measure {
  return ({ platform, tool, arguments: given }) => {
    const values: Record<string, Decimal> = {};
    const problems = new Map<string, string>();
    for (const measure of measures) {
      const { name, path, tools } = measure;
      if (!concerns(measure, platform, tool)) continue;
      const value = valueAtPath(given, path.split("."));
      if (value === undefined && tools === undefined) continue;
      const decimal = value === undefined ? undefined : decimalOf(value);
      if (decimal !== undefined) values[name] = decimal;
      else problems.set(name, `the measure ${name} needs a number from 0 as ${path}, and ${described(value)}`);
    }
    return { values, problems };
  };
}

function concerns({ tools }: Declared, platform: string, tool: string): boolean {
  return tools === undefined || tools.some((one) => one.platform === platform && (one.name ?? tool) === tool);
}

function described(value: JsonValue | undefined): string {
  return value === undefined ? "it is missing" : "what is given is none, or has too many digits";
}
