import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Authentication } from "../identity/authentication.ts";
import { AuthenticationError } from "../identity/errors.ts";
import type { Principal } from "../identity/principal.ts";
import { regionRoles } from "../visibility/regions.ts";
import { teamsLedBy } from "../visibility/visibility.ts";
import type { Organization } from "./organization.ts";
import { type OwnerOptions, readOwner } from "./owner.ts";
import type { ReadingWithCopies } from "./with-copies.ts";

/** Checks authenticated callers against the current directory. */
export interface Admission {
  /**
   * `authentication` with the roles that the directory adds; for an invited agent also its platforms and, when it acts for
   * nobody, its owner. Returns the same object for the same argument as long as the result is the same, at the cost of a map
   * lookup until the directory changes. Throws AuthenticationError (SUSPENDED, REVOKED, NOT_REGISTERED, KEY_REQUIRED),
   * LedgerUnavailableError.
   */
  admit(authentication: Authentication): Promise<Authentication>;
  /**
   * Calls back once when `authentication` (presented or admitted) would be refused, or admitted with fewer rights. Returns a
   * function that stops watching.
   */
  watch(authentication: Authentication, onRevoked: (error: AuthenticationError) => void): () => void;
  /** Whether `principal`, as admitted, is a person who has the role `admin` and is not suspended now. */
  administers(organization: Organization, principal: Principal): boolean;
}

interface Admitted {
  readonly generation: number;
  readonly authentication: Authentication;
  /** Whether the caller leads a team or was lent a right, so that group members must be loaded. */
  readonly leads: boolean;
  /** As `limitsOf` has it. */
  readonly limits: string;
}

export interface AdmissionOptions extends OwnerOptions {
  readonly projections: ReadingWithCopies;
  readonly ledgers: Pick<Ledgers, "damaged">;
}

export function createAdmission({ projections, db, isSigned, ledgers }: AdmissionOptions): Admission {
  const admitted = new WeakMap<Authentication, Admitted>();
  /** The presented authentication of each admitted one. */
  const presented = new WeakMap<Authentication, Authentication>();
  const claimed = new WeakMap<Principal, Principal>();

  async function ownerOf(organization: Organization, authentication: Authentication): Promise<Principal | undefined> {
    const agent = authentication.principal;
    const id = organization.principals.get(agent.id)?.state.owner;
    if (agent.kind !== "AGENT" || agent.onBehalfOf !== undefined || id === undefined) return undefined;
    try {
      const owner = await projections.either(
        () => readOwner({ db, isSigned }, organization, id),
        async () => {
          await projections.copies.refresh(organization);
          const signIn = projections.copies.signInOf(organization, id);
          return signIn && { ...signIn.principal, roles: [] };
        },
      );
      if (owner !== undefined) return owner;
    } catch (error) {
      throw error instanceof LedgerDamagedError ? ledgers.damaged(error) : error;
    }
    const message = `the owner of this agent, ${id}, is not known well enough: have them sign in once`;
    throw refusedAs("NOT_REGISTERED", message, authentication);
  }

  async function decide(organization: Organization, authentication: Authentication): Promise<Authentication> {
    const known = admitted.get(authentication);
    const { generation } = organization;
    const refusal = refusalOf(organization, authentication);
    if (refusal !== undefined) throw refusal;
    const owner = await ownerOf(organization, authentication);
    // The directory may have changed meanwhile.
    if (organization.generation !== generation) return decide(organization, authentication);
    const base = owner === undefined ? authentication.principal : { ...authentication.principal, onBehalfOf: owner };
    const principal = enriched(organization, base);
    const leads = teamsLedBy(principal).length > 0 || wasLentRights(organization, principal);
    if (leads) await projections.see(organization);
    const admission = choose(known?.authentication ?? authentication, authentication, principal);
    const limits = limitsOf(organization, principal);
    admitted.set(authentication, { generation, authentication: admission, leads, limits });
    if (admission !== authentication) presented.set(admission, authentication);
    if (admission.principal !== authentication.principal) claimed.set(admission.principal, authentication.principal);
    return admission;
  }

  /** By the current roles: one that was removed since the principal was admitted does not count. */
  function administers(organization: Organization, principal: Principal): boolean {
    if (suspensionOf(organization, principal)) return false;
    const { kind, roles } = enriched(organization, claimed.get(principal) ?? principal);
    return kind === "HUMAN" && roles.includes("admin");
  }

  /** Why a caller admitted with `principal` must authenticate again. */
  function endOf(
    organization: Organization,
    authentication: Authentication,
    principal: Principal,
    limits: string | undefined,
  ): AuthenticationError | undefined {
    const refusal = refusalOf(organization, authentication);
    if (refusal !== undefined) return refusal;
    const now = enriched(organization, authentication.principal);
    const owner = organization.principals.get(principal.id)?.state.owner;
    const ownBefore = authentication.principal.onBehalfOf === undefined ? principal.onBehalfOf?.id : undefined;
    const same =
      (limits === undefined || limits === limitsOf(organization, principal)) &&
      principal.roles.every((role) => now.roles.includes(role)) &&
      String(principal.platforms) === String(now.platforms) &&
      (ownBefore === undefined || ownBefore === owner);
    return same ? undefined : refusedAs("REVOKED", "your rights have changed: sign in again", authentication);
  }

  return {
    administers,
    async admit(given) {
      const authentication = presented.get(given) ?? given;
      const { organization: name } = authentication.principal;
      const current = projections.current(name);
      const known = admitted.get(authentication);
      if (current !== undefined && known?.generation === current.generation) {
        if (known.leads && projections.isBlind(current)) await projections.see(current);
        return known.authentication;
      }
      return decide(current ?? (await projections.open(name)), authentication);
    },
    watch(given, onRevoked) {
      const authentication = presented.get(given) ?? given;
      const known = admitted.get(authentication);
      const { principal } = known?.authentication ?? given;
      let organization: Organization | undefined;
      let watching = true;
      const unwatch = () => {
        watching = false;
        organization?.watchers.delete(look);
      };
      function look(): void {
        const end =
          watching && organization !== undefined && endOf(organization, authentication, principal, known?.limits);
        if (!end) return;
        unwatch();
        onRevoked(end);
      }
      function begin(found: Organization): void {
        if (!watching) return;
        organization = found;
        found.watchers.add(look);
        // Something may have changed since the caller was admitted.
        queueMicrotask(look);
      }
      const current = projections.current(authentication.principal.organization);
      if (current !== undefined) begin(current);
      else {
        const unread = () =>
          onRevoked(refusedAs("REVOKED", "your access cannot be checked now: sign in again", authentication));
        projections.open(authentication.principal.organization).then(begin, () => watching && unread());
      }
      return unwatch;
    },
  };
}

function wasLentRights(organization: Organization, { id }: Principal): boolean {
  return organization
    .delegationsTo(id)
    .some(({ status, expiresAt }) => status === "MADE" && Date.parse(expiresAt) > Date.now());
}

type Reason = ConstructorParameters<typeof AuthenticationError>[0];

function refusedAs(reason: Reason, message: string, { principal }: Authentication): AuthenticationError {
  return new AuthenticationError(reason, message, { principal });
}

/** Whether the principal itself is suspended, or somebody it acts for. */
function suspensionOf(organization: Organization, principal: Principal): boolean {
  for (let at: Principal | undefined = principal; at !== undefined; at = at.onBehalfOf) {
    if (organization.isSuspended(at.id)) return true;
  }
  return false;
}

function refusalOf(organization: Organization, authentication: Authentication): AuthenticationError | undefined {
  const { principal, issuer, tokenId, key } = authentication;
  if (suspensionOf(organization, principal)) {
    return refusedAs("SUSPENDED", "access of this principal was suspended: ask an administrator", authentication);
  }
  const { tokens } = organization;
  if (tokenId !== undefined && (tokens.has(`${issuer} ${tokenId}`) || tokens.has(`* ${tokenId}`))) {
    return refusedAs("REVOKED", "the token was revoked: ask its issuer for a new one", authentication);
  }
  if (principal.kind !== "AGENT") return undefined;
  const record = organization.principals.get(principal.id)?.state;
  const state = record?.kind === "AGENT" ? record : undefined;
  if (principal.onBehalfOf === undefined && state?.owner === undefined) {
    const message = "this agent is not registered and acts for nobody: ask an administrator to invite it";
    return refusedAs("NOT_REGISTERED", message, authentication);
  }
  // Its owner is suspended, so it is refused for every person it acts for.
  if (state?.owner !== undefined && organization.isSuspended(state.owner)) {
    return refusedAs("SUSPENDED", "access of this agent's owner was suspended: ask an administrator", authentication);
  }
  if (state?.key !== undefined && state.key !== key) {
    const message = "this agent's tokens must be bound to the key it is registered with (RFC 9449)";
    return refusedAs("KEY_REQUIRED", message, authentication);
  }
  return undefined;
}

/** The regions that the directory limits `principal` to, and whom it acts for: roles that take something away when they are given. */
function limitsOf(organization: Organization, principal: Principal): string {
  const chain: (readonly string[])[] = [];
  for (let at: Principal | undefined = principal; at !== undefined; at = at.onBehalfOf) {
    const record = organization.principals.get(at.id)?.state;
    chain.push(record?.kind === at.kind ? regionRoles(record.roles) : []);
  }
  return JSON.stringify(chain);
}

/** `principal`, and whom it acts for, with what the directory gives them. */
function enriched(organization: Organization, principal: Principal): Principal {
  const record = organization.principals.get(principal.id)?.state;
  // Roles of a person do not apply to an agent with the same id, nor the reverse.
  const state = record?.kind === principal.kind ? record : undefined;
  const added = (state?.roles ?? []).filter((role) => !principal.roles.includes(role));
  const onBehalfOf = principal.onBehalfOf && enriched(organization, principal.onBehalfOf);
  const platforms = principal.kind === "AGENT" ? state?.platforms : undefined;
  if (added.length === 0 && onBehalfOf === principal.onBehalfOf && platforms === undefined) return principal;
  return {
    ...principal,
    roles: [...principal.roles, ...added],
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(platforms === undefined ? {} : { platforms }),
  };
}

/** An authentication with `principal`: the one returned before if it is equal. */
function choose(before: Authentication, authentication: Authentication, principal: Principal): Authentication {
  if (JSON.stringify(before.principal) === JSON.stringify(principal)) return before;
  return principal === authentication.principal ? authentication : { ...authentication, principal };
}
