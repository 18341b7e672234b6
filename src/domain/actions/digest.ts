import { type CanonicalText, canonicalize } from "../../facts/canonical.ts";
import { type Hash, hashText } from "../../facts/hash.ts";
import type { Principal } from "../identity/principal.ts";

/** Everything that an approval covers. Texts that are already canonical are embedded unchanged. */
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
 * rendered}; `agent` and `onBehalfOf` are principal ids, the latter null when the agent acts for nobody.
 */
export function digestOf(bound: Bound): Hash {
  const { requestedBy, ...rest } = bound;
  return hashText(
    canonicalize({ v: 1, ...rest, agent: requestedBy.id, onBehalfOf: requestedBy.onBehalfOf?.id ?? null }),
  );
}
