import { type CanonicalText, canonicalize } from "../../facts/canonical.ts";
import { type Hash, hashText } from "../../facts/hash.ts";
import type { Principal } from "../identity/principal.ts";

/** Everything an approval binds. Texts that are canonical already are embedded as they stand. */
export interface Bound {
  readonly actionId: string;
  readonly platform: string;
  readonly tool: string;
  readonly arguments: CanonicalText;
  readonly requestedBy: Principal;
  readonly region: string;
  readonly policyHash: Hash;
  readonly rendered: CanonicalText;
}

/**
 * SHA-256 over the RFC 8785 form of {v: 1, actionId, platform, tool, arguments, agent, onBehalfOf, region, policyHash,
 * rendered}; `agent` and `onBehalfOf` are principal ids, the latter null when nobody stands behind.
 */
export function digestOf(bound: Bound): Hash {
  const { requestedBy, ...rest } = bound;
  return hashText(
    canonicalize({ v: 1, ...rest, agent: requestedBy.id, onBehalfOf: requestedBy.onBehalfOf?.id ?? null }),
  );
}
