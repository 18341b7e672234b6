import type { JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { instant } from "../../facts/entry.ts";
import { isSame } from "../../facts/members.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Caller } from "../identity/principal.ts";
import type { Changes } from "./changes.ts";
import { refuse } from "./errors.ts";
import { publishedPlatforms } from "./governance.ts";
import { checkId, checkName, checkPlatforms, checkPublicKey } from "./input.ts";
import type { Organization } from "./organization.ts";
import { lastSighting } from "./read-seen.ts";
import type { PrincipalState, PublicJwk } from "./record.ts";

export interface InviteAgentInput {
  readonly agentId: string;
  readonly displayName: string;
  readonly ownerId: string;
  readonly platforms?: readonly string[] | undefined;
  /** A public JWK. */
  readonly publicKey?: JsonValue | undefined;
  readonly gateway?: boolean | undefined;
}

/** undefined: unchanged; null: removed. */
export interface UpdateAgentInput {
  readonly agentId: string;
  readonly displayName?: string | undefined;
  readonly ownerId?: string | undefined;
  readonly platforms?: readonly string[] | null | undefined;
  readonly publicKey?: JsonValue | undefined;
  readonly gateway?: boolean | undefined;
}

export interface DirectoryResult {
  /** The principal that was changed, in its organization. */
  readonly principalId: string;
  readonly entry: LedgerEntry;
}

export interface Agents {
  /** Throws DirectoryRefusal, LedgerUnavailableError. */
  inviteAgent(caller: Caller, input: InviteAgentInput): Promise<DirectoryResult>;
  /** Throws DirectoryRefusal, LedgerUnavailableError. */
  updateAgent(caller: Caller, input: UpdateAgentInput): Promise<DirectoryResult>;
}

/** @param catalog the platforms that the server lists, by name; those of a published policy come on top */
export function createAgents(changes: Changes, db: Queryable, catalog: readonly string[]): Agents {
  return {
    async inviteAgent(caller, input) {
      const { agentId: id, displayName, ownerId } = input;
      const { entry } = await changes.administer(caller, async (organization) => {
        checkId(id, "agentId");
        checkName(displayName, "displayName");
        const platforms =
          input.platforms && checkPlatforms(input.platforms, [...catalog, ...publishedPlatforms(organization)]);
        const jwk = input.publicKey === undefined ? undefined : await checkPublicKey(input.publicKey);
        await checkNew(db, organization, caller, id);
        await checkOwner(db, organization, caller, ownerId);
        const before = organization.principals.get(id)?.state;
        const state: PrincipalState = {
          kind: "AGENT",
          suspended: before?.suspended ?? false,
          roles: before?.roles ?? [],
          owner: ownerId,
          invitedAt: instant(new Date()),
          ...(platforms === undefined ? {} : { platforms }),
          ...keys(organization, id, jwk, input.gateway ?? false),
        };
        const subject = await changes.subject(organization, id, state, {
          displayName,
        });
        return { type: "PRINCIPAL_INVITED", subject, states: [organization.next("PRINCIPAL", id, state)] };
      });
      return { principalId: id, entry };
    },
    async updateAgent(caller, input) {
      const { agentId: id, displayName, ownerId } = input;
      const { entry } = await changes.administer(caller, async (organization) => {
        checkId(id, "agentId");
        if (displayName !== undefined) checkName(displayName, "displayName");
        const before = organization.principals.get(id)?.state;
        if (before?.owner === undefined) throw refuse("NOT_FOUND", "no such agent was invited", "agentId");
        if (ownerId !== undefined) await checkOwner(db, organization, caller, ownerId);
        const { platforms: allowed, key: _key, gatewayKey: _gatewayKey, ...rest } = before;
        // One that it may use already stays allowed, though the catalog may have lost it.
        const known = () => [...new Set([...catalog, ...publishedPlatforms(organization), ...(allowed ?? [])])];
        const platforms =
          input.platforms === undefined ? allowed : input.platforms && checkPlatforms(input.platforms, known());
        const state: PrincipalState = {
          ...rest,
          ...(ownerId === undefined ? {} : { owner: ownerId }),
          ...(platforms ? { platforms } : {}),
          ...(await nextKeys(organization, id, before, input)),
        };
        if (displayName === undefined && isSame(state, before)) {
          throw refuse("NOTHING_CHANGED", "the agent is what you ask for already");
        }
        const profile = displayName === undefined ? undefined : { displayName };
        const subject = await changes.subject(organization, id, state, profile);
        return { type: "PRINCIPAL_UPDATED", subject, states: [organization.next("PRINCIPAL", id, state)] };
      });
      return { principalId: id, entry };
    },
  };
}

type Keys = Pick<PrincipalState, "key" | "gatewayKey">;

/** An agent has one key: it is what its tokens are bound to, or what its statements as a gateway are signed with. */
function keys(organization: Organization, id: string, jwk: PublicJwk | undefined, gateway: boolean): Keys {
  if (jwk === undefined) {
    if (gateway) throw refuse("INVALID_INPUT", "a gateway needs the key it signs with", "publicKey");
    return {};
  }
  const holder = organization.holderOf(jwk.kid);
  if (holder !== undefined && holder !== id) {
    throw refuse("ALREADY_EXISTS", "another agent is registered with this key", "publicKey");
  }
  return gateway ? { gatewayKey: jwk } : { key: jwk.kid };
}

async function nextKeys(organization: Organization, id: string, before: Keys, input: UpdateAgentInput): Promise<Keys> {
  const gateway = input.gateway ?? before.gatewayKey !== undefined;
  if (input.publicKey !== undefined) {
    const jwk = input.publicKey === null ? undefined : await checkPublicKey(input.publicKey);
    return keys(organization, id, jwk, gateway);
  }
  if (!gateway) return before.gatewayKey === undefined ? pick(before) : { key: before.gatewayKey.kid };
  if (before.gatewayKey !== undefined) return pick(before);
  // Of a token's key only the thumbprint is kept, and statements are checked with the key itself.
  throw refuse("INVALID_INPUT", "a gateway needs the key it signs with", "publicKey");
}

function pick({ key, gatewayKey }: Keys): Keys {
  return {
    ...(key === undefined ? {} : { key }),
    ...(gatewayKey === undefined ? {} : { gatewayKey }),
  };
}

/** An agent is invited once, also one that was seen or suspended before it was; and nobody else becomes one. */
async function checkNew(db: Queryable, organization: Organization, { principal }: Caller, id: string): Promise<void> {
  const state = organization.principals.get(id)?.state;
  const known = state?.kind ?? (id === principal.id ? principal.kind : undefined);
  const kind = known ?? (await lastSighting(db, organization.ledger, id))?.kind ?? "AGENT";
  if (kind !== "AGENT") throw refuse("ALREADY_EXISTS", "somebody else has this id, who is no agent", "agentId");
  if (state?.owner !== undefined) {
    throw refuse("ALREADY_EXISTS", "the agent was invited before: change it with updateAgent", "agentId");
  }
}

/** The owner of an agent must be a person in the directory who is not suspended. */
async function checkOwner(db: Queryable, organization: Organization, caller: Caller, id: string): Promise<void> {
  checkId(id, "ownerId");
  const state = organization.principals.get(id)?.state;
  const known = state?.kind ?? (id === caller.principal.id ? caller.principal.kind : undefined);
  const kind = known ?? (await lastSighting(db, organization.ledger, id))?.kind;
  if (kind === undefined) throw refuse("NOT_FOUND", "nobody of this id is known: have them sign in first", "ownerId");
  if (kind !== "HUMAN") throw refuse("INVALID_INPUT", "must be a person", "ownerId");
  if (state?.suspended === true) throw refuse("INVALID_INPUT", "must not be suspended", "ownerId");
}
