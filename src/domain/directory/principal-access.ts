import type { LedgerEntry } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Caller, Principal, PrincipalKind } from "../identity/principal.ts";
import { regionRoles } from "../visibility/regions.ts";
import type { DirectoryResult } from "./agents.ts";
import type { Changes } from "./changes.ts";
import { refuse } from "./errors.ts";
import { checkId, checkReason, checkRoles, tokenRecordId } from "./input.ts";
import { isAdministrator, type Organization } from "./organization.ts";
import type { Projections } from "./projections.ts";
import { lastSighting } from "./read-seen.ts";
import type { PrincipalState } from "./record.ts";

export interface SuspensionInput {
  readonly principalId: string;
  readonly reason: string;
}

export type SuspensionListener = (caller: Caller, principalId: string) => Promise<void>;

export interface RolesInput {
  readonly principalId: string;
  readonly roles: readonly string[];
}

export interface RevokeTokenInput {
  /** Undefined: a token of any issuer. */
  readonly issuer?: string | undefined;
  /** `jti`. */
  readonly tokenId: string;
  readonly reason: string;
}

/** Administrators' changes of who may call and with which roles. All throw DirectoryRefusal, LedgerUnavailableError. */
export interface PrincipalAccess {
  suspendPrincipal(caller: Caller, input: SuspensionInput): Promise<DirectoryResult>;
  /**
   * Calls `listener` whenever somebody was suspended, for areas in which something rests on that person, and waits for it. The
   * suspension remains when `listener` rejects with LedgerUnavailableError, so it must not be the only one to see to that.
   */
  onSuspended(listener: SuspensionListener): void;
  reinstatePrincipal(caller: Caller, input: SuspensionInput): Promise<DirectoryResult>;
  setPrincipalRoles(caller: Caller, input: RolesInput): Promise<DirectoryResult>;
  revokeToken(caller: Caller, input: RevokeTokenInput): Promise<{ readonly entry: LedgerEntry }>;
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof LedgerUnavailableError)) throw error;
}

export function createPrincipalAccess(changes: Changes, projections: Projections, db: Queryable): PrincipalAccess {
  const listeners: SuspensionListener[] = [];

  /** The current state of the principal; an unknown one is a person without roles. */
  async function stateOf(organization: Organization, id: string): Promise<PrincipalState> {
    const state = organization.principals.get(id)?.state;
    if (state !== undefined) return state;
    const kind: PrincipalKind = (await lastSighting(db, organization.ledger, id))?.kind ?? "HUMAN";
    return { kind, suspended: false, roles: [] };
  }

  async function move(
    organization: Organization,
    type: "PRINCIPAL_SUSPENDED" | "PRINCIPAL_REINSTATED" | "PRINCIPAL_ROLES_CHANGED",
    id: string,
    state: PrincipalState,
    reason?: string,
  ) {
    const subject = await changes.subject(organization, id, state);
    const note = reason === undefined ? undefined : new Erasable(reason);
    return { type, subject, note, states: [organization.next("PRINCIPAL", id, state)] } as const;
  }

  /**
   * Two administrators who demote each other concurrently change two records, and neither decision sees the other. Each
   * call checks afterwards whether an administrator is left, and reverts its own demotion if not.
   */
  async function keepOne(organization: Organization, id: string, before: PrincipalState): Promise<void> {
    await projections.refresh(organization);
    if (organization.administrators().length > 0) return;
    await changes.record(organization, "system", async (fresh) => {
      const state = { ...(await stateOf(fresh, id)), roles: before.roles };
      return { ...(await move(fresh, "PRINCIPAL_ROLES_CHANGED", id, state)), reason: "LAST_ADMINISTRATOR" };
    });
    throw lastAdministrator();
  }

  return {
    async suspendPrincipal(caller, { principalId: id, reason }) {
      const { entry } = await changes.administer(caller, async (organization) => {
        checkId(id, "principalId");
        checkReason(reason);
        if (id === caller.principal.id) {
          throw refuse("CANNOT_SUSPEND_SELF", "another administrator would have to suspend you", "principalId");
        }
        const state = await stateOf(organization, id);
        if (state.suspended) throw refuse("ALREADY_SUSPENDED", "the principal is suspended already", "principalId");
        return move(organization, "PRINCIPAL_SUSPENDED", id, { ...state, suspended: true }, reason);
      });
      for (const listener of listeners) await listener(caller, id).catch(ignoreUnavailable);
      return { principalId: id, entry };
    },
    onSuspended: (listener) => void listeners.push(listener),
    async reinstatePrincipal(caller, { principalId: id, reason }) {
      const { entry } = await changes.administer(caller, async (organization) => {
        checkId(id, "principalId");
        checkReason(reason);
        const state = await stateOf(organization, id);
        if (!state.suspended) throw refuse("NOT_SUSPENDED", "the principal is not suspended", "principalId");
        return move(organization, "PRINCIPAL_REINSTATED", id, { ...state, suspended: false }, reason);
      });
      return { principalId: id, entry };
    },
    async setPrincipalRoles(caller, { principalId: id, roles: wanted }) {
      let before: PrincipalState | undefined;
      const { organization, entry } = await changes.administer(caller, async (fresh) => {
        checkId(id, "principalId");
        const roles = checkRoles(wanted);
        const limits = regionRoles(roles);
        before = await stateOf(fresh, id);
        const state = { ...before, roles };
        if (state.kind === "AGENT" && roles.some((role) => role !== "member" && !limits.includes(role))) {
          throw refuse("INVALID_INPUT", "an agent can be a member, perhaps of some regions, and nothing more", "roles");
        }
        checkLimits(caller.principal, limits);
        if (String(before.roles) === String(roles)) throw refuse("NOTHING_CHANGED", "these are its roles already");
        const demoted = isAdministrator(before) && !isAdministrator(state);
        if (demoted && fresh.administrators().every((other) => other === id)) throw lastAdministrator();
        return move(fresh, "PRINCIPAL_ROLES_CHANGED", id, state);
      });
      if (before !== undefined && isAdministrator(before) && !wanted.includes("admin")) {
        await keepOne(organization, id, before);
      }
      return { principalId: id, entry };
    },
    async revokeToken(caller, { issuer, tokenId, reason }) {
      const { entry } = await changes.administer(caller, (organization) => {
        const id = tokenRecordId(issuer, tokenId);
        checkReason(reason);
        if (organization.tokens.has(id)) throw refuse("ALREADY_REVOKED", "the token was revoked before", "tokenId");
        const states = [organization.next("TOKEN", id, { revoked: true })] as const;
        return { type: "TOKEN_REVOKED", note: new Erasable(reason), states };
      });
      return { entry };
    },
  };
}

/** Whoever is limited to some regions opens no others to anybody. */
function checkLimits(by: Principal, limits: readonly string[]): void {
  const own = regionRoles(by.roles);
  if (own.length === 0 || (limits.length > 0 && limits.every((limit) => own.includes(limit)))) return;
  throw refuse(
    "ADMINISTRATORS_ONLY",
    `your own roles limit you to regions: the new roles have to name some of ${own.join(", ")}`,
    "roles",
  );
}

function lastAdministrator() {
  const message = "nobody else appointed here is an administrator: appoint somebody first";
  return refuse("LAST_ADMINISTRATOR", message, "roles");
}
