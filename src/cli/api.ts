import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import packageFile from "../../package.json" with { type: "json" };
import { asError } from "../errors.ts";
import { CommandError, type CommandErrorCode } from "./exit.ts";

/** A GraphQL document together with the shape its `data` must have. */
export interface Operation<Answer> {
  readonly document: string;
  readonly answer: z.ZodType<Answer>;
}

export interface Answered<Answer> {
  readonly data: Answer;
  /** More than 1: an earlier attempt may have taken effect although its response was lost. */
  readonly attempts: number;
}

export interface Api {
  readonly url: string;
  /**
   * Runs one operation, again and again while the server is away or cannot write its ledger for the moment.
   *
   * @throws CommandError UNREACHABLE after `patience`, REFUSED when the token is not accepted, USAGE when
   * the input is wrong, FAILED otherwise.
   */
  run<Answer>(operation: Operation<Answer>, variables?: Readonly<Record<string, unknown>>): Promise<Answered<Answer>>;
}

export interface ApiOptions {
  readonly url: string;
  /** Called before each attempt, so that a long run never uses an expired token. */
  readonly token: () => Promise<string>;
  /** Seconds to keep trying; 0 tries once. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
}

const envelope = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.looseObject({ code: z.string().optional() }).optional() }))
    .optional(),
});
const temporaryCodes = new Set(["LEDGER_UNAVAILABLE", "LEDGER_LOCKED", "RATE_LIMITED"]);
/** What an error code of the API ends a command with; FAILED for the others. */
const outcomes: ReadonlyMap<string, CommandErrorCode> = new Map([
  ["UNAUTHENTICATED", "REFUSED"],
  ["FORBIDDEN", "REFUSED"],
  ["BAD_USER_INPUT", "USAGE"],
]);
const temporaryStatuses = new Set([429, 502, 503, 504]);
const firstPause = 100;
const longestPause = 3_000;

/** The attempt failed in a way that another may not. */
class TemporaryFailure extends Error {
  /** Milliseconds to wait according to the server. */
  readonly pause: number | undefined;

  constructor(message: string, pause: number | undefined, cause?: unknown) {
    super(message, { cause });
    this.pause = pause;
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = asError(error);
  return cause instanceof Error && "code" in cause ? String(cause.code) : message;
}

function askedPause(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}

/** `data` of a GraphQL response with any HTTP status. */
function readAnswer(response: Response, text: string): unknown {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const message = `HTTP ${response.status} with a body that is not JSON`;
    if (temporaryStatuses.has(response.status)) throw new TemporaryFailure(message, askedPause(response));
    throw new CommandError("FAILED", `${response.url} returned ${message}: is this the GraphQL endpoint?`);
  }
  const parsed = envelope.safeParse(body);
  if (!parsed.success) throw new CommandError("FAILED", `${response.url} is not a GraphQL endpoint.`);
  const [first] = parsed.data.errors ?? [];
  if (first === undefined) return parsed.data.data;
  const code = first.extensions?.code ?? "";
  const message = code === "" ? first.message : `${code}: ${first.message}`;
  // The code says more than the status: a stopped ledger is 503 as well, and waits for people.
  if (temporaryCodes.has(code) || (code === "" && temporaryStatuses.has(response.status))) {
    throw new TemporaryFailure(message, askedPause(response));
  }
  throw new CommandError(outcomes.get(code) ?? "FAILED", message);
}

async function attempt(options: ApiOptions, body: string): Promise<unknown> {
  const headers = {
    "content-type": "application/json",
    accept: "application/graphql-response+json, application/json",
    "user-agent": `countersign/${packageFile.version}`,
    authorization: `Bearer ${await options.token()}`,
  };
  const signal = options.signal ?? null;
  let response: Response;
  let text: string;
  try {
    response = await fetch(options.url, { method: "POST", headers, body, signal });
    text = await response.text();
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new TemporaryFailure(`${options.url} cannot be reached (${reasonOf(cause)})`, undefined, cause);
  }
  return readAnswer(response, text);
}

function understand<Answer>(operation: Operation<Answer>, data: unknown): Answer {
  const parsed = operation.answer.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? "" : ` (${issue.path.join(".")}: ${issue.message})`;
  throw new CommandError("FAILED", `The server's response has an unexpected shape${where}: is its version different?`);
}

/** A client of the public API for one principal. */
export function createApi(options: ApiOptions): Api {
  const patience = (options.patience ?? 0) * 1_000;
  return {
    url: options.url,
    async run(operation, variables = {}) {
      const body = JSON.stringify({ query: operation.document, variables });
      const deadline = Date.now() + patience;
      for (let attempts = 1; ; attempts += 1) {
        try {
          return { data: understand(operation, await attempt(options, body)), attempts };
        } catch (error) {
          if (!(error instanceof TemporaryFailure)) throw error;
          const left = deadline - Date.now();
          if (left <= 0) throw new CommandError("UNREACHABLE", error.message, { cause: error });
          // Half of it at random: callers refused together must not come back together.
          const pause = error.pause ?? Math.min(firstPause * 2 ** Math.min(attempts, 10), longestPause);
          const rested = Math.min(pause / 2 + (pause / 2) * Math.random(), left);
          await sleep(rested, undefined, { signal: options.signal });
        }
      }
    },
  };
}

/** The address of a path beside the GraphQL endpoint, such as `/readyz`. */
export function besides(url: string, path: string): string {
  return new URL(path, url).href;
}

/** Where subscriptions are served: the same path over WebSocket. */
export function webSocketUrl(url: string): string {
  const changed = new URL(url);
  changed.protocol = changed.protocol === "https:" ? "wss:" : "ws:";
  return changed.href;
}
