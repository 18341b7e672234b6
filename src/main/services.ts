import { createAcknowledgements } from "../domain/acknowledgements/acknowledgements.ts";
import { createCommit } from "../domain/commit.ts";
import { type Keys, publicJwks } from "../domain/identity/keys.ts";
import type { TryPolicy } from "../domain/policy/apart.ts";
import { createPublishing } from "../domain/publishing/publish.ts";
import { createSimulatePolicy } from "../domain/publishing/simulate.ts";
import { createPolicyVersions } from "../domain/publishing/versions.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Ledgers } from "../ledger/ledger.ts";

/** What has to be started before: with settings of its own, with something to stop, or in an order. */
type Started =
  | "actions"
  | "policies"
  | "sessions"
  | "directory"
  | "channels"
  | "readingLog"
  | "ledgers"
  | "pool"
  | "snapshots"
  | "slowSnapshots"
  | "following"
  | "follower"
  | "verify"
  | "watch"
  | "region"
  | "regions"
  | "platforms"
  | "heartbeat";

export interface ServiceParts extends Pick<Services, Started> {
  readonly keys: Keys;
  readonly ledgers: Services["ledgers"] & Pick<Ledgers, "appendTogether">;
  readonly tryPolicy: TryPolicy;
  /** Seconds that people have to decide. */
  readonly approvalTtl: number;
}

/**
 * Everything that resolvers call, for a server of the product and for those of tests alike. An area that needs the
 * database, a ledger, callers and their sessions, and nothing to be stopped, is made here and nowhere else.
 */
export function createServices({ keys, approvalTtl, tryPolicy, ...started }: ServiceParts): Services {
  const { actions, directory, ledgers, policies, pool: db, region, sessions } = started;
  const commit = createCommit({ ledgers, attribute: sessions.attribute });
  return {
    ...started,
    acknowledgements: createAcknowledgements({
      ledgers: started.ledgers,
      watch: started.watch,
      administers: started.directory.administers,
      attribute: started.sessions.attribute,
    }),
    publishing: createPublishing({ actions, directory, policies, tryPolicy, commit, db, region, approvalTtl }),
    simulatePolicy: createSimulatePolicy({ directory, policies, tryPolicy }),
    policyVersions: createPolicyVersions(policies),
    publicKeys: () => JSON.parse(JSON.stringify(publicJwks(keys))),
  };
}
