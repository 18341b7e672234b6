export type EmbeddedPostgresErrorCode =
  | "UNSUPPORTED_PLATFORM"
  | "BROKEN_INSTALLATION"
  | "NO_UNPRIVILEGED_USER"
  | "UNREACHABLE_DIRECTORY"
  | "DATA_DIR_IN_USE"
  | "OTHER_POSTGRES_VERSION"
  | "RESTORE_UNFINISHED"
  | "INIT_FAILED"
  | "START_FAILED"
  | "STOP_FAILED";

/** The built-in PostgreSQL cannot run; the message tells the operator what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
