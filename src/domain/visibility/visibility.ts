import type { Principal } from "../identity/principal.ts";

/** Roles that read everything of their organization. */
const ORGANIZATION_READERS: readonly string[] = ["approver", "auditor", "admin"];

/**
 * True for a principal who reads the organization's whole ledger. An agent never does, whatever roles its token claims:
 * it would read what other people told other agents.
 */
export function readsOrganization(principal: Principal): boolean {
  return principal.kind !== "AGENT" && principal.roles.some((role) => ORGANIZATION_READERS.includes(role));
}

/** Whom an action or an entry concerns: who did it, and the person it was done for. */
export interface Concerned {
  readonly organization: string;
  readonly actorId: string | undefined;
  readonly onBehalfOfId: string | undefined;
}

/**
 * Whether `principal` may read what concerns `concerned`: an agent what it did itself for the same person, a person what
 * they or their agents did, a reader of the organization all of it, and nobody anything of another organization.
 */
export function mayRead(principal: Principal, concerned: Concerned): boolean {
  if (principal.organization !== concerned.organization) return false;
  if (readsOrganization(principal)) return true;
  // One agent account serves many people: what it did for one of them is not the others' to read.
  if (concerned.actorId === principal.id && concerned.onBehalfOfId === principal.onBehalfOf?.id) return true;
  return principal.kind !== "AGENT" && concerned.onBehalfOfId === principal.id;
}
