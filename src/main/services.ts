import { createAcknowledgements } from "../domain/acknowledgements/acknowledgements.ts";
import { type Keys, publicJwks } from "../domain/identity/keys.ts";
import type { Services } from "../graphql/base/services.ts";

/** What has to be started before: with settings of its own, with something to stop, or in an order. */
type Started =
  | "actions"
  | "sessions"
  | "directory"
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
  | "platforms"
  | "heartbeat";

export interface ServiceParts extends Pick<Services, Started> {
  readonly keys: Keys;
}

/**
 * Everything that resolvers call, for a server of the product and for those of tests alike. An area that needs the
 * database, a ledger, callers and their sessions, and nothing to be stopped, is made here and nowhere else.
 */
export function createServices({ keys, ...started }: ServiceParts): Services {
  return {
    ...started,
    acknowledgements: createAcknowledgements({
      ledgers: started.ledgers,
      watch: started.watch,
      administers: started.directory.administers,
      attribute: started.sessions.attribute,
    }),
    publicKeys: () => JSON.parse(JSON.stringify(publicJwks(keys))),
  };
}
