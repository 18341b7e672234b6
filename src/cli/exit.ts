import { asError, ConfigurationError, DomainError } from "../errors.ts";

/** What a script learns from `$?`. Printed by `countersign --help`; changing one breaks somebody's script. */
export const exitCodes = {
  /** Done; for verify and replay: the verdict is INTACT. */
  OK: 0,
  /** It did not work, or the verdict is anything but INTACT. */
  FAILED: 1,
  /** Wrong arguments, settings or input files: trying again changes nothing. */
  USAGE: 2,
  /** Server or database cannot be reached, or is not ready: try again later. */
  UNREACHABLE: 3,
  /** Reached, and refused: not signed in, or not allowed. */
  REFUSED: 4,
} as const;

export type CommandErrorCode = Exclude<keyof typeof exitCodes, "OK">;

/** Ends a command with the exit code of its name; the message is all that people see. */
export class CommandError extends DomainError<CommandErrorCode> {}

/** Codes of node:net and node:dns, and what PostgreSQL says to a connection (SQLSTATE class 28, 3D000). */
const CONNECTION_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  ETIMEDOUT: "it does not answer",
  "28P01": "it refuses the password",
  "28000": "it refuses the user",
  "3D000": "it has no such database",
};

/** What people read of an error that ends a command. */
export function describeFailure(error: unknown): string {
  const { message } = asError(error);
  if (error instanceof DomainError) return message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = CONNECTION_FAILURES[code];
  if (why === undefined) return message;
  return `the database cannot be reached, because ${why} (${message}): correct DATABASE_URL or MIGRATION_DATABASE_URL, or start it`;
}

/** The exit code an error ends the process with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return exitCodes[error.code];
  if (error instanceof ConfigurationError) return exitCodes.USAGE;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "ETIMEDOUT"
    ? exitCodes.UNREACHABLE
    : exitCodes.FAILED;
}

export const exitCodesHelp = `
Exit codes:
  0  done; for verify and replay: the verdict is INTACT
  1  failed, or the verdict is anything but INTACT
  2  wrong arguments, settings or input files
  3  server or database not reachable or not ready
  4  refused: not signed in, or not allowed`;
