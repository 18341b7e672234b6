import { factOfType } from "../../facts/decode.ts";
import { POLICY_ID } from "../../facts/dependencies.ts";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { objectOf } from "../../facts/members.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { provenFact } from "../../ledger/proof.ts";
import { DEFAULT_FOLDING, type Folding } from "../identity/addresses.ts";
import type { PublishedDocument } from "../policy/policies.ts";
import { LentRights } from "./lent-rights.ts";
import {
  ADMINISTRATOR,
  type Delegation,
  type DelegationState,
  type DirectoryRecord,
  type Moved,
  ORGANIZATION_ID,
  type OrganizationState,
  type PolicyState,
  type PrincipalState,
  type PublicJwk,
  type RecordKind,
  type SetupState,
  type TokenState,
} from "./record.ts";
import { SeenPrincipals } from "./seen-principals.ts";

/** A person who is responsible for what an agent does. */
export interface Responsible {
  readonly id: string;
  /** OWNER: owns the agent, or did. CHANGED: changed what the directory says of it. */
  readonly because: "OWNER" | "CHANGED";
}

/** Of an agent, by ids of people: where another came in the place of one who owned it, and where they last changed it. */
interface AgentHistory {
  readonly replaced: Map<string, bigint>;
  readonly changed: Map<string, bigint>;
}

/** Documents that servers started with and that are kept: as many as may differ between servers, or come after one another. */
const MAX_STARTERS = 20;

/** Never the same for two states of a directory, whatever organization's and however often it was loaded. */
let generations = 0;

/** The directory of one organization, in memory. A projection: nothing here is decided, and nothing is lost with it. */
export class Organization {
  readonly name: string;
  readonly ledger: LedgerId;
  readonly principals = new Map<string, DirectoryRecord<PrincipalState>>();
  readonly tokens = new Map<string, DirectoryRecord<TokenState>>();
  /** Whom the ledger saw, or that of another region where this one cannot be read; loaded for those who ask, not for every call. */
  seen: SeenPrincipals;
  readonly #seen = new Map<LedgerId, SeenPrincipals>();
  setup: DirectoryRecord<SetupState> | undefined;
  /** How many wrong codes people tried since the setup code was issued, by their ids. */
  readonly wrongCodes = new Map<string, number>();
  settings: DirectoryRecord<OrganizationState> | undefined;
  policy: DirectoryRecord<PolicyState> | undefined;
  /** The entry that made its latest version. */
  policyChangedBy: Pick<LedgerEntry, "seq" | "hash"> | undefined;
  /** The documents that the policy names, by the number of their version. */
  readonly publications = new Map<number, PublishedDocument>();
  /** The policies that servers started with, as far as entries have them, by hash: the latest of them, oldest first. */
  readonly starters = new Map<string, PublishedDocument>();
  readonly #lent = new LentRights();
  /** Where people last changed the directory, by their ids. */
  readonly changedAt = new Map<string, bigint>();
  /** Another one after every change. */
  generation = ++generations;
  /** Every change up to this position was taken in. */
  position = 0n;
  /** When the read that it reflects began, and when it was last used, by `performance.now()`. */
  freshAt = Number.NEGATIVE_INFINITY;
  usedAt = performance.now();
  /** Called after every change. */
  readonly watchers = new Set<() => void>();
  readonly #gateways = new Map<string, string>();
  /** Of who is suspended or was: the last position at which they were. */
  readonly #suspended = new Map<string, bigint>();
  readonly #agents = new Map<string, AgentHistory>();
  /** Settings that were in force, by their text, and where others last came in their place. */
  readonly #foldings = new Map<string, { readonly folding: Folding; readonly replacedAt: bigint }>();

  constructor(name: string, region: string) {
    this.name = name;
    this.ledger = ledgerOf(name, region);
    this.seen = this.seenBy(this.ledger);
  }

  /** Whom one of its ledgers saw, as far as that was loaded. */
  seenBy(ledger: LedgerId): SeenPrincipals {
    const seen = this.#seen.get(ledger) ?? new SeenPrincipals(ledger);
    this.#seen.set(ledger, seen);
    return seen;
  }

  /** Applies a record unless a newer one is known. Returns whether it was applied. */
  apply(kind: string, id: string, record: DirectoryRecord<unknown>): boolean {
    const known = this.find(kind, id);
    if (!this.keeps(kind, id)) return false;
    if (known !== undefined && known.version >= record.version) return false;
    // The entry was checked: its states are what their kinds say.
    if (kind === "PRINCIPAL") {
      this.principals.set(id, record as DirectoryRecord<PrincipalState>);
      this.#indexGateway(id, record.state as PrincipalState);
      if ((record.state as PrincipalState).suspended) this.#suspended.set(id, record.updatedSeq);
    } else if (kind === "TOKEN") this.tokens.set(id, record as DirectoryRecord<TokenState>);
    else if (kind === "SETUP") this.setup = record as DirectoryRecord<SetupState>;
    else if (kind === "POLICY") this.policy = record as DirectoryRecord<PolicyState>;
    else if (kind === "DELEGATION") this.#lent.apply(id, record as DirectoryRecord<DelegationState>);
    else {
      const { folding } = this;
      this.#foldings.set(JSON.stringify(folding), { folding, replacedAt: record.updatedSeq });
      this.settings = record as DirectoryRecord<OrganizationState>;
    }
    this.generation = ++generations;
    return true;
  }

  /**
   * Applies what `entry` moves, unless a newer version is known. Returns whether that changed anything. Throws LedgerDamagedError
   * when an entry is missing before it.
   */
  replay(entry: LedgerEntry): boolean {
    const fact = provenFact(this.ledger, entry);
    this.#observe(entry);
    let changed = false;
    for (const { kind, id, version, state } of "states" in fact ? fact.states : []) {
      if (!this.keeps(kind, id)) continue;
      const known = this.find(kind, id)?.version ?? 0;
      if (version > known + 1) {
        const what = `entry ${entry.seq} makes version ${version} of ${kind} ${id}, and there is no entry of version ${known + 1}`;
        throw new LedgerDamagedError(this.ledger, what);
      }
      if (this.#take(kind, id, { version, state, updatedSeq: entry.seq }, entry)) changed = true;
    }
    return changed;
  }

  /** Whether this is a record of a directory. Kinds of newer code are not, nor a set-up code that nobody can use. */
  keeps(kind: string, id: string): boolean {
    if (kind === "SETUP") return id === ADMINISTRATOR;
    if (kind === "POLICY") return id === POLICY_ID;
    if (kind === "DELEGATION") return true;
    return kind === "PRINCIPAL" || kind === "TOKEN" || (kind === "ORGANIZATION" && id === ORGANIZATION_ID);
  }

  /** Applies an entry that this process recorded. */
  applyEntry({ kind, id, version, state }: Moved, entry: LedgerEntry): boolean {
    this.#observe(entry);
    return this.#take(kind, id, { version, state, updatedSeq: entry.seq }, entry);
  }

  /** Counts the wrong codes of people. Each entry that moves the setup code is applied once, in order. */
  #countCodes(kind: string, { body }: LedgerEntry): void {
    if (kind !== "SETUP") return;
    if (body.type === "SETUP_CODE_ISSUED") this.wrongCodes.clear();
    const { id } = objectOf(body.actor);
    if (body.type !== "SETUP_CODE_REFUSED" || typeof id !== "string") return;
    this.wrongCodes.set(id, (this.wrongCodes.get(id) ?? 0) + 1);
  }

  /** Keeps the documents that the policy names now. */
  #publish(kind: string, entry: LedgerEntry): void {
    if (kind !== "POLICY" || this.policy === undefined) return;
    this.policyChangedBy = { seq: entry.seq, hash: entry.hash };
    if (entry.body.type === "POLICY_STARTED") {
      const { hash, document } = factOfType(entry, "POLICY_STARTED").starter;
      this.starters.set(hash, { version: 1, hash, document });
      const [oldest] = this.starters.keys();
      if (this.starters.size > MAX_STARTERS && oldest !== undefined) this.starters.delete(oldest);
      return;
    }
    const { action, version, hash, document } = factOfType(entry, "POLICY_PUBLISHED").publication;
    this.publications.set(version, { action, version, hash, document });
    const { state } = this.policy;
    for (const number of this.publications.keys()) {
      if (number !== state.version && number !== state.shadow?.version) this.publications.delete(number);
    }
  }

  #take(kind: string, id: string, record: DirectoryRecord<unknown>, entry: LedgerEntry): boolean {
    const { body, seq } = entry;
    const before = kind === "PRINCIPAL" ? this.principals.get(id)?.state : undefined;
    if (!this.apply(kind, id, record)) return false;
    this.#countCodes(kind, entry);
    this.#publish(kind, entry);
    const after = kind === "PRINCIPAL" ? this.principals.get(id)?.state : undefined;
    if (after?.kind !== "AGENT") return true;
    const history = this.#agents.get(id) ?? { replaced: new Map(), changed: new Map() };
    this.#agents.set(id, history);
    if (before?.owner !== undefined && before.owner !== after.owner) history.replaced.set(before.owner, seq);
    const actor = objectOf(body.actor);
    if (actor.kind === "HUMAN" && typeof actor.id === "string") history.changed.set(actor.id, seq);
    return true;
  }

  #observe({ body, seq }: LedgerEntry): void {
    const { id, kind } = objectOf(body.actor);
    if (kind === "HUMAN" && typeof id === "string" && seq > (this.changedAt.get(id) ?? 0n)) this.changedAt.set(id, seq);
  }

  find(kind: string, id: string): DirectoryRecord<unknown> | undefined {
    if (kind === "PRINCIPAL") return this.principals.get(id);
    if (kind === "TOKEN") return this.tokens.get(id);
    if (kind === "DELEGATION") return this.#lent.find(id);
    if (kind === "ORGANIZATION" && id === ORGANIZATION_ID) return this.settings;
    if (kind === "POLICY" && id === POLICY_ID) return this.policy;
    return kind === "SETUP" && id === ADMINISTRATOR ? this.setup : undefined;
  }

  /** What moves the record `id` on to `state`. */
  next<Kind extends RecordKind>(kind: Kind, id: string, state: Moved<Kind>["state"]): Moved<Kind> {
    return {
      kind,
      id,
      version: (this.find(kind, id)?.version ?? 0) + 1,
      state,
    };
  }

  isSuspended(principalId: string): boolean {
    return this.principals.get(principalId)?.state.suspended === true;
  }

  /** Whether the principal is suspended, or was after position `since`. */
  wasSuspended(principalId: string, since: bigint): boolean {
    return this.isSuspended(principalId) || (this.#suspended.get(principalId) ?? since) > since;
  }

  /** Which e-mail addresses are taken for one mailbox. */
  get folding(): Folding {
    return this.settings?.state.addresses ?? DEFAULT_FOLDING;
  }

  /** The same, and what was in force after position `since`: who changes it does not make two people of one. */
  foldingsSince(since: bigint): readonly Folding[] {
    const before = [...this.#foldings.values()].filter(({ replacedAt }) => replacedAt > since);
    return [this.folding, ...before.map(({ folding }) => folding)];
  }

  /** Who owns an agent, who did after position `since`, and who changed its record after that. */
  responsibleFor(agentId: string, since: bigint): readonly Responsible[] {
    const owner = this.principals.get(agentId)?.state.owner;
    const { replaced, changed } = this.#agents.get(agentId) ?? { replaced: [], changed: [] };
    const after = (positions: Iterable<readonly [string, bigint]>) =>
      [...positions].flatMap(([id, seq]) => (seq > since ? [id] : []));
    const owners = new Set([...(owner === undefined ? [] : [owner]), ...after(replaced)]);
    return [
      ...[...owners].map((id) => ({ id, because: "OWNER" }) as const),
      ...after(changed).flatMap((id) => (owners.has(id) ? [] : [{ id, because: "CHANGED" } as const])),
    ];
  }

  delegation(id: string): Delegation | undefined {
    return this.#lent.get(id);
  }

  /** All that were ever made. */
  delegations(): readonly Delegation[] {
    return this.#lent.all();
  }

  delegationsBy(delegatorId: string): readonly Delegation[] {
    return this.#lent.by(delegatorId);
  }

  delegationsTo(delegateId: string): readonly Delegation[] {
    return this.#lent.to(delegateId);
  }

  /** Ids of the administrators appointed here who can act. */
  administrators(): readonly string[] {
    const found: string[] = [];
    for (const [id, { state }] of this.principals) if (isAdministrator(state)) found.push(id);
    return found;
  }

  /** The gateway that signs with the key of this thumbprint. */
  gateway(keyid: string): { readonly principalId: string; readonly jwk: PublicJwk } | undefined {
    const principalId = this.#gateways.get(keyid);
    const state = principalId === undefined ? undefined : this.principals.get(principalId)?.state;
    if (principalId === undefined || state?.gatewayKey === undefined) return undefined;
    if (state.suspended || (state.owner !== undefined && this.isSuspended(state.owner))) return undefined;
    return { principalId, jwk: state.gatewayKey };
  }

  /** Who has the key of this thumbprint, for whatever it is. */
  holderOf(thumbprint: string): string | undefined {
    for (const [id, { state }] of this.principals) {
      if (state.key === thumbprint || state.gatewayKey?.kid === thumbprint) return id;
    }
    return undefined;
  }

  #indexGateway(id: string, { gatewayKey }: PrincipalState): void {
    for (const [keyid, holder] of this.#gateways) if (holder === id) this.#gateways.delete(keyid);
    // If two were ever registered with one key, the first is used.
    if (gatewayKey !== undefined && !this.#gateways.has(gatewayKey.kid)) this.#gateways.set(gatewayKey.kid, id);
  }
}

/** Whether these make an administrator who can act. */
export function isAdministrator({ kind, suspended, roles }: PrincipalState): boolean {
  return kind === "HUMAN" && !suspended && roles.includes("admin");
}
