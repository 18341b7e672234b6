import type { Pool } from "pg";
import type { Acknowledgements } from "../../domain/acknowledgements/acknowledgements.ts";
import type { Actions } from "../../domain/actions/actions.ts";
import type { Channels } from "../../domain/channels/channels.ts";
import type { Directory } from "../../domain/directory/directory.ts";
import type { Policies } from "../../domain/policy/policies.ts";
import type { Publishing } from "../../domain/publishing/publish.ts";
import type { SimulatePolicy } from "../../domain/publishing/simulate.ts";
import type { PolicyVersions } from "../../domain/publishing/versions.ts";
import type { ReadingLog } from "../../domain/reading-log/reading-log.ts";
import type { Regions } from "../../domain/regions/regions.ts";
import type { Sessions } from "../../domain/sessions/sessions.ts";
import type { JsonValue } from "../../facts/canonical.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { Follower } from "../../ledger/follow.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { LedgerSnapshot } from "../../ledger/snapshot.ts";
import type { LedgerVerification } from "../../ledger/verify.ts";
import type { Watch } from "../../ledger/watch/watch.ts";

/** Everything the resolvers call. One object for the life of a process; `main/services.ts` makes it. */
export interface Services {
  readonly actions: Actions;
  readonly policies: Policies;
  readonly publishing: Publishing;
  readonly policyVersions: PolicyVersions;
  readonly simulatePolicy: SimulatePolicy;
  readonly sessions: Sessions;
  readonly directory: Directory;
  readonly channels: Channels;
  /** Where reading the audit log is recorded. */
  readonly readingLog?: Pick<ReadingLog, "record">;
  readonly ledgers: Pick<Ledgers, "append" | "damaged" | "ensure">;
  /** What mutations read through, and subscriptions unless there is `following`. */
  readonly pool: Pool;
  /** What subscriptions read through. */
  readonly following?: Pool | undefined;
  /** A snapshot of a ledger for one query of a principal to read. */
  readonly snapshots: (ledger: LedgerId, principal?: string) => LedgerSnapshot;
  /** The same for a query that searches, walks or exports; `snapshots` when omitted. */
  readonly slowSnapshots?: Services["snapshots"] | undefined;
  readonly follower: Pick<Follower, "follow">;
  /** Re-hashes a range from stored bytes; both ends belong to it. Those of one organization wait for each other, in turn by principal. */
  readonly verify: (
    ledger: LedgerId,
    range: { readonly fromSeq?: bigint; readonly toSeq?: bigint },
    principal?: string,
  ) => Promise<LedgerVerification>;
  readonly watch: Pick<Watch, "health" | "follow" | "toAcknowledge" | "acknowledged">;
  readonly acknowledgements: Acknowledgements;
  /** The JSON Web Key Set that verifies our grants and tokens. */
  readonly publicKeys: () => JsonValue;
  /** The region of the ledgers that all of this works on. */
  readonly region: string;
  /** All regions, each with services of its own; undefined: everything is in this one. */
  readonly regions?: Regions<Services> | undefined;
  /** The platforms of the catalog, by name. */
  readonly platforms: readonly string[];
  /** Seconds after which a quiet subscription sends something. */
  readonly heartbeat: number;
}
