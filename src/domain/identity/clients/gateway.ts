import { LRUCache } from "lru-cache";
import type { UsedOnce } from "../used-once.ts";
import { headerOf, MCP_CLIENT_HEADER, MODEL_HEADER, type RequestFacts } from "./request.ts";
import { type Candidate, covers, firstValid, InvalidSignatureError, verifyRequest } from "./signatures.ts";
import { type KeyMembers, type VerifyingKey, verifyingKey } from "./verifying-key.ts";

const TAG = "countersign-gateway";

/** A principal registered as a gateway, and the key its signatures are checked with. */
export interface GatewayKey {
  readonly principalId: string;
  readonly jwk: KeyMembers;
}

/** The gateway of an organization that signs with the key of that id; undefined when it has none. */
export type FindGatewayKey = (organization: string, keyId: string) => GatewayKey | undefined;

/** What a gateway vouches for. */
export interface GatewayStatement {
  readonly principalId: string;
  /** Exactly as stated, such as `google/gemini-3-flash`. */
  readonly model?: string | undefined;
  /** The client's own name and version, relayed as `name/version`. */
  readonly mcpClient?: string | undefined;
}

export interface GatewayDeps {
  readonly origin: () => string;
  readonly gatewayKey: FindGatewayKey;
  readonly usedOnce: UsedOnce | undefined;
}

/**
 * Reads the signed headers of a gateway of the caller's organization. Its signature covers @method, @authority, @path, the
 * query if there is one, Content-Digest (RFC 9530) if there is a body, and every Countersign header. Undefined when no
 * signature has a gateway's tag; throws InvalidSignatureError when none of those is valid.
 */
export function createGatewayReader({ origin, gatewayKey, usedOnce }: GatewayDeps) {
  const keys = new LRUCache<string, VerifyingKey>({ max: 1000 });
  const keyOf = ({ jwk }: GatewayKey): VerifyingKey => {
    const id = JSON.stringify(jwk);
    try {
      const key = keys.get(id) ?? verifyingKey(jwk);
      keys.set(id, key);
      return key;
    } catch (error) {
      throw new InvalidSignatureError("the gateway is registered with a key of no use", { cause: error });
    }
  };
  return (request: RequestFacts, organization: string, now: number): Promise<GatewayStatement | undefined> =>
    firstValid(request, TAG, async (candidate) => {
      const gateway = gatewayKey(organization, candidate.keyId);
      if (gateway === undefined) throw new InvalidSignatureError("no gateway of the organization has this key");
      const key = keyOf(gateway);
      const components = mustCover(request, candidate);
      const scope = `gateway ${organization}`;
      await verifyRequest(request, candidate, { origin: origin(), tag: TAG, key, components, usedOnce, scope, now });
      return { principalId: gateway.principalId, ...stated(request) };
    });
}

function mustCover(request: RequestFacts, candidate: Candidate): string[] {
  const stated = [MODEL_HEADER, MCP_CLIENT_HEADER].filter((name) => headerOf(request, name) !== undefined);
  const query = request.url.includes("?") && !covers(candidate, "@target-uri") ? ["@query"] : [];
  const body = hasBody(request) ? ["content-digest"] : [];
  return ["@method", "@authority", "@path", ...query, ...body, ...stated];
}

function hasBody(request: RequestFacts): boolean {
  if (headerOf(request, "transfer-encoding") !== undefined || headerOf(request, "content-digest") !== undefined)
    return true;
  return (headerOf(request, "content-length") ?? "0") !== "0";
}

function stated(request: RequestFacts): Pick<GatewayStatement, "model" | "mcpClient"> {
  const model = headerOf(request, MODEL_HEADER);
  const mcpClient = headerOf(request, MCP_CLIENT_HEADER);
  if (model !== undefined && !/^[!-~]{1,200}$/.test(model)) {
    throw new InvalidSignatureError(`${MODEL_HEADER} is not the name of one model`);
  }
  if (mcpClient !== undefined && !/^[!-~][ -~]{0,199}$/.test(mcpClient)) {
    throw new InvalidSignatureError(`${MCP_CLIENT_HEADER} is not name/version`);
  }
  return { model, mcpClient };
}
