import type { Principal } from "../identity/principal.ts";
import { PolicyDocumentError } from "../policy/document/problems.ts";
import { readPolicy } from "../policy/document/read.ts";
import type { PublishedDocument, PublishedPolicy } from "../policy/policies.ts";
import { isAdministrator, type Organization } from "./organization.ts";
import type { Reading } from "./projections.ts";
import { latest } from "./seen-principals.ts";

/** What an organization has decided about itself. */
export interface Governance {
  /** The documents that it published; undefined where the directory was not read lately. */
  publishedBy(organization: string): PublishedPolicy | undefined;
  /** Whether anybody but `principal` is known as an administrator who could approve. Throws LedgerUnavailableError. */
  hasOtherAdministrator(principal: Principal): Promise<boolean>;
}

export function createGovernance(projections: Reading): Governance {
  return {
    publishedBy(name) {
      const organization = projections.current(name);
      return organization && publishedPolicy(organization);
    },
    async hasOtherAdministrator({ organization: name, id }) {
      const organization = await projections.open(name);
      await projections.refresh(organization);
      await projections.see(organization);
      return [...administratorsOf(organization)].some((one) => one !== id);
    },
  };
}

/** Undefined where a document is not there that entries have: nothing may be decided by another one. */
function publishedPolicy(organization: Organization): PublishedPolicy | undefined {
  const { policy, publications } = organization;
  const starters = [...organization.starters.values()];
  if (policy === undefined)
    return { record: 0, latest: 1, inForce: undefined, active: undefined, shadow: undefined, starters };
  const { version, hash, shadow, latest: highest } = policy.state;
  const begun = {
    record: policy.version,
    changedBy: organization.policyChangedBy,
    latest: highest,
    inForce: { version, hash },
    starters,
  };
  // Until then each server evaluates by its own, and records that it does.
  if (highest === 1) return { ...begun, active: undefined, shadow: undefined };
  const active = publications.get(version) ?? organization.starters.get(hash);
  const beside = shadow && publications.get(shadow.version);
  if (active?.hash !== hash || (shadow !== undefined && beside === undefined)) return undefined;
  return { ...begun, active, shadow: beside };
}

/** Of documents that were read. */
const platforms = new WeakMap<PublishedDocument, readonly string[]>();

/**
 * Names of the platforms in the catalog of the policy in force; none where it is the one that servers start with, or one that only a newer server
 * can read.
 */
export function publishedPlatforms({ policy, publications }: Organization): readonly string[] {
  const active = policy && publications.get(policy.state.version);
  if (active === undefined) return [];
  let names = platforms.get(active);
  if (names === undefined) {
    names = namesIn(active);
    platforms.set(active, names);
  }
  return names;
}

function namesIn({ document }: PublishedDocument): readonly string[] {
  try {
    return Object.keys(readPolicy(document).document.catalog.platforms);
  } catch (error) {
    if (error instanceof PolicyDocumentError) return [];
    throw error;
  }
}

/** Appointed here, or seen with a token that says so. */
function* administratorsOf(organization: Organization): Iterable<string> {
  for (const [id, { state }] of organization.principals) if (isAdministrator(state)) yield id;
  for (const [id, seen] of organization.seen.entries()) {
    const { kind, roles } = latest(seen);
    if (kind === "HUMAN" && roles.includes("admin") && !organization.isSuspended(id)) yield id;
  }
}
