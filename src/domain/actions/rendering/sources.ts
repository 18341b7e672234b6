import type { WriteLineage } from "../../lineage/sources/origins.ts";
import type { SourcedArgument } from "../../lineage/sources/told.ts";
import { labelled, type Words } from "./labelled.ts";
import { quoted } from "./values.ts";

/** Where the arguments of a write are from. */
export interface RenderedSources {
  readonly arguments: readonly SourcedArgument[];
  /** How many further ones are not among these. */
  readonly more: number;
  readonly lineage: Pick<WriteLineage, "unknown" | "unread" | "uncompared" | "earlier">;
}

/** Lines of sources, and names of arguments on the line of those that are found anywhere. */
const MOST_LINES = 60;
const MOST_NAMES = 20;
/** How lines of sources begin. Values begin otherwise, so none can imitate one. */
const FIRST = "  - ";
const HOW = { EXACT: ", as it is written here", NORMALISED: ", in another form", PARTIAL: ", within a text" } as const;

/**
 * Where each argument is from, one a line: what only untrusted platforms have first, then what has no known source, then the others. Those that are too
 * short or too common to tell are named together. Empty without arguments.
 */
export function sourceLines({ arguments: all, more, lineage }: RenderedSources): readonly string[] {
  const doubts = doubtLines(lineage);
  const told = all.filter(({ common }) => common !== true);
  const common = [...new Set(all.filter((one) => one.common === true).map(({ path }) => path))];
  if (told.length + common.length + more + doubts.length === 0) return [];
  const untrusted = told.filter((one) => one.untrusted === true);
  const unknown = told.filter(({ said, seq }) => said !== true && seq === undefined);
  const known = told.filter((one) => !untrusted.includes(one) && !unknown.includes(one));
  const sorted = [...untrusted, ...unknown, ...known];
  const left = Math.max(0, sorted.length - MOST_LINES) + more;
  return [
    "Where the arguments come from:",
    ...doubts,
    ...sorted.slice(0, MOST_LINES).flatMap((one) => labelled(wordsOf(one), FIRST)),
    ...(left > 0 ? [`${FIRST}${left} more are not shown`] : []),
    ...(common.length === 0 ? [] : labelled(["too short or too common to tell: ", ...namesOf(common)], FIRST)),
  ];
}

/** What is not known, which an approver has to know before anything else. */
function doubtLines({ unknown, unread, uncompared, earlier }: RenderedSources["lineage"]): readonly string[] {
  return [
    ...(uncompared === true
      ? [["NOT COMPARED: the arguments, or what was asked for, were too much for all of it"]]
      : []),
    ...(unknown === undefined
      ? []
      : [["MAY BE FROM what was read and could not be compared, on ", ...namesOf(unknown)]]),
    ...(unread === undefined ? [] : [["MAY BE FROM regions that could not be asked: ", ...namesOf(unread)]]),
    ...(earlier === true ? [["MAY BE FROM earlier reads, of which there were too many"]] : []),
  ].flatMap((words) => labelled(words, FIRST));
}

function wordsOf({ path, and, start, end, said, seq, platforms = [], match, untrusted }: SourcedArgument): Words {
  const place = and === undefined ? quoted(path) : [...quoted(path), { text: " and ", splits: false }, ...quoted(and)];
  const part = start === undefined ? ": " : `, characters ${start + 1} to ${end}: `;
  const names = platforms.flatMap((name, at) => [at === 0 ? "" : ", ", quoted(name)]);
  const read: Words =
    seq === undefined ? [] : ["read on ", ...names, ` (entry ${seq})${match === undefined ? "" : HOW[match]}`];
  if (said === true)
    return [place, part, "asked for, as the agent reports it", ...(seq === undefined ? [] : ["; also ", ...read])];
  if (seq === undefined) return [place, part, "NO KNOWN SOURCE"];
  return [place, part, ...(untrusted === true ? ["UNTRUSTED, "] : []), ...read];
}

function namesOf(paths: readonly string[]): Words {
  const named = paths.slice(0, MOST_NAMES).flatMap((path, at) => [at === 0 ? "" : ", ", quoted(path)]);
  return paths.length > MOST_NAMES ? [...named, ` and ${paths.length - MOST_NAMES} more`] : named;
}
