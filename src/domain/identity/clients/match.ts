import type { ClientIdentity } from "../principal.ts";
import type { GatewayStatement } from "./gateway.ts";
import type { ClientRule, ClientRules } from "./rules.ts";

/** What is known of a call's client. Only verified statements get here, except for the headers. */
export interface Clues {
  /** Inspected headers that are there, shortened, by name in lower case. */
  readonly headers: { readonly [name: string]: string };
  /** Names of the published networks the caller's address is in. */
  readonly networks: readonly string[];
  /** Of the verified token. */
  readonly oauthClientId?: string | undefined;
  /** Origin of the agent that signed the request. */
  readonly signatureAgent?: string | undefined;
  readonly gateway?: GatewayStatement | undefined;
}

type MatchedClient = Pick<ClientIdentity, "name" | "version" | "surface" | "confidence">;

/**
 * Which client that is. The best evidence names it and is the confidence; weaker evidence that speaks of the same client
 * may add its version and surface, and whatever contradicts is left to the recorded evidence.
 */
export function matchClient(clues: Clues, { rules }: ClientRules): MatchedClient {
  let best: Mutable | undefined;
  let stated = false;
  for (const rule of rules) {
    if (best === undefined) {
      const match = matchOf(rule, clues);
      if (match === undefined) continue;
      best = { name: rule.name, confidence: rule.confidence };
      refine(best, rule, match);
      stated = rule.when.mcpClient !== undefined;
    } else if (stated && rule.confidence !== "SIGNED") {
      // What a gateway states of its client is all that is known of it: the other headers are anybody's.
      break;
    } else if (agrees(best, rule)) {
      const match = matchOf(rule, clues);
      if (match !== undefined) refine(best, rule, match);
    }
  }
  const unknown = best?.confidence === "SIGNED" ? undefined : signedName(clues);
  return unknown ?? best ?? { name: "unknown", confidence: "UNKNOWN" };
}

/** A signed statement no rule knows speaks for itself. */
function signedName({ gateway, signatureAgent }: Clues): MatchedClient | undefined {
  if (gateway?.mcpClient !== undefined) {
    const [, name = gateway.mcpClient, version] = /^(.{1,200})\/([\w.+-]{1,40})$/.exec(gateway.mcpClient) ?? [];
    return { name, ...(version === undefined ? {} : { version }), confidence: "SIGNED" };
  }
  return signatureAgent === undefined ? undefined : { name: new URL(signatureAgent).host, confidence: "SIGNED" };
}

type Mutable = { -readonly [Key in keyof MatchedClient]: MatchedClient[Key] };

/** Whether a rule of less or equal confidence speaks of the client already named, and could add something. */
function agrees(best: Mutable, { name, of }: ClientRule): boolean {
  return (best.version === undefined || best.surface === undefined) && (name === best.name || of === best.name);
}

function refine(best: Mutable, { name, surface }: ClientRule, { version }: Match): void {
  if (best.surface === undefined && surface !== undefined) best.surface = surface;
  // A program built on another states its own version, if any.
  if (best.version === undefined && version !== undefined && name === best.name) best.version = version;
}

interface Match {
  readonly version: string | undefined;
}

function matchOf({ when }: ClientRule, clues: Clues): Match | undefined {
  const { oauthClientId, network, signatureAgent, mcpClient } = when;
  if (oauthClientId !== undefined && oauthClientId !== clues.oauthClientId) return undefined;
  if (signatureAgent !== undefined && signatureAgent !== clues.signatureAgent) return undefined;
  if (network !== undefined && !clues.networks.includes(network)) return undefined;
  let version: string | undefined;
  if (mcpClient !== undefined) {
    if (clues.gateway?.mcpClient === undefined) return undefined;
    const match = mcpClient.exec(clues.gateway.mcpClient);
    if (match === null) return undefined;
    version = match[1];
  }
  for (const [name, pattern] of when.headers) {
    const match = pattern.exec(clues.headers[name] ?? "");
    if (match === null) return undefined;
    version ??= match[1];
  }
  return { version };
}
