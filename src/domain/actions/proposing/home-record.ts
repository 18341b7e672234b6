import { OWN_PLATFORM } from "../../../facts/areas/policy.ts";
import { ledgerOf } from "../../../facts/entry.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { PrincipalStatus } from "../../directory/directory.ts";
import { UNKNOWN_REGION } from "../../policy/compile.ts";
import type { Evaluation } from "../../policy/evaluate.ts";
import type { PolicyCopies } from "../../regions/policy-copies.ts";

/** What a region has of the home region. */
export interface Abroad {
  readonly home: string;
  readonly copies: PolicyCopies;
}

/** What a proposal says of the home ledger of its organization. */
type Home = FactDraft<"ACTION_PROPOSED">["home"];

/**
 * What a proposal that was evaluated like this has to say of the home ledger, once the ledger of the region names the policy; undefined in
 * the home region. Throws LedgerUnavailableError, also for a proposal that belongs to another region.
 */
export type HomeRecord = (organization: string, evaluation: Pick<Evaluation, "policyHash" | "region">) => Promise<Home>;

export interface HomeRecordOptions {
  /** Where proposals are recorded. */
  readonly region: string;
  /** Whether proposals of other regions are recorded elsewhere. */
  readonly partsRegions: boolean;
  readonly abroad: Abroad | undefined;
  readonly statusOf: ((organization: string) => Pick<PrincipalStatus, "position"> | undefined) | undefined;
}

/** Regions of what the catalog does not have, which is forbidden, and recorded at home. */
const NOWHERE: ReadonlySet<string> = new Set([UNKNOWN_REGION, OWN_PLATFORM]);

export function createHomeRecord({ region, partsRegions, abroad, statusOf }: HomeRecordOptions): HomeRecord {
  return async (organization, { policyHash, region: of }) => {
    const isHere = of === region || (abroad === undefined && NOWHERE.has(of));
    // The catalog changed since the region was looked up.
    if (partsRegions && !isHere) {
      throw new LedgerUnavailableError(
        "the platform has moved to another region; nothing was recorded: repeat the call",
        1,
      );
    }
    if (abroad === undefined) return undefined;
    const { home, copies } = abroad;
    await copies.adopt(organization, policyHash);
    const status = statusOf?.(organization);
    if (status === undefined) {
      throw new LedgerUnavailableError("the directory of the organization cannot be read now; nothing was recorded", 1);
    }
    return { ledger: ledgerOf(organization, home), seq: String(status.position) };
  };
}
