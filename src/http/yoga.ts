import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type ParseOptions,
  parse,
  type Source,
  type ValidationRule,
  validate,
} from "graphql";
import { createYoga, type GraphQLParams, isAsyncIterable, type Plugin } from "graphql-yoga";
import { LRUCache } from "lru-cache";
import type { Caller } from "../domain/identity/principal.ts";
import { asError, DomainError } from "../errors.ts";
import { changesIn } from "../graphql/base/changes.ts";
import { checkComplexity } from "../graphql/base/complexity.ts";
import { type Context, createContext, executeInSnapshot, followingContext } from "../graphql/base/context.ts";
import { decides } from "../graphql/base/decides.ts";
import { graphqlError, publicError, rateLimited } from "../graphql/base/errors.ts";
import { checkBrackets, MAX_TOKENS, NoNulRule, ShallowIntrospectionRule } from "../graphql/base/limits.ts";
import { FaithfulJsonRule, VariableNameRule } from "../graphql/base/literal-variables.ts";
import type { Services } from "../graphql/base/services.ts";
import { ANONYMOUS_SHAPE_BUDGET, SHAPE_BUDGET, shapeProblem } from "../graphql/base/shape.ts";
import { isSlow } from "../graphql/base/slow.ts";
import { schema } from "../graphql/schema.ts";
import type { Logger } from "../log.ts";
import { inSpan } from "../telemetry.ts";
import type { Call } from "./call.ts";

/** What a transport hands to Yoga with each operation. */
export interface ServerContext {
  readonly call: Call;
  /** The parameters as read by us, or why they could not be. */
  readonly readParams: () => GraphQLParams;
  /** The result of an operation that was executed already. Rejects with what its execution threw. */
  readonly executed?: () => Promise<ExecutionResult>;
}

export interface YogaDeps {
  readonly services: Services;
  readonly log: Logger;
  readonly corsOrigins: readonly string[];
  /** Bytes that a response may have. */
  readonly responseBytes?: number | undefined;
  /** Called with each `extensions.code` sent to a client. */
  readonly onError: (code: string) => void;
}

type OurPlugin = Plugin<ServerContext, ServerContext>;

/** Parameters come from our own reader: Yoga's would accept what can be read in two ways. */
const ownParameters: OurPlugin = {
  onRequestParse({ serverContext, setRequestParser }) {
    setRequestParser(() => serverContext.readParams());
  },
};

/** An operation is executed once, whoever responds with its result. */
const executedBefore: OurPlugin = {
  async onParams({ context, setResult }) {
    if (context.executed !== undefined) setResult(await context.executed());
  },
};

/**
 * Documents by their text, of callers with a token alone: others could replace those of all callers with theirs. Texts may be a
 * megabyte, so what they hold together is bounded too.
 */
const documents = new LRUCache<string, DocumentNode>({
  max: 1_000,
  maxSize: 500_000,
  maxEntrySize: 100_000,
  sizeCalculation: (_, text) => text.length + 1,
});

/** What validation found, by document. */
const validated = new WeakMap<DocumentNode, readonly GraphQLError[]>();

function parseBounded(source: string | Source, options?: ParseOptions): DocumentNode {
  checkBrackets(String(typeof source === "string" ? source : source.body));
  return parse(source, { ...options, maxTokens: MAX_TOKENS });
}

function signInFirst(): GraphQLError {
  const message = "Sign in: without a token only a small query of the type names is read.";
  return graphqlError("UNAUTHENTICATED", message, { http: { status: 401, spec: false } });
}

/** Stands for a document that nobody reads: what a caller without a token may ask for is small, and this one is not. */
const UNREAD = parse("{__typename}");
validated.set(UNREAD, [signInFirst()]);

const limits: OurPlugin = {
  onParse({ context, params, setParsedDocument, setParseFn }) {
    const text = String(params.source);
    if (context.call.caller === undefined) {
      if (text.length > ANONYMOUS_SHAPE_BUDGET.length) setParsedDocument(UNREAD);
      else setParseFn(parseBounded);
      return undefined;
    }
    const known = documents.get(text);
    if (known !== undefined) {
      setParsedDocument(known);
      return undefined;
    }
    setParseFn(parseBounded);
    return ({ result }) => {
      if (result !== null && !(result instanceof Error)) documents.set(text, result as DocumentNode);
    };
  },
  onValidate({ addValidationRule, context, params: { documentAST }, setResult, setValidationFn }) {
    const anonymous = context.call.caller === undefined;
    const known = validated.get(documentAST);
    if (known !== undefined) {
      setResult(known);
      return undefined;
    }
    // Before validation, whose cost grows with the square of what it is given.
    const problem = shapeProblem(documentAST, anonymous ? ANONYMOUS_SHAPE_BUDGET : SHAPE_BUDGET);
    if (problem !== undefined) {
      const found = [anonymous && problem.extensions.code === "QUERY_TOO_COMPLEX" ? signInFirst() : problem];
      validated.set(documentAST, found);
      setResult(found);
      return undefined;
    }
    addValidationRule(NoNulRule satisfies ValidationRule);
    addValidationRule(FaithfulJsonRule satisfies ValidationRule);
    addValidationRule(VariableNameRule satisfies ValidationRule);
    if (anonymous) {
      addValidationRule(ShallowIntrospectionRule satisfies ValidationRule);
      // Suggestions would spell the schema out, name by name.
      setValidationFn((...[of, document, rules]: Parameters<typeof validate>) =>
        validate(of, document, rules, { hideSuggestions: true }),
      );
    }
    return ({ result }) => {
      validated.set(documentAST, result as readonly GraphQLError[]);
    };
  },
  onExecute({ args, context, executeFn, setExecuteFn, setResultAndStopExecution }) {
    const errors = inspect(args, context.call);
    if (errors.length > 0) setResultAndStopExecution({ errors });
    else setExecuteFn((given) => traced(context.call, () => run(given, context.call, executeFn)));
  },
  onSubscribe({ args, context, subscribeFn, setSubscribeFn, setResultAndStopExecution }) {
    const errors = inspect(args, context.call);
    if (errors.length > 0) setResultAndStopExecution({ errors });
    // The span ends when the subscription has started: the stream may last for ever.
    else {
      setSubscribeFn((given) =>
        traced(context.call, async () =>
          subscribeFn({ ...given, contextValue: followingContext(given.contextValue as Context) }),
        ),
      );
    }
  },
};

/** Executes an operation: a query in one snapshot, a mutation in none, by a caller whose groups and roles are those of now. */
async function run(
  args: ExecutionArgs,
  call: Call,
  executeFn: (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>,
): Promise<ExecutionResult> {
  if (call.seen.operation === "mutation") {
    const wait = await call.mayChange(changesIn(args));
    if (wait !== undefined) return { errors: [rateLimited(TOO_MANY_CHANGES, wait)] };
    if (!decides(args.document, args.operationName ?? undefined)) return executeFn(args);
    let caller: Caller | undefined;
    try {
      caller = await call.forDecision();
    } catch (error) {
      return { errors: [new GraphQLError("", { originalError: asError(error) })] };
    }
    return executeFn({ ...args, contextValue: { ...(args.contextValue as Context), caller } });
  }
  if (call.seen.operation !== "query") return executeFn(args);
  return executeInSnapshot(args.contextValue as Context, { slow: isSlow(args.document) }, (contextValue) =>
    executeFn({ ...args, contextValue }),
  );
}

const TOO_MANY_CHANGES = "You make too many changes, or too many that are refused. Nothing was done. Try again later.";

/** Runs an operation in its own span. Operation names come from clients, so they are not used as span names. */
function traced<Result>({ seen }: Call, work: () => Promise<Result>): Promise<Result> {
  const { operation = "operation", name } = seen;
  const attributes = { "graphql.operation.type": operation, ...(name && { "graphql.operation.name": name }) };
  return inSpan(operation, attributes, work);
}

interface Operation {
  readonly document: DocumentNode;
  readonly operationName?: string | null;
  readonly variableValues?: Readonly<Record<string, unknown>> | null;
  readonly contextValue?: unknown;
}

/** Maximum length of an operation's name in the log and in traces. */
const MAX_LOGGED_NAME = 100;

/** Notes type and name of the operation for the log. Returns the errors that prevent its execution. */
function inspect(
  { document, operationName, variableValues, contextValue }: Operation,
  { seen }: Call,
): readonly GraphQLError[] {
  const operation = document.definitions.find(
    (definition) =>
      definition.kind === "OperationDefinition" && (!operationName || definition.name?.value === operationName),
  );
  if (operation?.kind === "OperationDefinition") {
    seen.operation = operation.operation;
    if (operation.name !== undefined) seen.name = operation.name.value.slice(0, MAX_LOGGED_NAME);
  }
  return checkComplexity(schema, document, operationName ?? undefined, variableValues ?? {}, contextValue as object);
}

/** `error` without the names it suggests: those of what variables hold come from the executor, which always suggests. */
function withoutSuggestion(error: GraphQLError): GraphQLError {
  const at = error.message.lastIndexOf(" Did you mean ");
  if (at === -1) return error;
  const { nodes, source, positions, path, extensions } = error;
  return new GraphQLError(error.message.slice(0, at), {
    nodes,
    source,
    positions,
    path,
    extensions,
  });
}

export type Yoga = ReturnType<typeof createCountersignYoga>;

/** Yoga with our schema and rules; knows nothing of how a request reached us. */
export function createCountersignYoga({ services, log, corsOrigins, responseBytes, onError }: YogaDeps) {
  /** The result a client gets: each of its errors is public, and counted. */
  const finish = (result: ExecutionResult, call: Call): ExecutionResult => {
    if (result.errors === undefined || result.errors.length === 0) return result;
    if (result.errors.length > 1 || result.data !== null) {
      // A part of a response would look like all there is, and its errors be as many as its fields.
      const tooLarge = result.errors.find((error) => codeOf(error) === "RESPONSE_TOO_LARGE");
      if (tooLarge !== undefined) return finish({ data: null, errors: [tooLarge] }, call);
    }
    const { caller, traceId, seen } = call;
    const report = (fault: unknown) => log.error({ err: fault, traceId }, "a call failed");
    const published = result.errors.map((error) => publicError(error, traceId, report));
    const errors = caller === undefined ? published.map(withoutSuggestion) : published;
    for (const { extensions } of errors) {
      const code = String(extensions.code);
      seen.codes.push(code);
      onError(code);
    }
    return { ...result, errors };
  };

  const finishing: OurPlugin = {
    onResultProcess({ result, setResult, serverContext: { call } }) {
      if (isAsyncIterable(result)) setResult(mapResults(result, (one) => finish(one, call)));
      else if (!Array.isArray(result)) setResult(finish(result, call));
    },
  };

  const yoga = createYoga<ServerContext, ReturnType<typeof createContext>>({
    schema,
    context: ({ call }) => {
      const { traceId } = call;
      const onFault = (fault: unknown) =>
        log.error({ err: fault, traceId }, "a part of what a call asked for cannot be read");
      return createContext(services, { ...call, onFault }, responseBytes);
    },
    graphqlEndpoint: "/graphql",
    plugins: [ownParameters, executedBefore, limits, finishing],
    cors:
      corsOrigins.length === 0
        ? false
        : { origin: [...corsOrigins], credentials: false, methods: ["GET", "POST"], maxAge: 600 },
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    logging: false,
    // `finish` sees every error once, whichever way it came about, and masks what must be.
    maskedErrors: false,
    // The body is read, and bounded, before Yoga sees the request.
    maxRequestBodySize: false,
    healthCheckEndpoint: "/livez",
    // Documents are cached by `limits`, by caller.
    parserAndValidationCache: false,
    disposeOnProcessTerminate: false,
  });
  return { yoga, finish };
}

/** The code of `error`, or of what it wraps: an error of a resolver is located in another one. */
function codeOf({ extensions, originalError }: Partial<GraphQLError>): unknown {
  if (extensions?.code !== undefined) return extensions.code;
  return originalError instanceof DomainError ? originalError.code : undefined;
}

/** `results`, each as `change` makes it. Ends its source when it is ended. */
function mapResults<Result>(results: AsyncIterable<Result>, change: (result: Result) => Result): AsyncIterable<Result> {
  return {
    [Symbol.asyncIterator]() {
      const source = results[Symbol.asyncIterator]();
      const map = (step: IteratorResult<Result>): IteratorResult<Result> =>
        step.done === true ? step : { done: false, value: change(step.value) };
      return {
        next: () => source.next().then(map),
        return: async (value?: unknown) => (await source.return?.(value)) ?? { done: true, value },
        throw: async (error?: unknown) => (await source.throw?.(error)) ?? { done: true, value: undefined },
      };
    },
  };
}
