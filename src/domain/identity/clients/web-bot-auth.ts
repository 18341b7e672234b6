import { component, type SignatureComponent } from "http-message-sig";
import type { JWK } from "jose";
import { parseDictionary, parseItem } from "structured-headers";
import { ConfigurationError } from "../../../errors.ts";
import type { UsedOnce } from "../used-once.ts";
import { headerOf, type RequestFacts } from "./request.ts";
import { type Candidate, covers, firstValid, InvalidSignatureError, verifyRequest } from "./signatures.ts";
import { type VerifyingKey, verifyingKey } from "./verifying-key.ts";

const TAG = "web-bot-auth";
const FIELD = "signature-agent";
const MAX_FIELD = 1024;

/** Agents that sign their requests, by origin, with their public keys: what each publishes as its directory. */
export interface SignatureAgents {
  readonly [origin: string]: { readonly keys: readonly JWK[] };
}

export interface WebBotAuthDeps {
  readonly origin: () => string;
  readonly agents: SignatureAgents;
  readonly usedOnce: UsedOnce | undefined;
}

/**
 * Returns the origin of the agent that signed a request (draft-ietf-webbotauth-httpsig-protocol-00). The signature covers
 * @authority or @target-uri and Signature-Agent, and its `keyid` is the thumbprint of a key listed for the agent. Undefined
 * when no signature has an agent's tag; throws InvalidSignatureError when none of those is valid. `createAgentReader` throws
 * ConfigurationError for agents that are not origins and for invalid keys.
 */
export function createAgentReader({ origin, agents, usedOnce }: WebBotAuthDeps) {
  const directories = directoriesOf(agents);
  return (request: RequestFacts, now: number): Promise<string | undefined> =>
    firstValid(request, TAG, async (candidate) => {
      const named = namedAgent(request, candidate);
      const key = directories.get(named.agent)?.get(candidate.keyId);
      if (key === undefined) throw new InvalidSignatureError("no listed agent has this key");
      const components = [covers(candidate, "@target-uri") ? "@target-uri" : "@authority", named.component];
      const scope = `agent ${named.agent}`;
      await verifyRequest(request, candidate, { origin: origin(), tag: TAG, key, components, usedOnce, scope, now });
      return named.agent;
    });
}

function directoriesOf(agents: SignatureAgents): ReadonlyMap<string, ReadonlyMap<string, VerifyingKey>> {
  return new Map(
    Object.entries(agents).map(([agent, { keys }]) => {
      if (originOf(agent) !== agent) throw new ConfigurationError(`the signature agent ${agent} is no https origin`);
      const usable = keys.map((jwk) => verifyingKey(jwk));
      return [agent, new Map(usable.map((key) => [key.thumbprint, key]))];
    }),
  );
}

/** The agent a signature names, and the component that has to be covered for it. */
function namedAgent(
  request: RequestFacts,
  candidate: Candidate,
): { readonly agent: string; readonly component: SignatureComponent } {
  const field = headerOf(request, FIELD);
  const covered = candidate.components.find(({ name }) => name === FIELD);
  if (field === undefined || covered === undefined) {
    throw new InvalidSignatureError("it does not cover a Signature-Agent");
  }
  const agent = field.length > MAX_FIELD ? undefined : originOf(memberOf(field, covered.key));
  if (agent === undefined) throw new InvalidSignatureError("Signature-Agent names no https origin");
  return { agent, component: covered.key === undefined ? FIELD : component(FIELD, { key: covered.key }) };
}

/** A member of the field, which is a dictionary, or all of it where it is a lone string, as drafts before had it. */
function memberOf(field: string, key: string | undefined): unknown {
  try {
    return key === undefined ? parseItem(field)[0] : parseDictionary(field).get(key)?.[0];
  } catch (error) {
    throw new InvalidSignatureError("Signature-Agent is malformed", { cause: error });
  }
}

/** The origin of an https address; undefined for anything else. */
function originOf(address: unknown): string | undefined {
  const url = typeof address === "string" ? URL.parse(address) : null;
  return url?.protocol === "https:" ? url.origin : undefined;
}
