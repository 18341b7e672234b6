import type { Principal } from "../identity/principal.ts";
import { lastSignIn, type SignInSource } from "./last-sign-in.ts";
import type { Organization } from "./organization.ts";

export type OwnerOptions = SignInSource;

/**
 * The person `id` with the address, name and groups that they last signed in with, or changed the directory with: of entries that a
 * server signed. With another address, a second account of the owner could approve what the agent proposes. Undefined when there is no
 * such entry. Throws LedgerDamagedError, LedgerUnavailableError.
 */
export async function readOwner(
  source: OwnerOptions,
  organization: Organization,
  id: string,
): Promise<Principal | undefined> {
  const changed = organization.changedAt.get(id);
  const found = await lastSignIn(source, organization.ledger, id, changed === undefined ? [] : [changed]);
  return found && { ...found.principal, roles: [] };
}
