import type { Database } from "../db/database.ts";
import { createOutgoing } from "../domain/channels/outbound.ts";
import { startPush } from "../domain/openlineage/push.ts";
import type { Targets } from "../domain/openlineage/targets.ts";
import type { Follower } from "../ledger/follow.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { Start } from "./start.ts";

export interface OpenLineageDeps {
  readonly database: Pick<Database, "jobPool">;
  readonly ledgers: Ledgers;
  readonly follower: Follower;
  readonly targets: Targets;
}

/** Sends run events of the ledgers of a region from now on, where an organization has a target. */
export function startOpenLineage({ config, log, closing }: Start, deps: OpenLineageDeps): void {
  const { database, ledgers, follower, targets } = deps;
  if (targets.size === 0) return;
  const { privateAddresses, lease, interval } = config.channels;
  const outgoing = createOutgoing(privateAddresses);
  closing.add(async () => outgoing.close());
  const push = startPush({
    db: database.jobPool,
    follower,
    ledgers,
    outbound: outgoing.request,
    targets,
    region: config.region,
    lease,
    interval,
    log,
  });
  closing.add(() => push.stop());
}
