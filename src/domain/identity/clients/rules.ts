import { z } from "zod";
import { ConfigurationError } from "../../../errors.ts";
import { canonicalize } from "../../../facts/canonical.ts";
import { type Hash, hashText } from "../../../facts/hash.ts";
import { badData, type JsonSource } from "../../../json-file.ts";
import type { Confidence } from "../principal.ts";
import { type AddressSet, addressSet } from "./addresses.ts";
import { compilePattern } from "./patterns.ts";
import { SECRET_HEADERS } from "./request.ts";
import builtin from "./rules.json" with { type: "json" };

/** What has to hold for a rule to speak; all of it. A header that is absent is tried as the empty text. */
interface Conditions {
  readonly headers: readonly (readonly [name: string, pattern: RegExp])[];
  /** Tried on the MCP client a gateway states, as `name/version`. */
  readonly mcpClient?: RegExp | undefined;
  readonly oauthClientId?: string | undefined;
  readonly network?: string | undefined;
  readonly signatureAgent?: string | undefined;
}

/** One way of knowing a client. */
export interface ClientRule {
  readonly name: string;
  readonly surface?: string | undefined;
  /** Another client for which this rule also gives version and surface: this client is built on that one. */
  readonly of?: string | undefined;
  readonly confidence: Confidence;
  readonly when: Conditions;
}

/** A table of clients, best evidence first. */
export interface ClientRules {
  readonly version: number;
  /** Of the RFC 8785 text of the table as written. */
  readonly hash: Hash;
  readonly rules: readonly ClientRule[];
  readonly networks: ReadonlyMap<string, AddressSet>;
  /** Names of all headers the rules look at. */
  readonly headers: readonly string[];
}

/** Best first. */
const LADDER: readonly Confidence[] = ["SIGNED", "REGISTERED", "NETWORK", "HEADER"];
/** Evidence has room for these and for what is recorded beside them. */
const MAX_HEADERS = 9;

const label = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,39}$/);
const headerName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);
const text = z.string().min(1).max(500);
const document = z.strictObject({
  version: z.int().min(1),
  networks: z.record(label, z.strictObject({ ranges: z.array(text).min(1), source: z.url() })),
  rules: z
    .array(
      z.strictObject({
        name: label,
        surface: label.optional(),
        of: label.optional(),
        confidence: z.enum(["SIGNED", "REGISTERED", "NETWORK", "HEADER"]),
        when: z.strictObject({
          userAgent: text.optional(),
          originator: text.optional(),
          header: z.record(headerName, text).optional(),
          mcpClient: text.optional(),
          oauthClientId: text.optional(),
          network: label.optional(),
          signatureAgent: text.optional(),
        }),
      }),
    )
    .max(500),
});
type RuleDocument = z.infer<typeof document>["rules"][number];

/**
 * The rules written in `data`; `source` is for messages. Throws ConfigurationError for a pattern that is no
 * regular expression or could be made slow, and for a rule that claims more confidence than its conditions give.
 */
export function parseClientRules(data: unknown, source: JsonSource = { name: "client rules" }): ClientRules {
  const parsed = document.safeParse(data);
  if (!parsed.success) {
    throw badData(source, parsed.error.issues);
  }
  const networks = new Map(
    Object.entries(parsed.data.networks).map(([name, { ranges }]) => [name, addressSet(ranges)] as const),
  );
  const rules = parsed.data.rules.map((rule, index) => {
    try {
      return compile(rule, networks);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      throw badData(source, [{ path: ["rules", index], message: `${rule.name}: ${error.message}` }]);
    }
  });
  const headers = [...new Set(["user-agent", ...rules.flatMap(({ when }) => when.headers.map(([name]) => name))])];
  if (headers.length > MAX_HEADERS)
    throw badData(source, [{ path: ["rules"], message: `over ${MAX_HEADERS} headers` }]);
  return {
    version: parsed.data.version,
    hash: hashText(canonicalize(parsed.data)),
    rules: LADDER.flatMap((rung) => rules.filter(({ confidence }) => confidence === rung)),
    networks,
    headers,
  };
}

/** The rules that come with the product. */
export const CLIENT_RULES: ClientRules = parseClientRules(builtin);

function compile({ when, ...rule }: RuleDocument, networks: ReadonlyMap<string, AddressSet>): ClientRule {
  const { userAgent, originator, header = {}, mcpClient, oauthClientId, network, signatureAgent } = when;
  const headers = [
    ...(userAgent === undefined ? [] : [["user-agent", userAgent] as const]),
    ...(originator === undefined ? [] : [["originator", originator] as const]),
    ...Object.entries(header),
  ].map(([name, pattern]) => [name, compilePattern(pattern)] as const);
  const secret = headers.find(([name]) => SECRET_HEADERS.has(name));
  if (secret !== undefined) throw new ConfigurationError(`the header ${secret[0]} holds credentials`);
  if (network !== undefined && !networks.has(network)) throw new ConfigurationError(`there is no network ${network}`);
  const distinctive = headers.some(([, pattern]) => !pattern.test(""));
  const signed = signatureAgent !== undefined || mcpClient !== undefined;
  const earned = signed ? "SIGNED" : oauthClientId !== undefined ? "REGISTERED" : network ? "NETWORK" : "HEADER";
  if (rule.confidence !== earned) throw new ConfigurationError(`its conditions make it ${earned}`);
  if ((earned === "NETWORK" || earned === "HEADER") && !distinctive) {
    throw new ConfigurationError("it would speak of requests without any header");
  }
  return {
    ...rule,
    when: {
      headers,
      mcpClient: mcpClient === undefined ? undefined : compilePattern(mcpClient),
      oauthClientId,
      network,
      signatureAgent,
    },
  };
}
