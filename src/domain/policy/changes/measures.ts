import type { PolicyDocument } from "../document/schema.ts";
import { toolText } from "./catalog.ts";
import { type Change, otherMembers, restOf } from "./change.ts";
import { listOf, named, namesChanged } from "./wording.ts";

type Measures = PolicyDocument["measures"];
type Measure = NonNullable<Measures>[number];
const MEASURE_MEMBERS = ["name", "path", "tools"];

/** The tools that a measure concerns, in words that mean no other tool: names that are no plain words stand in quotes. */
function toolsOf({ tools }: Measure): readonly string[] | undefined {
  return tools?.map(toolText);
}

const asItIs = (text: string) => text;

const toolsText = (measure: Measure) => {
  const tools = toolsOf(measure);
  return tools === undefined ? "each call that has it" : listOf(tools, asItIs);
};

/** With measures, even none, proposals are recorded for windows; without, only where a rule has a window. */
export function declarationChanges(before: Measures, after: Measures): readonly Change[] {
  if ((before === undefined) === (after === undefined)) return [];
  const text =
    after === undefined
      ? "measures no longer declared: without a window in a rule, proposals are not recorded for windows"
      : "measures declared: proposals are recorded for windows, also without a window in a rule";
  return [{ effect: "may loosen", text }];
}

/** Windows add measures up, so whatever changes one may change what they come to. */
export function measureChanges(before: Measure | undefined, after: Measure | undefined): readonly Change[] {
  const change = (text: string): Change => ({ effect: "may loosen", text });
  const whole = (measure: Measure) =>
    `${named(measure.path)} of ${toolsText(measure)}${restOf(measure, MEASURE_MEMBERS)}`;
  if (after === undefined) {
    return before === undefined ? [] : [change(`measure ${named(before.name)} removed: ${whole(before)}`)];
  }
  const what = `measure ${named(after.name)}`;
  if (before === undefined) return [{ effect: undefined, text: `${what} added: ${whole(after)}` }];
  const changes: Change[] = [];
  if (before.path !== after.path) changes.push(change(`${what}: path ${named(before.path)} → ${named(after.path)}`));
  const [old, now] = [toolsOf(before), toolsOf(after)];
  const differing = old && now ? namesChanged(old, now, asItIs) : undefined;
  if (differing !== undefined) changes.push(change(`${what}: tools: ${differing}`));
  else if ((old === undefined) !== (now === undefined)) {
    changes.push(change(`${what}: ${toolsText(before)} → ${toolsText(after)}`));
  }
  return [...changes, ...otherMembers(what, MEASURE_MEMBERS, before, after)];
}
