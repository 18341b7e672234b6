import { GraphQLError } from "graphql";
import { classify } from "../../db/errors.ts";
import { BusyError } from "../../db/turns.ts";
import { DomainError } from "../../errors.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { VerificationRangeError } from "../../ledger/verify.ts";

/** Every `extensions.code` of our GraphQL errors with its meaning. A test compares schema/errors.md with it. */
export const ERROR_CODES = {
  UNAUTHENTICATED: "The call has no token, or its token is not valid or has expired.",
  FORBIDDEN: "The caller is authenticated but not permitted to do this.",
  BAD_USER_INPUT: "The request, the document or a value in it is malformed. The message says where.",
  NOT_FOUND: "There is no such principal in the caller's organization, or the caller may not see it.",
  POLICY_INVALID: "The policy document cannot be used. `problems` has each problem, with line and column.",
  QUERY_TOO_COMPLEX:
    "The document is too complex, or reading took too long. Narrow it, or split it into several requests.",
  RESPONSE_TOO_LARGE: "The response would be larger than one may be. Ask for fewer at a time, or for fewer fields.",
  RATE_LIMITED:
    "Too many requests at a time, or too many changes in a while. Retry after `retryAfterSeconds`, or send fewer.",
  LEDGER_UNAVAILABLE: "The ledger cannot be written or read now; see `outcome`. Retry after `retryAfterSeconds`.",
  LEDGER_LOCKED: "Another session of the database holds the head of the ledger. Retry after `retryAfterSeconds`.",
  LEDGER_CORRUPT:
    "What is stored is not what was recorded: the head of the ledger, a state, a value, or an entry that no server signed. Verify the ledger.",
  LEDGER_STOPPED:
    "The ledger was found changed or unguarded, so nothing is recorded in it until an administrator acknowledges that.",
  DATABASE_CORRUPT: "The database cannot read its own files. Restore it from a backup; `traceId` identifies the call.",
  CLOCK_SKEWED:
    "A clock is wrong, or was when the last entry was recorded, so deadlines cannot be judged. The message says how.",
  PROVIDER_UNAVAILABLE:
    "The identity provider that the caller signed in at cannot be asked now, so nothing is decided; reading goes on. Retry soon.",
  REGION_ELSEWHERE:
    "What the call is about belongs to a region that this server does not serve, or not to the caller. The message says where it is, if that is known.",
  CURSOR_EXPIRED: "The position to continue from is not in this ledger. Start again without it.",
  INTERNAL_SERVER_ERROR: "A fault in the server. `traceId` identifies the call in the server's log.",
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

/** The HTTP status of a response without data. `spec`: clients that accept only application/json get 200 instead. */
interface HttpAnswer {
  readonly status: number;
  readonly spec?: boolean;
  readonly headers?: Record<string, string>;
}

const httpAnswers: Readonly<Partial<Record<ErrorCode, HttpAnswer>>> = {
  UNAUTHENTICATED: { status: 401, headers: { "www-authenticate": 'Bearer realm="countersign"' } },
  QUERY_TOO_COMPLEX: { status: 400, spec: false },
  RATE_LIMITED: { status: 429, spec: true },
  PROVIDER_UNAVAILABLE: { status: 503, spec: true, headers: { "retry-after": "5" } },
};

/** An error for the client. `facts` become further extensions. */
export function graphqlError(
  code: ErrorCode,
  message: string,
  options: {
    readonly http?: HttpAnswer;
    readonly facts?: Readonly<Record<string, unknown>>;
    readonly source?: GraphQLError;
  } = {},
): GraphQLError {
  const http = options.http ?? httpAnswers[code];
  const { source } = options;
  return new GraphQLError(message, {
    ...(source?.nodes === undefined ? {} : { nodes: source.nodes }),
    ...(source?.source === undefined ? {} : { source: source.source }),
    ...(source?.positions === undefined ? {} : { positions: source.positions }),
    ...(source?.path === undefined ? {} : { path: source.path }),
    extensions: { code, ...options.facts, ...(http === undefined ? {} : { http: { ...http } }) },
  });
}

export function badUserInput(message: string): GraphQLError {
  return graphqlError("BAD_USER_INPUT", message);
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code);
}

/** `error`, or what it wraps: a domain's error arrives inside the GraphQLError that located it. */
function causeOf(error: unknown): unknown {
  for (let at = error, depth = 0; depth < 8; depth++) {
    if (!(at instanceof GraphQLError) || at.originalError === undefined) return at;
    at = at.originalError;
  }
  return error;
}

/**
 * The error that a client gets for `error`. Errors that are not known to be harmless are masked and passed to `report`.
 *
 * @param report called with each error that is a fault in the server
 */
export function publicError(error: unknown, traceId: string, report: (fault: unknown) => void): GraphQLError {
  const cause = causeOf(error);
  const located = error instanceof GraphQLError ? { source: error } : {};
  if (cause instanceof GraphQLError) return publicGraphQLError(cause, located, traceId, report);
  if (cause instanceof LedgerUnavailableError) return unavailable(cause, located);
  if (cause instanceof BusyError) return busy(cause, located);
  if (cause instanceof VerificationRangeError) return graphqlError("BAD_USER_INPUT", cause.message, located);
  if (cause instanceof DomainError && isErrorCode(cause.code) && cause.code !== "INTERNAL_SERVER_ERROR") {
    return graphqlError(cause.code, cause.message, located);
  }
  const failure = classify(cause);
  // Of a read. Writes throw LedgerUnavailableError for it.
  if (failure === "timeout") return graphqlError("QUERY_TOO_COMPLEX", TOO_SLOW, located);
  report(cause);
  if (failure === "corrupt") {
    return graphqlError("DATABASE_CORRUPT", "The database cannot read its own files.", {
      ...located,
      facts: { traceId },
    });
  }
  if (failure === "unavailable" || failure === "disk-full")
    return unavailable(new LedgerUnavailableError("the ledger cannot be read now", 1), located);
  return graphqlError("INTERNAL_SERVER_ERROR", "Something went wrong in the server.", {
    ...located,
    facts: { traceId },
  });
}

type Located = { readonly source?: GraphQLError };

function unavailable(cause: LedgerUnavailableError, located: Located): GraphQLError {
  const { code, message, retryAfterSeconds, outcome } = cause;
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
  return graphqlError(code, message, {
    ...located,
    facts: { retryAfterSeconds: seconds, outcome },
    http: { status: 503, spec: true, headers: { "retry-after": String(seconds) } },
  });
}

function busy({ message, retryAfterSeconds }: BusyError, located: Located): GraphQLError {
  return rateLimited(message, retryAfterSeconds, located);
}

/** RATE_LIMITED, with when to try again. */
export function rateLimited(message: string, retryAfterSeconds: number, located: Located = {}): GraphQLError {
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
  return graphqlError("RATE_LIMITED", message, {
    ...located,
    facts: { retryAfterSeconds: seconds },
    http: { status: 429, spec: false, headers: { "retry-after": String(seconds) } },
  });
}

const TOO_SLOW =
  "Reading takes too long. Narrow the query: a time range (recordedFrom, recordedTo), an actor, a tool, smaller pages.";

/** Characters of a message that repeats what was sent, as those of graphql-js do. */
const LONGEST = 2_000;

/** The beginning and the end of a long message: one says what it is about, the other what is wrong. */
function shortened(message: string): string {
  if (message.length <= LONGEST) return message;
  const left = message.length - LONGEST;
  return `${message.slice(0, LONGEST / 2)} … ${left} characters left out … ${message.slice(-LONGEST / 2)}`.toWellFormed();
}

function publicGraphQLError(
  error: GraphQLError,
  located: Located,
  traceId: string,
  report: (fault: unknown) => void,
): GraphQLError {
  const { code, http } = error.extensions as { readonly code?: unknown; readonly http?: HttpAnswer };
  if (isErrorCode(code)) {
    return located.source === undefined || located.source === error
      ? error
      : // The outer error names the variable or argument, and the member.
        graphqlError(code, shortened(located.source.message), {
          ...located,
          facts: error.extensions,
          ...(http === undefined ? {} : { http }),
        });
  }
  const path = located.source?.path ?? error.path;
  // Without a path nothing was executed, so the request is at fault. With a path, only its arguments can be.
  if (path === undefined || error.message.startsWith("Argument ")) {
    const { message } = located.source ?? error;
    return graphqlError("BAD_USER_INPUT", shortened(message), {
      ...located,
      http: http ?? { status: 400, spec: true },
    });
  }
  report(error);
  return graphqlError("INTERNAL_SERVER_ERROR", "Something went wrong in the server.", {
    ...located,
    facts: { traceId },
  });
}
