import { describePlace, type Place } from "../../../json-text.ts";

/** Something wrong with a policy document. Line and column count from 1. */
export interface PolicyProblem {
  readonly message: string;
  /** The member at fault, such as `rules.3.when`. */
  readonly path?: string;
  readonly line?: number;
  readonly column?: number;
}

/** `message` about the member at `path`, which `placeOf` finds in the text. */
export function problemAt(
  path: readonly PropertyKey[],
  message: string,
  placeOf: (path: readonly PropertyKey[]) => Place,
): PolicyProblem {
  return { path: path.map(String).join("."), message, ...placeOf(path) };
}

/** Problems that a document is refused for beyond this many are not listed. */
export const LISTED = 20;
/** UTF-16 code units of a message, which may quote the document. */
const LONGEST = 500;

function shortened(problem: PolicyProblem): PolicyProblem {
  const { message } = problem;
  return message.length <= LONGEST ? problem : { ...problem, message: `${message.slice(0, LONGEST)}…`.toWellFormed() };
}

/** `rules.3.when at line 12, column 5: …` */
export function describeProblem({ message, path, line, column }: PolicyProblem): string {
  const place = line === undefined || column === undefined ? "" : ` at ${describePlace({ line, column })}`;
  return `${path === undefined || path === "" ? "the document" : path}${place}${path === undefined || path === "" ? " " : ": "}${message}`;
}

/** A policy document cannot be used. */
export class PolicyDocumentError extends Error {
  override readonly name = "PolicyDocumentError";
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    const listed = problems.slice(0, LISTED).map(shortened);
    super(listed.map(describeProblem).join("; "));
    this.problems = listed;
  }
}
