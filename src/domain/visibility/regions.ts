import type { LedgerId } from "../../facts/entry.ts";
import type { Principal } from "../identity/principal.ts";

/** A principal with roles `region:eu` and `region:us` reads and works in these two regions alone. */
const REGION = "region:";

/** The roles that limit `roles` to regions. */
export function regionRoles(roles: readonly string[]): readonly string[] {
  return roles.filter((role) => role.startsWith(REGION));
}

/**
 * Whether `principal` may read and work in `region`: its roles name that region, or none. An agent may where the person may, too, for
 * whom it acts.
 */
export function mayUseRegion(principal: Principal, region: string): boolean {
  for (let at: Principal | undefined = principal; at !== undefined; at = at.onBehalfOf) {
    const limits = regionRoles(at.roles);
    if (limits.length > 0 && !limits.includes(`${REGION}${region}`)) return false;
  }
  return true;
}

/** The region of `ledger`, `<organization>/<region>`. */
export function regionOfLedger(ledger: LedgerId): string {
  return ledger.slice(ledger.indexOf("/") + 1);
}
