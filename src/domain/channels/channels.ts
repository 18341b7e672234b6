import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import type { Follower } from "../../ledger/follow.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { Logger } from "../../log.ts";
import type { Actions } from "../actions/actions.ts";
import { createActionLoader } from "../actions/loading/loader.ts";
import { type Attribute, createCommit } from "../commit.ts";
import type { Directory } from "../directory/directory.ts";
import type { HomeReading } from "../directory/home-reading.ts";
import type { Caller } from "../identity/principal.ts";
import { createUsedOnce } from "../identity/used-once.ts";
import type { Policies } from "../policy/policies.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { type Configuration, createConfiguration } from "./configuration.ts";
import { createConnections } from "./connections.ts";
import { createDamage, type Damage } from "./damage.ts";
import { createDelivery } from "./delivery.ts";
import { createDoor, type DoorPlace, isRequester } from "./door.ts";
import type { ChannelKind, ChannelRequest, ChannelResponse, Door, Driver, OpenChannel } from "./driver.ts";
import { refuse } from "./errors.ts";
import { createMessages } from "./message.ts";
import { createNoticeChanges, type Notice, readNotice, readNotices, unsentNotices } from "./notices.ts";
import { want } from "./outbox.ts";
import { type Queue, queuesOf } from "./queues.ts";
import { createRecorder } from "./recorder.ts";
import { createSealing } from "./sealing.ts";
import { type Channel, channelHome, listChannels, readChannel } from "./store.ts";
import { startWorker } from "./worker.ts";

/** Channels and notices of all organizations, for one process. All throw ChannelRefusal, LedgerUnavailableError. */
export interface Channels extends Pick<Configuration, "configure" | "remove">, Pick<Accounts, "startLink" | "unlink"> {
  /** The channels in use. */
  list(db: Queryable, ledger: LedgerId): Promise<readonly Channel[]>;
  /** What waits for channels, by name. */
  queues(db: Queryable, ledger: LedgerId, channels: readonly string[]): Promise<ReadonlyMap<string, Queue>>;
  /** Notices that wait, or were given up, in the order in which they were queued. */
  unsent(
    db: Queryable,
    ledger: LedgerId,
    status: "QUEUED" | "FAILED",
    range: { readonly after: bigint | undefined; readonly limit: number },
  ): Promise<readonly Notice[]>;
  /** The notices about actions. */
  notices(db: Queryable, ledger: LedgerId, actionIds: readonly string[]): Promise<readonly Notice[]>;
  /** Where channels in use lead now, by kind and name with a blank between. */
  places(db: Queryable, ledger: LedgerId): Promise<ReadonlyMap<string, string>>;
  /** Has a notice that was given up tried again. */
  retry(
    caller: Caller,
    input: { readonly actionId: string; readonly channel: string },
  ): Promise<{ readonly notice: Notice; readonly entry: LedgerEntry }>;
  /** Records that the caller, a person who may see the action, opened a notice that led them to it. `entry`: where this was the first time. */
  opened(
    caller: Caller,
    input: { readonly actionId: string; readonly channel: string },
  ): Promise<{ readonly notice: Notice; readonly entry: LedgerEntry | undefined }>;
  /** Responds to a request at the path of a channel; undefined: there is no such channel. */
  receive(
    at: { readonly kind: ChannelKind; readonly organization: string; readonly name: string },
    request: ChannelRequest,
  ): Promise<ChannelResponse | undefined>;
  /** Where requests of channels look for actions in this region. */
  readonly place: DoorPlace;
  /** Has requests of channels look for actions there as well. Returns what ends that. */
  join(place: DoorPlace): () => void;
  /** Begins to send, and to keep connections that channels need. */
  start(options?: {
    /** false: only keeps the connections of channels, if the server has no ledgers of the region. */
    readonly sendsNotices?: boolean;
  }): void;
  stop(): Promise<void>;
}

/** Durations are seconds. */
export interface ChannelsOptions {
  readonly ledgers: Pick<Ledgers, "append" | "appendTogether" | "assertRecording" | "damaged">;
  readonly db: Queryable;
  readonly isSigned: IsSigned;
  readonly region: string;
  /** Where channels are configured, of a region that is not the home region; it only tells by them. */
  readonly home?:
    | ({ readonly region: string; readonly db: Queryable; readonly isSigned: IsSigned } & Pick<Ledgers, "damaged">)
    | undefined;
  /** Reads copies where the home ledgers cannot be read. Default: those alone. */
  readonly copies?: HomeReading | undefined;
  readonly actions: Pick<Actions, "approve" | "deny" | "load">;
  readonly policies: Pick<Policies, "open" | "of">;
  readonly directory: Pick<Directory, "administers" | "admit" | "changedSince" | "statusOf">;
  readonly attribute: Attribute | "none";
  readonly follower: Pick<Follower, "follow">;
  readonly drivers: readonly Driver[];
  /** 32 bytes that every server of the installation has, and no database. */
  readonly key: Uint8Array;
  readonly publicUrl: () => string;
  readonly config: {
    /** For how long the groups of a person's last sign-in count for what they do in a chat. */
    readonly claimsMaxAge: number;
    /** After how long another server takes over from one that does not respond. */
    readonly lease: number;
    readonly interval: number;
  };
  readonly log: Pick<Logger, "warn" | "info">;
}

export function createChannels(options: ChannelsOptions): Channels {
  const { ledgers, db, isSigned, region, actions, policies, directory, follower, key, publicUrl, config, log } =
    options;
  const { home = { region, db, isSigned, damaged: ledgers.damaged } } = options;
  const damage = createDamage([{ region, damaged: ledgers.damaged }, home]);
  const source = { db: home.db, isSigned: home.isSigned, copies: options.copies };
  const atHome = channelHome(source, { home: home.region, region });
  const drivers = new Map(options.drivers.map((driver) => [driver.kind, driver]));
  const commit = createCommit({ ledgers, attribute: options.attribute });
  const sealing = createSealing(key);
  let changed = (_ledger: LedgerId): void => {};
  const configuration = createConfiguration({
    ...source,
    commit,
    region: home.region,
    administers: directory.administers,
    drivers,
    sealing,
    changed: (ledger) => changed(ledger),
  });
  const accounts = createAccounts({
    ...source,
    commit,
    region: home.region,
    administers: directory.administers,
    directory,
    sealing,
    usedOnce: createUsedOnce({ db }),
    claimsMaxAge: config.claimsMaxAge,
  });
  const messages = createMessages({
    db,
    load: createActionLoader({ db, ledgers, isSigned }),
    policies,
    home: home.region,
    publicUrl,
  });
  const changes = createNoticeChanges({ commit, db });
  const place: DoorPlace = { region, db, actions, messages, changes };
  const places = new Set([place]);
  async function isCurrent({ organization, name, configuredAt }: OpenChannel): Promise<boolean> {
    const channel = await readChannel(source, ledgerOf(organization, home.region), name);
    return channel?.isActive === true && channel.entry.seq === configuredAt;
  }
  const door = reportingDamage(createDoor({ accounts, places: () => [...places], isCurrent }), damage);
  const recorder = createRecorder({ db, home: atHome, ledgers });
  const delivery = createDelivery({
    db,
    home: atHome,
    ledgers,
    damage,
    configuration,
    drivers,
    messages,
    changes,
    log,
  });
  const ledgerOfCaller = ({ principal }: Caller) => ledgerOf(principal.organization, region);
  let stops: (() => Promise<void>)[] = [];

  return {
    configure: configuration.configure,
    remove: configuration.remove,
    startLink: accounts.startLink,
    unlink: accounts.unlink,
    list: (reader, ledger) => damage.noting(listChannels({ db: reader, isSigned }, ledger)),
    queues: queuesOf,
    unsent: (...given) => damage.noting(unsentNotices(...given)),
    notices: (...given) => damage.noting(readNotices(...given)),
    async places(reader, ledger) {
      const from = options.home === undefined ? { ...source, db: reader } : source;
      const channels = await damage.noting(listChannels(from, atHome.of(ledger)));
      return new Map(
        channels.flatMap((channel) => {
          const to = configuration.leadsTo(channel);
          return to === undefined ? [] : [[`${channel.kind} ${channel.name}`, to] as const];
        }),
      );
    },
    place,
    join(other) {
      places.add(other);
      return () => places.delete(other);
    },
    async retry(caller, { actionId, channel }) {
      if (!caller.principal.roles.includes("admin") || !(await directory.administers(caller))) {
        throw refuse("ADMINISTRATORS_ONLY", "this is for administrators, who are people");
      }
      const ledger = ledgerOfCaller(caller);
      const notice = await changes.retried(ledger, caller, actionId, channel);
      const { queued, latest } = notice;
      await want(db, ledger, [{ channel, actionId, firstSeq: queued.seq, version: 1 }]);
      changed(ledger);
      return { notice, entry: latest };
    },
    async opened(caller, { actionId, channel }) {
      const { principal } = caller;
      if (principal.kind !== "HUMAN" || principal.onBehalfOf !== undefined) {
        throw refuse("HUMANS_ONLY", "a notice is opened by a person");
      }
      const none = () => refuse("NOT_FOUND", "there is no such notice that you may see", "actionId");
      const view = await actions.load(caller, actionId);
      if (view === undefined || isRequester(view, principal)) throw none();
      const before = await readNotice(db, ledgerOfCaller(caller), actionId, channel);
      const notice = await changes.opened(ledgerOfCaller(caller), caller, actionId, channel);
      if (notice === undefined) throw none();
      return { notice, entry: before?.state.opened === true ? undefined : notice.latest };
    },
    async receive({ kind, organization, name }, request) {
      const driver = drivers.get(kind);
      if (driver?.receive === undefined) return undefined;
      const channel = await damage.noting(configuration.open(ledgerOf(organization, region), name));
      return channel?.kind === kind ? driver.receive(channel, request, door) : undefined;
    },
    start({ sendsNotices = true } = {}) {
      const worker = sendsNotices
        ? startWorker({
            db,
            home: atHome,
            follower,
            recorder,
            delivery,
            damage,
            lease: config.lease,
            interval: config.interval,
            log,
          })
        : undefined;
      // What connects to channels is at home.
      const connections =
        options.home === undefined
          ? createConnections({
              ...source,
              region,
              configuration,
              drivers,
              door,
              damage,
              interval: config.interval,
              log,
            })
          : undefined;
      changed = (ledger) => {
        worker?.wake(ledger);
        connections?.wake();
      };
      stops = [worker, connections].flatMap((one) => (one === undefined ? [] : [one.stop]));
    },
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

/** `door`, which notes that what is stored is not what was recorded. */
function reportingDamage(door: Door, { noting }: Damage): Door {
  return {
    decide: (...given) => noting(door.decide(...given)),
    link: (...given) => noting(door.link(...given)),
    opened: (...given) => noting(door.opened(...given)),
    message: (...given) => noting(door.message(...given)),
  };
}
