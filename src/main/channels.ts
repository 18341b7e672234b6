import type { Config } from "../config.ts";
import type { Database } from "../db/database.ts";
import type { Actions } from "../domain/actions/actions.ts";
import { type Channels, createChannels } from "../domain/channels/channels.ts";
import type { Driver } from "../domain/channels/driver.ts";
import { createEmailDriver } from "../domain/channels/email/driver.ts";
import { createOutgoing, type Outgoing } from "../domain/channels/outbound.ts";
import { createSlackDriver } from "../domain/channels/slack/driver.ts";
import { createTeamsDriver } from "../domain/channels/teams/driver.ts";
import { createWebhookDriver } from "../domain/channels/webhook/driver.ts";
import type { Directory } from "../domain/directory/directory.ts";
import type { Keys } from "../domain/identity/keys.ts";
import type { Policies } from "../domain/policy/policies.ts";
import type { Sessions } from "../domain/sessions/sessions.ts";
import type { Follower } from "../ledger/follow.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { IsSigned } from "../ledger/signatures/check.ts";
import type { Logger } from "../log.ts";
import type { Start } from "./start.ts";

export interface ChannelsDeps {
  readonly database: Database;
  readonly ledgers: Ledgers;
  readonly isSigned: IsSigned;
  readonly directory: Directory;
  readonly sessions: Sessions;
  readonly actions: Actions;
  readonly policies: Policies;
  readonly follower: Follower;
  readonly keys: Keys;
  /** Where channels are configured, of a region that is not the home region. */
  readonly home?:
    | ({ readonly region: string; readonly database: Pick<Database, "jobPool"> } & Pick<Ledgers, "damaged">)
    | undefined;
}

/** What drivers are made with, beside ways out of this server. */
export interface DriverSettings extends Pick<Config, "slackApiUrl" | "teams"> {
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

/** A driver for each kind of channel. */
export function createDrivers(
  { request: outbound, connect }: Outgoing,
  { slackApiUrl, teams, log }: DriverSettings,
): readonly Driver[] {
  return [
    createSlackDriver({ outbound, apiUrl: slackApiUrl, log }),
    createTeamsDriver({ outbound, endpoints: teams, log }),
    createEmailDriver({ connect }),
    createWebhookDriver({ outbound }),
  ];
}

/** Channels of every kind, which send from now on. */
export function startChannels({ config, log, closing, publicUrl }: Start, deps: ChannelsDeps): Channels {
  const { database, ledgers, isSigned, directory, sessions, actions, policies, follower, keys, home } = deps;
  const outgoing = createOutgoing(config.channels.privateAddresses);
  closing.add(async () => outgoing.close());
  const channels = createChannels({
    ledgers,
    db: database.jobPool,
    isSigned,
    region: config.region,
    home: home && { region: home.region, db: home.database.jobPool, isSigned, damaged: home.damaged },
    actions,
    policies,
    // Who decides in a chat may decide in other regions, too.
    directory: { ...directory, changedSince: directory.abroad.changedSince },
    copies: directory.abroad.home,
    attribute: sessions.attribute,
    follower,
    drivers: createDrivers(outgoing, { ...config, log }),
    key: keys.secret("channels"),
    publicUrl,
    config: config.channels,
    log,
  });
  channels.start({ sendsNotices: config.homeAddress === undefined });
  closing.add(() => channels.stop());
  return channels;
}
