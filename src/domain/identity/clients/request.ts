/** The parts of a request that identify the client and its address. */
export interface RequestFacts {
  readonly method: string;
  /** As in the request line: a path with its query. */
  readonly url: string;
  /** By name in lower case. */
  readonly headers: {
    readonly [name: string]: string | readonly string[] | undefined;
  };
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Address of the peer of the connection. */
  readonly remoteAddress: string | undefined;
}

/** Headers that hold credentials: no rule may look at them and no evidence repeats them. */
export const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "dpop",
  "proxy-authorization",
  "x-api-key",
]);

/** The value of a header; several are one list, as HTTP has it (RFC 9110, section 5.3). Undefined: absent or empty. */
export function headerOf({ headers }: RequestFacts, name: string): string | undefined {
  const value = headers[name];
  if (typeof value === "string") return value === "" ? undefined : value;
  return Array.isArray(value) ? value.join(", ") : undefined;
}

/** The header with the model, set by a gateway. */
export const MODEL_HEADER = "countersign-model";
/** The name and version of the client a gateway serves, as `name/version`. */
export const MCP_CLIENT_HEADER = "countersign-mcp-client";
