/** Errors every layer may raise. A layer's own codes live beside it, in a closed union. */

/** A refusal or failure. `code` is API; `message` tells people what happened and what to do. */
export class DomainError<Code extends string = string> extends Error {
  readonly code: Code;
  /** Where in the input the cause lies, outermost first; empty when the whole input is meant. */
  readonly path: readonly string[];

  constructor(code: Code, message: string, options: { path?: readonly string[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.path = options.path ?? [];
  }
}

/** An expected refusal: the request was valid, but was not permitted or not possible. */
export class Refusal<Code extends string = string> extends DomainError<Code> {}

/** The process was started with settings it cannot run on. Printed without a stack. */
export class ConfigurationError extends DomainError<"CONFIGURATION"> {
  /** What `message` says, one problem each. */
  readonly problems: readonly string[];

  constructor(message: string, cause?: unknown, problems: readonly string[] = [message]) {
    super("CONFIGURATION", message, { cause });
    this.problems = problems;
  }
}

/** `error` as an Error, whatever was thrown. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
