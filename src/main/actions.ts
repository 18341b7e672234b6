import type { Config } from "../config.ts";
import type { Database } from "../db/database.ts";
import { type Actions, createActions, DEFAULT_SESSION_WINDOW } from "../domain/actions/actions.ts";
import type { Abroad } from "../domain/actions/proposing/home-record.ts";
import type { Lending } from "../domain/directory/delegations.ts";
import type { Directory } from "../domain/directory/directory.ts";
import type { KnownPeople } from "../domain/directory/known-people.ts";
import type { Reach } from "../domain/directory/reach.ts";
import type { Keys } from "../domain/identity/keys.ts";
import { createFingerprintMaker } from "../domain/lineage/fingerprints/apart.ts";
import { createPossibleReads, type FindReads } from "../domain/lineage/possible-reads.ts";
import { createTryPolicy, type TryPolicy } from "../domain/policy/apart.ts";
import type { Catalog } from "../domain/policy/catalog.ts";
import { createPolicy, type Policy } from "../domain/policy/evaluate.ts";
import { createPolicies, type Policies } from "../domain/policy/policies.ts";
import { createRefusals } from "../domain/refusals/refusals.ts";
import { createAttribution } from "../domain/sessions/attribution.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { Queryable } from "../ledger/read.ts";
import type { IsSigned } from "../ledger/signatures/check.ts";
import type { Start } from "./start.ts";

export interface ActionsDeps {
  readonly database: Database;
  readonly ledgers: Ledgers;
  readonly isSigned: IsSigned;
  readonly directory: Pick<Directory, "statusOf" | "onSuspended"> & KnownPeople & Lending & Reach;
  readonly keys: Keys;
  readonly policies: PolicyParts;
  readonly findReads: FindReads;
  /** Of a region that is not the home region. */
  readonly abroad?: Abroad | undefined;
}

export interface PolicyParts {
  /** Of organizations that published none. */
  readonly starter: Policy;
  readonly policies: Policies;
  readonly tryPolicy: TryPolicy;
}

/** The policies that organizations published, or that of the catalog. */
export function createPolicyParts(
  catalog: Catalog,
  { publishedBy, refresh: open }: Pick<Directory, "publishedBy" | "refresh">,
): PolicyParts {
  const starter = createPolicy(catalog);
  return { starter, policies: createPolicies({ starter, publishedBy, open }), tryPolicy: createTryPolicy() };
}

/** The same for regions beside the home region: as the copies have them, where the home ledgers cannot be read. */
export function policyPartsAbroad(
  home: PolicyParts,
  { publishedBy, refresh: open }: Pick<Directory["abroad"], "publishedBy" | "refresh">,
): PolicyParts {
  return { ...home, policies: createPolicies({ starter: home.starter, publishedBy, open }) };
}

/**
 * Finds what callers read in every region. One that is served elsewhere, or was not reached, cannot be asked.
 *
 * @param poolOf what is read through in a region that this server serves; undefined while that was not reached
 */
export function createReadsOfRegions(
  { partsRegions, region, otherRegions, regionAddresses }: Config,
  poolOf: (region: string) => Queryable | undefined,
): FindReads {
  const names = new Set([region, ...otherRegions.map(({ name }) => name), ...regionAddresses.keys()]);
  const sources = () => [...names].map((name) => ({ region: name, db: poolOf(name) }));
  return createPossibleReads({ sources, isOneRegion: !partsRegions, sessionWindow: DEFAULT_SESSION_WINDOW });
}

/** Actions in the ledgers of one region. */
export function startActions({ config, log, closing }: Start, deps: ActionsDeps): Actions {
  const { database, ledgers, isSigned, directory, keys, findReads, abroad } = deps;
  const { starter: policy, policies, tryPolicy } = deps.policies;
  // With the appends, not behind what people read: every entry waits for it.
  const attribution = createAttribution({ ledgers, db: database.appendPool, region: config.region });
  const refusals = createRefusals({ ledgers, log });
  closing.add(() => refusals.stop());
  const { pool } = database;
  const { statusOf } = directory;
  const maker = createFingerprintMaker();
  closing.add(() => maker.close());
  const actions = createActions({
    ledgers,
    isSigned,
    pool,
    policy,
    policies,
    tryPolicy,
    statusOf,
    // What people lend each other counts where it is recorded.
    known: abroad === undefined ? directory : { ...directory, ...NOTHING_LENT },
    reach: directory,
    keys,
    config,
    attribution,
    refusals,
    findReads,
    abroad,
    maker,
  });
  directory.onSuspended(actions.voidApprovals);
  return actions;
}

const NOTHING_LENT: Lending = {
  lentTo: async () => [],
  knownToBeLent: () => [],
  wasLent: () => undefined,
  delegatesOf: () => [],
};
