import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
  getOperationAST,
} from "graphql";
import { type GraphQLParams, isAsyncIterable } from "graphql-yoga";
import { wantsStream } from "./stream.ts";
import type { ServerContext, Yoga } from "./yoga.ts";

/** What `getEnveloped` of Yoga returns: an operation's steps, with the hooks of all plugins. */
interface Steps {
  readonly schema: GraphQLSchema;
  parse(source: string): DocumentNode;
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[];
  contextFactory(): unknown;
  execute(args: object): ExecutionResult | Promise<ExecutionResult>;
}

/** An operation that can be executed. */
interface Ready {
  readonly steps: Steps;
  readonly document: DocumentNode;
  readonly params: GraphQLParams;
}

export interface JsonRoute {
  /**
   * Responds, or returns the context for Yoga to respond with. Its `executed` has the result when the operation was executed.
   */
  serve(request: IncomingMessage, response: ServerResponse, given: ServerContext): Promise<ServerContext | undefined>;
}

/**
 * A short cut for the most frequent requests: a query or mutation by POST that succeeds, with a response in JSON. Yoga converts
 * request and response to those of the Fetch API, which takes more CPU than parsing, validating and executing together; this
 * route does not, and otherwise calls Yoga's functions with its plugins. It leaves every other request to Yoga: those that
 * cannot be executed, and those whose result has errors.
 */
export function createJsonRoute(
  { yoga }: Yoga,
  { corsOrigins }: { readonly corsOrigins: readonly string[] },
): JsonRoute {
  /** The operation, if it is valid; Yoga reports what is not. */
  function prepare(given: ServerContext): Ready | undefined {
    try {
      const params = given.readParams();
      if (!areParams(params)) return undefined;
      const steps = yoga.getEnveloped({ ...given, params } as never) as unknown as Steps;
      const document = steps.parse(params.query);
      const operation = getOperationAST(document, params.operationName);
      if (operation === null || operation === undefined || operation.operation === "subscription") return undefined;
      return steps.validate(steps.schema, document).length === 0 ? { steps, document, params } : undefined;
    } catch {
      // Yoga encounters the same, and reports it.
      return undefined;
    }
  }

  async function execute({ steps, document, params }: Ready): Promise<ExecutionResult> {
    return steps.execute({
      schema: steps.schema,
      document,
      contextValue: await steps.contextFactory(),
      variableValues: params.variables,
      operationName: params.operationName,
    });
  }

  return {
    async serve(request, response, given) {
      const mediaType = mediaTypeFor(request.headers.accept);
      const crossOrigin = corsOrigins.length > 0 && request.headers.origin !== undefined;
      if (request.method !== "POST" || mediaType === undefined || crossOrigin || wantsStream(request)) return given;
      const ready = prepare(given);
      if (ready === undefined) return given;
      let result: ExecutionResult;
      try {
        result = await execute(ready);
      } catch (error) {
        return { ...given, executed: () => Promise.reject(error) };
      }
      if (isAsyncIterable(result) || result.errors !== undefined || result.extensions !== undefined) {
        return { ...given, executed: async () => result };
      }
      // The client may have left during the operation.
      if (response.destroyed) return undefined;
      const body = JSON.stringify(result);
      response.setHeader("content-type", `${mediaType}; charset=utf-8`);
      response.setHeader("content-length", Buffer.byteLength(body));
      // A text goes to the socket together with the headers, bytes would be written separately.
      response.end(body);
      return undefined;
    },
  };
}

const PARAMETERS: ReadonlySet<string> = new Set(["query", "operationName", "variables", "extensions"]);

function isObjectOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "object" && !Array.isArray(value));
}

/** Whether these are parameters of an operation as GraphQL over HTTP defines them; the details of what is wrong are Yoga's. */
function areParams(params: GraphQLParams): params is GraphQLParams & { query: string } {
  const { query, operationName, variables, extensions } = params;
  return (
    typeof query === "string" &&
    (operationName === undefined || operationName === null || typeof operationName === "string") &&
    isObjectOrAbsent(variables) &&
    isObjectOrAbsent(extensions) &&
    Object.keys(params).every((name) => PARAMETERS.has(name))
  );
}

const JSON_TYPES = ["application/json", "application/graphql-response+json"] as const;

/** The type of JSON that an Accept header asks for first; undefined when it accepts none. Weights are not respected, as in Yoga. */
function mediaTypeFor(accept: string | undefined): (typeof JSON_TYPES)[number] | undefined {
  for (const listed of (accept || "*/*").toLowerCase().replace(/\s/g, "").split(",")) {
    const [range = "", ...parameters] = listed.split(";");
    const charset = parameters.find((parameter) => parameter.includes("charset=")) ?? "charset=utf-8";
    if (charset !== "charset=utf-8") continue;
    const found = JSON_TYPES.find((type) => range === "*/*" || range === "application/*" || range === type);
    if (found !== undefined) return found;
  }
  return undefined;
}
