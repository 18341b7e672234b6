import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { Logger } from "../../log.ts";
import type { Attribute } from "../commit.ts";
import type { Caller } from "../identity/principal.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { type AddressFolding, createAddressFolding } from "./address-folding.ts";
import { type Admission, createAdmission } from "./admission.ts";
import { type Agents, createAgents } from "./agents.ts";
import { createChanges } from "./changes.ts";
import { Copies, type CopyPlace } from "./copies.ts";
import { createDelegations, type Delegations, type Lending } from "./delegations.ts";
import { createGovernance, type Governance } from "./governance.ts";
import { createHomeReading, type HomeReading } from "./home-reading.ts";
import { createKnownPeople, type KnownPeople } from "./known-people.ts";
import { lastSignIns } from "./last-sign-in.ts";
import type { Responsible } from "./organization.ts";
import { createPrincipalAccess, type PrincipalAccess } from "./principal-access.ts";
import type { Reading } from "./projections.ts";
import { Projections } from "./projections.ts";
import { createReach, type Reach } from "./reach.ts";
import type { PublicJwk } from "./record.ts";
import { createSetup, type Setup } from "./setup.ts";
import { createViews, type Views } from "./views.ts";
import { createReadingWithCopies } from "./with-copies.ts";

/** Whether `caller` is a person who is an administrator of their organization now, whatever they were admitted with. */
export type Administers = (caller: Caller) => Promise<boolean>;

/** How the principals of an organization stand at the moment. */
export interface PrincipalStatus {
  /** Every change of the directory up to this position of the home ledger is taken in. */
  readonly position: bigint;
  /** Whether the principal is suspended, or was after position `since` of the ledger. */
  isSuspended(principalId: string, since: bigint): boolean;
  /** The platforms that an agent may use; undefined: any. */
  platformsOf(agentId: string): readonly string[] | undefined;
  /** Who owns an agent or did after position `since`, and who changed what the directory says of it after that. */
  responsibleFor(agentId: string, since: bigint): readonly Responsible[];
}

/** The principals of each organization: who may call, and with which roles. */
export interface Directory
  extends Pick<Admission, "admit" | "watch">,
    AddressFolding,
    Agents,
    Governance,
    Delegations,
    KnownPeople,
    Lending,
    PrincipalAccess,
    Reach,
    Setup,
    Views {
  /** Reads the database. For every area that has something for administrators. Throws LedgerUnavailableError. */
  readonly administers: Administers;
  /** The gateway of the organization that signs with the key of this RFC 7638 thumbprint, if it may now. */
  gatewayKey(
    organization: string,
    keyid: string,
  ): { readonly principalId: string; readonly jwk: PublicJwk } | undefined;
  /** Whether anything was decided about a principal behind position `since`. Reads the database. Throws LedgerUnavailableError. */
  changedSince(organization: string, principalId: string, since: bigint): Promise<boolean>;
  /** How principals stand now; undefined where the directory was not read lately, as for an organization that nobody calls for. */
  statusOf(organization: string): PrincipalStatus | undefined;
  /** Ids of the principals whose groups, when they were last seen, had the team among them; as new as a second or two. */
  membersOf(organization: string, team: string): ReadonlySet<string>;
  /** Groups as a member of which a person may approve now because somebody lent them that right; as new as a second or two. */
  lentGroups(organization: string, principalId: string): readonly string[];
  /**
   * The entries by which people last signed in, as far as a server signed them: those with these ids, or all owners of agents and people with
   * linked accounts, of whom it has to be known while the home ledger cannot be read. Throws LedgerUnavailableError.
   */
  signIns(organization: string, of?: ReadonlySet<string>): Promise<readonly LedgerEntry[]>;
  /** The same directory for other regions than the home region: by copies, where the home ledgers cannot be read. */
  readonly abroad: DirectoryAbroad;
  /** Give these two to the listener on the channel of announcements; the payload is `<ledger> <seq>`. */
  readonly onNotify: (payload: string) => void;
  readonly onReconnect: () => void;
  /** Ends what keeps the directory up to date. */
  stop(): Promise<void>;
}

/** What a region beside the home region uses of the directory. */
export type DirectoryAbroad = Pick<Directory, "administers" | "changedSince" | "statusOf" | "membersOf"> &
  Governance &
  KnownPeople &
  Reach & {
    /** What else the home ledgers have of organizations. */
    readonly home: HomeReading;
  };

export interface DirectoryOptions {
  readonly ledgers: Pick<Ledgers, "append" | "damaged">;
  /** Whether a server of this installation signed an entry of a directory, without which it changes nothing. */
  readonly isSigned: IsSigned;
  readonly db: Queryable;
  readonly region: string;
  /** The platforms of the catalog, by name. */
  readonly platforms: readonly string[];
  readonly log: Pick<Logger, "warn">;
  /** Finds the session that a change belongs to. */
  readonly attribute: Attribute | "none";
  /** Returns the reachable regions that have copies of the directory in their ledgers. Default: none. */
  readonly copies?: () => readonly CopyPlace[];
  /** Seconds for which the copies are used after the home ledger was last read. */
  readonly copySeconds?: number;
  /** Seconds between two looks at the table though nothing was notified. */
  readonly pollSeconds?: number;
  /** Seconds after which calls are refused when the directory could not be read. */
  readonly staleSeconds?: number;
}

/** Maximum number of people whose last sign-in one query reads. */
const SIGN_INS = 100;
const NOBODY: ReadonlySet<string> = new Set();

const LINKED =
  "SELECT DISTINCT state ->> 'principal' AS id FROM oc_state WHERE ledger = $1 AND kind = 'ACCOUNT' AND status = 'LINKED'";

/** Ids of people who have accounts of other services linked. */
async function linkedPeople(db: Queryable, ledger: LedgerId): Promise<readonly string[]> {
  const { rows } = await withLedgerErrors(db.query<{ id: string }>(LINKED, [ledger]));
  return rows.map(({ id }) => id);
}

/** The directories of every organization that calls this process. Nothing is read, and no timer runs, before the first. */
export function createDirectory(options: DirectoryOptions): Directory {
  const { ledgers, isSigned, db, region, platforms, log, attribute, pollSeconds = 2, staleSeconds = 15 } = options;
  const { copies: places = () => [], copySeconds = 0 } = options;
  const projections = new Projections({ ledgers, isSigned, db, region, log, pollSeconds, staleSeconds });
  const copies = new Copies({ places, isSigned, maxAge: copySeconds * 1_000 });
  const withCopies = createReadingWithCopies({ projections, copies, region, staleSeconds });
  const admission = createAdmission({ projections: withCopies, db, isSigned, ledgers });
  const changes = createChanges({
    ledgers,
    db,
    projections,
    admission,
    attribute,
  });
  const known = createKnownPeople({ projections, db, isSigned, ledgers });
  const delegations = createDelegations({ changes, projections, admission, known, db });

  const standing = (
    reading: Reading,
  ): Pick<DirectoryAbroad, "administers" | "changedSince" | "statusOf" | "membersOf"> => ({
    async administers({ principal }) {
      const organization = await reading.open(principal.organization);
      await reading.refresh(organization);
      return admission.administers(organization, principal);
    },
    async changedSince(name, principalId, since) {
      const organization = await reading.open(name);
      await reading.refresh(organization);
      return (organization.principals.get(principalId)?.updatedSeq ?? since) > since;
    },
    statusOf(name) {
      const organization = reading.current(name);
      return (
        organization && {
          position: organization.position,
          isSuspended: (id, since) => organization.wasSuspended(id, since),
          responsibleFor: (id, since) => organization.responsibleFor(id, since),
          platformsOf: (id) => organization.principals.get(id)?.state.platforms,
        }
      );
    },
    membersOf(name, team) {
      const organization = reading.current(name);
      if (organization === undefined) return NOBODY;
      reading.seeSoon(organization);
      return organization.seen.membersOf(team);
    },
  });

  return {
    admit: admission.admit,
    watch: admission.watch,
    ...standing(projections),
    ...createAddressFolding(changes, projections),
    ...createAgents(changes, db, platforms),
    ...createGovernance(projections),
    ...delegations,
    ...known,
    ...createPrincipalAccess(changes, projections, db),
    ...createReach(projections),
    ...createSetup(changes, projections, db),
    ...createViews(projections, db),
    abroad: {
      ...standing(withCopies),
      ...createGovernance(withCopies),
      ...createKnownPeople({ projections: withCopies, db, isSigned, ledgers }),
      ...createReach(withCopies),
      home: createHomeReading(withCopies),
    },
    async signIns(name, of) {
      if (of?.size === 0) return [];
      const organization = await projections.open(name);
      await projections.refresh(organization);
      const { ledger, principals, changedAt } = organization;
      const owners = () => [...principals.values()].flatMap(({ state }) => state.owner ?? []);
      const ids = [...(of ?? new Set([...owners(), ...(await linkedPeople(db, ledger))]))];
      const others = (id: string) => [changedAt.get(id)].filter((seq) => seq !== undefined);
      const found: LedgerEntry[] = [];
      for (let from = 0; from < ids.length; from += SIGN_INS) {
        const some = ids.slice(from, from + SIGN_INS);
        const signIns = await lastSignIns({ db, isSigned }, ledger, some, others);
        found.push(...[...signIns.values()].map(({ entry }) => entry));
      }
      return found;
    },
    gatewayKey: (organization, keyid) => withCopies.current(organization)?.gateway(keyid),
    lentGroups(name, principalId) {
      const now = Date.now();
      return delegations
        .knownToBeLent(name, principalId)
        .filter(({ startsAt, expiresAt }) => startsAt.getTime() <= now && now < expiresAt.getTime())
        .map(({ group }) => group);
    },
    onNotify: (payload) => projections.onNotify(payload),
    onReconnect: () => projections.wantAll(),
    stop: () => projections.stop(),
  };
}
