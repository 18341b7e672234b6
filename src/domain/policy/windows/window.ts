import { secondsOf } from "../document/duration.ts";

/** Whose proposals a window counts. */
const SCOPES = ["agent", "person", "organization"] as const;
export type WindowScope = (typeof SCOPES)[number];
/** What of the proposal in question the proposals of a window share. */
const ALIKE = ["platform", "tool"] as const;
export type Alike = (typeof ALIKE)[number];

/** How many proposals there were, or how much they came to together, in the time before one, that one included. */
export interface Window {
  /** As it is written in explanations and entries: `sum("24h", "amount", "organization")`. Equal windows have the same. */
  readonly text: string;
  readonly seconds: number;
  /** The name of the measure whose values are added up; undefined: proposals are counted. */
  readonly measure: string | undefined;
  readonly scope: WindowScope;
  readonly alike: Alike | undefined;
}

/** The functions of conditions that are windows. */
export const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set(["count", "sum"]);

const LONGEST = 31 * 86_400;

const isOneOf = <Word extends string>(words: readonly Word[], text: string | undefined): text is Word =>
  words.some((word) => word === text);
const quoted = (text: string) => JSON.stringify(text);
const listed = (words: Iterable<string>) => [...words].map(quoted).join(", ");

/**
 * The window that a call means: `count(duration, scope, alike)` or `sum(duration, measure, scope, alike)`, of which scope and alike can be
 * left out. `args` are its arguments, undefined for one that is no text written there. Returns what is wrong as a text.
 */
export function windowOf(
  name: string,
  args: readonly (string | undefined)[],
  measures: ReadonlySet<string>,
): Window | string {
  const sums = name === "sum";
  const [least, most] = sums ? [2, 4] : [1, 3];
  if (args.length < least || args.length > most) {
    return sums
      ? 'sum takes a duration and a measure, and perhaps a scope and what is alike: sum("24h", "amount", "agent", "tool")'
      : 'count takes a duration, and perhaps a scope and what is alike: count("1h", "agent", "tool")';
  }
  if (args.includes(undefined)) return `the arguments of ${name} are texts that are written out, such as "24h"`;
  const [duration = "", ...others] = args as readonly string[];
  const seconds = secondsOf(duration);
  if (!(seconds <= LONGEST)) {
    return `${quoted(duration)} is no duration: a number and s, m, h or d, up to "31d"`;
  }
  const measure = sums ? others.shift() : undefined;
  if (measure !== undefined && !measures.has(measure)) {
    const known = measures.size === 0 ? "it has none" : `it has ${listed(measures)}`;
    return `the document has no measure ${quoted(measure)}; ${known}`;
  }
  const [scope = "agent", alike] = others;
  if (!isOneOf(SCOPES, scope)) return `${quoted(scope)} is no scope: there are ${listed(SCOPES)}`;
  if (alike !== undefined && !isOneOf(ALIKE, alike)) {
    return `${quoted(alike)} is nothing that proposals share: there are ${listed(ALIKE)}`;
  }
  const said = [duration, ...(measure === undefined ? [] : [measure])];
  if (scope !== "agent" || alike !== undefined) said.push(scope);
  if (alike !== undefined) said.push(alike);
  return { text: `${name}(${listed(said)})`, seconds, measure, scope, alike };
}
