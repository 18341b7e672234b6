import type { Asked } from "../../facts/quorum.ts";
import type { Principal } from "../identity/principal.ts";
import type { Organization } from "./organization.ts";
import type { Reading } from "./projections.ts";
import { latest } from "./seen-principals.ts";

/** Who asked for it, as far as that matters here. */
type Requester = Pick<Principal, "id" | "kind" | "organization" | "onBehalfOf">;

/** Whether anybody is known whom a requirement asks. */
export interface Reach {
  /**
   * Whether somebody was seen in the ledger, as a person of the group or with the role, who is not suspended and did not ask for it, and has
   * the roles that the requirement filters by. Regions are not looked at: nothing records where people are. Who was seen in the last second may
   * be missing, but for a `decision`. Throws LedgerUnavailableError.
   */
  isReached(requestedBy: Requester, asked: Asked, purpose?: "decision"): Promise<boolean>;
}

export function createReach(projections: Reading): Reach {
  return {
    async isReached(requestedBy, asked, purpose) {
      const { id, kind, organization: name, onBehalfOf } = requestedBy;
      if (asked.ownerConfirms === true && kind === "AGENT" && onBehalfOf?.kind === "HUMAN") {
        if (passes(asked, onBehalfOf.roles)) return true;
      }
      const began = performance.now();
      const organization = await projections.open(name);
      const isKnown = () => candidates(organization, asked).some((one) => one !== id && one !== onBehalfOf?.id);
      await projections.see(organization);
      if (purpose === "decision" && !isKnown() && organization.seen.freshAt < began) {
        // Nobody was known a moment ago: look again.
        organization.seen.freshAt = Number.NEGATIVE_INFINITY;
        await projections.see(organization);
      }
      return isKnown();
    },
  };
}

/** Ids of people whose approval is asked, as they were seen last. */
function candidates(organization: Organization, { group, role, approver = [] }: Asked): readonly string[] {
  const { seen, principals } = organization;
  const ids = role === true ? [...new Set([...seen.ids(), ...principals.keys()])] : [...seen.membersOf(group)];
  return ids.filter((id) => {
    const known = seen.get(id);
    const record = principals.get(id)?.state;
    const sighting = known && latest(known);
    if ((sighting?.kind ?? record?.kind) !== "HUMAN" || organization.isSuspended(id)) return false;
    const roles = [...(sighting?.roles ?? []), ...(record?.kind === "HUMAN" ? record.roles : [])];
    if (role === true && !roles.includes(group)) return false;
    return passes({ approver }, roles);
  });
}

/** Whether somebody with these roles passes the filters, as far as they are about roles. */
function passes({ approver = [] }: Pick<Asked, "approver">, has: readonly string[]): boolean {
  return approver.every(({ roles }) => roles === undefined || roles.some((one) => has.includes(one)));
}
