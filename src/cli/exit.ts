import { asError, ConfigurationError, DomainError } from "../errors.ts";

/** The exit codes. They are API, printed by `countersign --help`. */
export const exitCodes = {
  /** Success; for verify and replay: the verdict is INTACT. */
  OK: 0,
  /** Failure, or a verdict other than INTACT. */
  FAILED: 1,
  /** Wrong arguments, settings or input files; a retry fails the same way. */
  USAGE: 2,
  /** Server or database cannot be reached or is not ready; a retry may succeed. */
  UNREACHABLE: 3,
  /** The call was refused: not authenticated or not permitted. */
  REFUSED: 4,
} as const;

export type CommandErrorCode = Exclude<keyof typeof exitCodes, "OK">;

/** Ends a command with the exit code of its name. Only the message is printed. */
export class CommandError extends DomainError<CommandErrorCode> {}

/** Codes of node:net and node:dns, and of PostgreSQL when connecting (SQLSTATE class 28, 3D000). */
const CONNECTION_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  ETIMEDOUT: "it does not respond",
  "28P01": "it refuses the password",
  "28000": "it refuses the user",
  "3D000": "it has no such database",
};

/** The text to print for an error that ends a command. */
export function describeFailure(error: unknown): string {
  const { message } = asError(error);
  if (error instanceof DomainError) return message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = CONNECTION_FAILURES[code];
  if (why === undefined) return message;
  return `the database cannot be reached, because ${why} (${message}): correct DATABASE_URL or MIGRATION_DATABASE_URL, or start it`;
}

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return exitCodes[error.code];
  if (error instanceof ConfigurationError) return exitCodes.USAGE;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "ETIMEDOUT"
    ? exitCodes.UNREACHABLE
    : exitCodes.FAILED;
}

/** What each code means to most commands. */
const MEANINGS: Readonly<Record<keyof typeof exitCodes, string>> = {
  OK: "success",
  FAILED: "failure",
  USAGE: "wrong arguments, settings or input files",
  UNREACHABLE: "server or database not reachable or not ready",
  REFUSED: "refused: not authenticated or not permitted",
};

/** The part of a command's help that lists the codes in `ends`, each with what it means to that command. */
export function exitCodesHelp(ends: Readonly<Partial<Record<keyof typeof exitCodes, string | true>>>): string {
  const codes = Object.keys(exitCodes) as (keyof typeof exitCodes)[];
  const lines = codes.flatMap((name) => {
    const meaning = ends[name];
    return meaning === undefined ? [] : [`  ${exitCodes[name]}  ${meaning === true ? MEANINGS[name] : meaning}`];
  });
  return `\nExit codes:\n${lines.join("\n")}`;
}
