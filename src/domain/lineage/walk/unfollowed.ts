import { edgesOf } from "../../../facts/edges.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { listOf, objectOf, textOf } from "../../../facts/members.ts";

/** What a write may rest on, beyond the chains that its edges lead to. */
export interface Unfollowed {
  /** Whether there is more than the entry names. */
  readonly isMore: boolean;
  /** Ledgers of reads whose chain it does not name. */
  readonly ledgers: readonly string[];
  /** Regions that could not be asked for reads. */
  readonly unread: readonly string[];
}

/** What the proposal of a write says of sources that cannot be followed from it. */
export function unfollowedOf(ledger: LedgerId, { body }: LedgerEntry): Unfollowed {
  const lineage = objectOf(body.lineage);
  const unread = [...listOf(lineage.unread), ...listOf(objectOf(body.reads).unread)].map(textOf);
  return {
    isMore: lineage.left !== undefined || lineage.earlier === true || lineage.uncompared === true,
    ledgers: edgesOf(ledger, body).flatMap(({ sourceChain, sourceLedger }) =>
      sourceChain === null ? [sourceLedger] : [],
    ),
    unread: unread.filter((region) => region !== ""),
  };
}
