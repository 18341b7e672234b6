/**
 * What a failed database call means to the one who made it:
 * - `unavailable`: the database cannot be reached or used now; nothing was written
 * - `unknown-commit`: the connection broke under a commit; it may have happened. Only to callers that were committing
 * - `conflict`: somebody else was faster; the same call may succeed when repeated
 * - `refused`: the database refused this data or this privilege; a retry fails the same way
 * - `timeout`: it took too long and was cancelled
 * - `disk-full`: the database has no room; nothing was written
 * - `corrupt`: what the database has on its disk is damaged: a page with a wrong checksum, a broken index
 * - `bug`: none of these, so the statement or this table is wrong
 */
export type DatabaseFailure =
  | "unavailable"
  | "unknown-commit"
  | "conflict"
  | "refused"
  | "timeout"
  | "disk-full"
  | "corrupt"
  | "bug";

/** SQLSTATEs (PostgreSQL 18, appendix A) and Prisma's own codes, then classes of SQLSTATEs by two characters. */
const byCode: Readonly<Record<string, DatabaseFailure>> = {
  "25006": "unavailable", // read-only: we reached a standby
  "25P03": "timeout", // idle in transaction
  "25P04": "timeout", // transaction timeout
  "3D000": "unavailable", // no such database
  "40001": "conflict",
  "40P01": "conflict",
  "42501": "refused", // insufficient privilege
  "53100": "disk-full",
  "55006": "conflict", // object in use
  "55P03": "conflict", // lock not available
  "57014": "timeout", // query cancelled
  XX001: "corrupt", // data: also a page with another checksum than it has
  XX002: "corrupt", // an index
  P0001: "refused", // RAISE EXCEPTION
  P1000: "unavailable", // Prisma: authentication
  P1001: "unavailable", // Prisma: server out of reach
  P1002: "unavailable", // Prisma: server does not respond
  P1003: "unavailable", // Prisma: no such database
  P1008: "timeout", // Prisma: operation took too long
  P1010: "unavailable", // Prisma: access denied
  P1011: "unavailable", // Prisma: TLS
  P1017: "unavailable", // Prisma: server closed the connection
  P2024: "unavailable", // Prisma: no connection in time
  P2034: "conflict", // Prisma: deadlock or write conflict
  P2037: "unavailable", // Prisma: too many connections
};
const byClass: Readonly<Record<string, DatabaseFailure>> = {
  "08": "unavailable", // connection
  "22": "refused", // data
  "23": "refused", // integrity
  "28": "unavailable", // authorization of the login
  "53": "unavailable", // resources: connections, memory
  "54": "refused", // program limits, which only some input reaches
  "57": "unavailable", // operator intervention: shutting down, starting up
  "58": "unavailable", // system errors outside PostgreSQL
  OC: "refused", // ours
};

/** Codes of Node's network errors. The first group can only come before a connection exists. */
const neverConnected = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTDIR",
]);
const disconnected = new Set(["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "ERR_STREAM_DESTROYED"]);
/** SQLSTATEs with which the server ends a connection that was in use. */
const ended = new Set(["57P01", "57P02", "57P04", "58000", "58030", "08003", "08006", "08007", "P1017"]);

/** Messages of `pg` and `pg-pool` for errors without a code. */
const lostMessages = [
  "Connection terminated unexpectedly",
  "Connection terminated",
  "Client has encountered a connection error and is not queryable",
];
const unavailableMessages = [
  "Connection terminated due to connection timeout",
  "timeout exceeded when trying to connect",
  "timeout expired",
  "Client was closed and is not queryable",
  "Cannot use a pool after calling end on the pool",
];
const readTimeout = "Query read timeout";

interface Failure {
  readonly code: string | undefined;
  readonly message: string;
}

/** The error and what caused it, outermost first; Prisma keeps the database's own code in `meta`. */
function* unwrap(error: unknown): Generator<Failure> {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    yield { code: "code" in at && typeof at.code === "string" ? at.code : undefined, message: at.message };
    const original = originalCode(at);
    if (original !== undefined) yield { code: original, message: at.message };
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined;
}

/** `error.meta.driverAdapterError.cause.originalCode`, as Prisma 7's driver adapters report a SQLSTATE. */
function originalCode(error: Error): string | undefined {
  const cause = property(property(property(error, "meta"), "driverAdapterError"), "cause") ?? error.cause;
  const code = property(cause, "originalCode");
  return typeof code === "string" ? code : undefined;
}

const fiveCharacters = /^[0-9A-Z]{5}$/;

function failureOf({ code, message }: Failure): DatabaseFailure | undefined {
  if (code !== undefined) {
    if (neverConnected.has(code) || disconnected.has(code)) return "unavailable";
    if (fiveCharacters.test(code)) return byCode[code] ?? byClass[code.slice(0, 2)];
  }
  // The database would have cancelled a statement before: this one was not answered at all.
  const known = message === readTimeout || lostMessages.includes(message) || unavailableMessages.includes(message);
  return known ? "unavailable" : undefined;
}

/**
 * True when a connection broke, or was given up, while it was in use: if a commit was under way on it, nobody knows
 * whether it happened. False when there never was a connection: then nothing happened.
 */
export function connectionLost(error: unknown): boolean {
  for (const { code, message } of unwrap(error)) {
    if (code !== undefined && (disconnected.has(code) || ended.has(code))) return true;
    if (lostMessages.includes(message) || message === readTimeout) return true;
  }
  return false;
}

/**
 * What a database error means. `committing`: the failed call was, or contained, a commit; a lost connection is then
 * `unknown-commit`.
 */
export function classify(error: unknown, { committing = false } = {}): DatabaseFailure {
  if (committing && connectionLost(error)) return "unknown-commit";
  for (const failure of unwrap(error)) {
    const meaning = failureOf(failure);
    if (meaning !== undefined) return meaning;
  }
  return "bug";
}
