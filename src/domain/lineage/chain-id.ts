import { canonicalize } from "../../facts/canonical.ts";
import { uuidOf } from "../../facts/hash.ts";
import type { RouteKey } from "./routes.ts";

/**
 * The id of chain `number` of `key`: a UUIDv8 out of what it is the number of. Two processes that start the same chain at
 * once therefore mean the same id, and the ledger takes one of them.
 */
export function chainIdOf({ ledger, principalId, onBehalfOfId, conversation }: RouteKey, number: number): string {
  return uuidOf(canonicalize(["countersign/chain/v1", ledger, principalId, onBehalfOfId, conversation, number]));
}
