import type { Database } from "../db/database.ts";
import { type Actions, createActions } from "../domain/actions/actions.ts";
import type { Lending } from "../domain/directory/delegations.ts";
import type { Directory } from "../domain/directory/directory.ts";
import type { KnownPeople } from "../domain/directory/known-people.ts";
import type { Reach } from "../domain/directory/reach.ts";
import type { Keys } from "../domain/identity/keys.ts";
import { createTryPolicy, type TryPolicy } from "../domain/policy/apart.ts";
import type { Catalog } from "../domain/policy/catalog.ts";
import { createPolicy } from "../domain/policy/evaluate.ts";
import { createPolicies, type Policies } from "../domain/policy/policies.ts";
import { createRefusals } from "../domain/refusals/refusals.ts";
import { createAttribution } from "../domain/sessions/attribution.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { IsSigned } from "../ledger/signatures/check.ts";
import type { Start } from "./start.ts";

export interface ActionsDeps {
  readonly database: Database;
  readonly ledgers: Ledgers;
  readonly isSigned: IsSigned;
  readonly directory: Pick<Directory, "statusOf" | "onSuspended" | "publishedBy"> & KnownPeople & Lending & Reach;
  readonly keys: Keys;
  readonly catalog: Catalog;
}

/** Actions under the policies that organizations published, or that of the catalog. */
export function startActions(
  { config, log, closing }: Start,
  deps: ActionsDeps,
): { readonly actions: Actions; readonly policies: Policies; readonly tryPolicy: TryPolicy } {
  const { database, ledgers, isSigned, directory, keys, catalog } = deps;
  // With the appends, not behind what people read: every entry waits for it.
  const attribution = createAttribution({ ledgers, db: database.appendPool, region: config.region });
  const refusals = createRefusals({ ledgers, log });
  closing.add(() => refusals.stop());
  const { pool } = database;
  const policy = createPolicy(catalog);
  const { statusOf, publishedBy } = directory;
  const tryPolicy = createTryPolicy();
  const policies = createPolicies({ starter: policy, publishedBy, open: directory.refresh });
  const actions = createActions({
    ledgers,
    isSigned,
    pool,
    policy,
    policies,
    tryPolicy,
    statusOf,
    known: directory,
    reach: directory,
    keys,
    config,
    attribution,
    refusals,
  });
  directory.onSuspended(actions.voidApprovals);
  return { actions, policies, tryPolicy };
}

/** How many actions wait for people, over all organizations. */
export async function countPending({ pool }: Pick<Database, "pool">): Promise<number> {
  const { rows } = await pool.query<{ count: string }>("SELECT count(*) FROM oc_action WHERE status = 'PENDING'");
  return Number(rows[0]?.count ?? 0);
}
