import { LRUCache } from "lru-cache";
import { addressSet } from "./clients/addresses.ts";
import { createGatewayReader, type FindGatewayKey } from "./clients/gateway.ts";
import { type Clues, matchClient } from "./clients/match.ts";
import { MAX_INPUT } from "./clients/patterns.ts";
import { createAddressOf } from "./clients/proxies.ts";
import { headerOf, MCP_CLIENT_HEADER, MODEL_HEADER, type RequestFacts } from "./clients/request.ts";
import { CLIENT_RULES, type ClientRules } from "./clients/rules.ts";
import { InvalidSignatureError } from "./clients/signatures.ts";
import { createAgentReader, type SignatureAgents } from "./clients/web-bot-auth.ts";
import type { ClientIdentity } from "./principal.ts";
import type { UsedOnce } from "./used-once.ts";

export interface ClientIdentifierOptions {
  /** Addresses and CIDR ranges of trusted proxies. */
  readonly trustedProxies: readonly string[];
  readonly signatureAgents: SignatureAgents;
  readonly gatewayKey: FindGatewayKey;
  /** Where clients reach this server, as `https://host:port`: what a signature has to be meant for. */
  readonly publicUrl: () => string;
  readonly rules?: ClientRules | undefined;
  /** Nonces that were used, of all servers. Undefined: no signature is accepted. */
  readonly usedOnce?: UsedOnce | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Whose verified token the call carries. */
export interface CallerFacts {
  readonly organization: string;
  /** The OAuth client the token was issued to. */
  readonly clientId?: string | undefined;
}

export interface ClientIdentifier {
  /** Which client and model made the call. Never throws; a promise, which never rejects, when the request is signed. */
  identify(request: RequestFacts, by?: CallerFacts): ClientIdentity | Promise<ClientIdentity>;
  /** The caller's IP address, behind the proxies that are trusted; undefined when the connection is gone. */
  addressOf(request: RequestFacts): string | undefined;
}

/** Recorded when they are there, though they count only when signed. */
const CLAIMS = [MODEL_HEADER, MCP_CLIENT_HEADER, "signature-agent"];
const SIGNATURE_FIELDS = ["signature-input", "signature"];

/**
 * Identifies clients by the strongest evidence: SIGNED by an agent or gateway, REGISTERED as an OAuth client, sent
 * from a published NETWORK, or a HEADER. Throws ConfigurationError for invalid proxies, agents or keys.
 */
export function createClientIdentifier(options: ClientIdentifierOptions): ClientIdentifier {
  const {
    trustedProxies,
    signatureAgents,
    gatewayKey,
    publicUrl,
    rules = CLIENT_RULES,
    usedOnce,
    now = Date.now,
  } = options;
  const addressOf = createAddressOf(addressSet(trustedProxies));
  const networksOf = createNetworksOf(rules);
  const origin = () => new URL(publicUrl()).origin;
  const readAgent = createAgentReader({ origin, agents: signatureAgents, usedOnce });
  const readGateway = createGatewayReader({ origin, gatewayKey, usedOnce });
  const inspected = [...new Set([...rules.headers, ...CLAIMS])];
  const recent = new LRUCache<string, ClientIdentity>({ max: 2000 });

  function identify(request: RequestFacts, by?: CallerFacts): ClientIdentity | Promise<ClientIdentity> {
    const networks = networksOf(addressOf(request));
    if (request.headers.signature !== undefined) return identifySigned(request, networks, by);
    const id = by?.clientId?.slice(0, MAX_INPUT) ?? "";
    let key = `${networks.join()}\0${id}`;
    for (const name of inspected) key += `\0${headerOf(request, name)?.slice(0, MAX_INPUT) ?? ""}`;
    let identity = recent.get(key);
    if (identity === undefined) {
      identity = described({ headers: evidenceOf(request, inspected), networks, oauthClientId: by?.clientId }, {});
      recent.set(key, identity);
    }
    return identity;
  }

  async function identifySigned(
    request: RequestFacts,
    networks: readonly string[],
    by: CallerFacts | undefined,
  ): Promise<ClientIdentity> {
    const seconds = Math.floor(now() / 1000);
    const refused: string[] = [];
    const recordingInvalid = async <Statement>(reading: Promise<Statement>): Promise<Statement | undefined> => {
      try {
        return await reading;
      } catch (error) {
        refused.push(error instanceof InvalidSignatureError ? error.message : "it cannot be verified");
        return undefined;
      }
    };
    const signatureAgent = await recordingInvalid(readAgent(request, seconds));
    const gateway = by && (await recordingInvalid(readGateway(request, by.organization, seconds)));
    const headers = evidenceOf(request, [...inspected, ...SIGNATURE_FIELDS]);
    const noted = {
      ...(gateway === undefined ? {} : { gateway: gateway.principalId }),
      ...(refused.length === 0 ? {} : { "signature-refused": shorten([...new Set(refused)].join("; ")) }),
    };
    return described({ headers, networks, oauthClientId: by?.clientId, signatureAgent, gateway }, noted);
  }

  function described(clues: Clues, noted: { readonly [name: string]: string }): ClientIdentity {
    const { headers, networks, oauthClientId, gateway } = clues;
    return {
      ...matchClient(clues, rules),
      ...(gateway?.model === undefined
        ? { modelConfidence: "UNKNOWN" }
        : { model: gateway.model, modelConfidence: "SIGNED" }),
      evidence: {
        ...headers,
        ...(networks.length === 0 ? {} : { network: networks.join() }),
        ...(oauthClientId === undefined ? {} : { "oauth-client-id": shorten(oauthClientId) }),
        ...noted,
      },
      rules: rules.hash,
    };
  }

  return { identify, addressOf };
}

/** The headers of those names that are there, as they may be stored: short, and Unicode throughout. */
function evidenceOf(request: RequestFacts, names: readonly string[]): { readonly [name: string]: string } {
  const evidence: { [name: string]: string } = {};
  for (const name of names) {
    const value = headerOf(request, name);
    if (value !== undefined) evidence[name] = shorten(value);
  }
  return evidence;
}

function shorten(text: string): string {
  return text.slice(0, MAX_INPUT).toWellFormed();
}

const NO_NETWORKS: readonly string[] = [];

function createNetworksOf({ networks }: ClientRules): (address: string | undefined) => readonly string[] {
  const recent = new LRUCache<string, readonly string[]>({ max: 2000 });
  return (address) => {
    if (address === undefined || networks.size === 0) return NO_NETWORKS;
    let names = recent.get(address);
    if (names === undefined) {
      names = [...networks].filter(([, addresses]) => addresses.has(address)).map(([name]) => name);
      recent.set(address, names);
    }
    return names;
  };
}
