import { LRUCache } from "lru-cache";
import type { JsonObject } from "../../facts/canonical.ts";
import { stateIn } from "../../facts/decode.ts";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { objectOf } from "../../facts/members.ts";
import { valueAt, Withheld } from "../../facts/payload.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { STORED_STATE, type StoredState } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import { loadStates, type RecordedState, readStates } from "../../ledger/states.ts";
import type { CopiedKind } from "../directory/copies.ts";
import type { CopiedStates, HomeReading } from "../directory/home-reading.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { ChannelKind } from "./driver.ts";
import { hasMovedOn, readLatest } from "./latest.ts";

/** A channel as its latest entry has it. */
export interface Channel {
  readonly ledger: LedgerId;
  readonly name: string;
  readonly kind: ChannelKind;
  readonly groups: readonly string[];
  readonly isActive: boolean;
  readonly version: number;
  /** What an administrator configured last; for one that was removed, the removal. */
  readonly entry: LedgerEntry;
}

export interface ChannelSource {
  readonly db: Queryable;
  /** Whether a server of this installation signed an entry, without which a channel is none. */
  readonly isSigned: IsSigned;
  /** Reads copies where the home ledgers cannot be read. Default: those alone. */
  readonly copies?: HomeReading | undefined;
}

/** What is read of a channel or an account. */
export type Recorded<Kind extends CopiedKind> = Pick<RecordedState<Kind>, "id" | "state" | "version" | "latest">;

/** The result of `home`; or that of `copied`, with the latest entries, where the ledger cannot be read. Throws LedgerUnavailableError. */
export function readAtHome<Kind extends CopiedKind>(
  { copies }: ChannelSource,
  ledger: LedgerId,
  kind: Kind,
  home: () => Promise<readonly Recorded<Kind>[]>,
  copied: (found: ReadonlyMap<string, LedgerEntry>) => readonly (LedgerEntry | undefined)[],
): Promise<readonly Recorded<Kind>[]> {
  if (copies === undefined) return home();
  return copies.read(organizationOf(ledger), home, (states) => {
    const found = states.latest(kind);
    const ids = new Map([...found].map(([id, entry]) => [entry, id]));
    return copied(found).flatMap((latest) => {
      const id = latest && ids.get(latest);
      if (latest === undefined || id === undefined) return [];
      const { state, version } = provenVersionOf(ledger, latest, kind, id);
      return [{ id, state, version, latest }];
    });
  });
}

function provenVersionOf<Kind extends CopiedKind>(ledger: LedgerId, entry: LedgerEntry, kind: Kind, id: string) {
  const item = stateIn(entry, kind, id);
  if (item === undefined) throw new LedgerDamagedError(ledger, `entry ${entry.seq} says nothing of ${kind} ${id}`);
  return item;
}

/** Where the channels of organizations are configured, seen from a region that tells of actions: their home region. */
export interface ChannelHome extends ChannelSource {
  /** The ledger that has the channels of the organization of `ledger`. */
  of(ledger: LedgerId): LedgerId;
  /** The ledgers of the region that tells, of organizations with a channel in use. */
  ledgersWithChannels(): Promise<readonly LedgerId[]>;
}

export const organizationOf = (ledger: LedgerId) => ledger.slice(0, ledger.indexOf("/"));

/** Channels that are configured in region `home`, as region `region` tells by them. `source`: of the home region. */
export function channelHome(
  source: ChannelSource,
  { home, region }: Readonly<Record<"home" | "region", string>>,
): ChannelHome {
  return {
    ...source,
    of: (ledger) => ledgerOf(organizationOf(ledger), home),
    ledgersWithChannels: async () =>
      (await ledgersWithChannels(source, home)).map((ledger) => ledgerOf(organizationOf(ledger), region)),
  };
}

export const CHANNEL_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
/** Channels of an organization that may be in use at a time. */
export const MAX_CHANNELS = 50;

function toChannel({ isSigned }: ChannelSource, ledger: LedgerId, found: Recorded<"CHANNEL">): Channel {
  const { id, state, version, latest } = found;
  if (!isSigned(latest)) {
    throw new LedgerDamagedError(ledger, `no server signed entry ${latest.seq}, which configures channel ${id}`);
  }
  return {
    ledger,
    name: id,
    kind: state.kind,
    groups: state.groups,
    isActive: state.status === "ACTIVE",
    version,
    entry: latest,
  };
}

/** The channel of this name, one that was removed too. Throws LedgerDamagedError, LedgerUnavailableError. */
export async function readChannel(source: ChannelSource, ledger: LedgerId, name: string): Promise<Channel | undefined> {
  if (!CHANNEL_NAME.test(name)) return undefined;
  const { db } = source;
  const [found] = await readAtHome(
    source,
    ledger,
    "CHANNEL",
    () => readLatest(db, ledger, "CHANNEL", () => readStates(db, ledger, "CHANNEL", [name])),
    (copied) => [copied.get(name)],
  );
  return found && toChannel(source, ledger, found);
}

/** Channels that are remembered, and for how many milliseconds at most. */
const MAX_KNOWN = 1_000;
const KNOWN_FOR = 10_000;

/** `readChannel` for callers that read the same channels again and again: each call only finds out whether there is a later entry. */
export function rememberingChannels(
  source: ChannelSource,
): (ledger: LedgerId, name: string) => Promise<Channel | undefined> {
  const known = new LRUCache<string, Channel>({ max: MAX_KNOWN, ttl: KNOWN_FOR });
  function isOutdated({ ledger, name, entry }: Channel): Promise<boolean> {
    const home = () => hasMovedOn(source.db, ledger, "CHANNEL", { id: name, latest: entry });
    if (source.copies === undefined) return home();
    const copied = (states: CopiedStates) => states.latest("CHANNEL").get(name)?.seq !== entry.seq;
    return source.copies.read(organizationOf(ledger), home, copied);
  }

  return async (ledger, name) => {
    const key = `${ledger} ${name}`;
    const before = known.get(key);
    if (before !== undefined && !(await isOutdated(before))) return before;
    const now = await readChannel(source, ledger, name);
    if (now === undefined) known.delete(key);
    else known.set(key, now);
    return now;
  };
}

const LIST = `
  SELECT ${STORED_STATE} FROM oc_state s WHERE s.ledger = $1 AND s.kind = 'CHANNEL' AND s.status = 'ACTIVE'
   ORDER BY s.first_seq LIMIT ${MAX_CHANNELS * 2}`;

/** The channels in use, in the order in which they were first configured. */
export async function listChannels(source: ChannelSource, ledger: LedgerId): Promise<readonly Channel[]> {
  const { db } = source;
  const found = await readAtHome(
    source,
    ledger,
    "CHANNEL",
    () =>
      readLatest(db, ledger, "CHANNEL", async () => {
        const { rows } = await db.query<StoredState>(LIST, [ledger]);
        return loadStates(db, ledger, "CHANNEL", rows);
      }),
    (copied) => [...copied.values()],
  );
  return found.map((one) => toChannel(source, ledger, one)).filter(({ isActive }) => isActive);
}

const LEDGERS = "SELECT DISTINCT ledger FROM oc_state WHERE kind = 'CHANNEL' AND status = 'ACTIVE'";

/**
 * The ledgers of region `home` that have a channel in use. Where they cannot be read, those of all organizations of which there are copies:
 * it is found out later whether they have one.
 */
export async function ledgersWithChannels({ db, copies }: ChannelSource, home: string): Promise<readonly LedgerId[]> {
  const read = async () => {
    const { rows } = await withLedgerErrors(db.query<{ ledger: LedgerId }>(LEDGERS));
    return rows.map(({ ledger }) => organizationOf(ledger));
  };
  const organizations = copies === undefined ? await read() : await copies.organizations(read);
  return organizations.map((organization) => ledgerOf(organization, home));
}

/** What an administrator configured by `entry`. Throws LedgerDamagedError where it is not what was recorded. */
export function settingsIn({ entry, name, ledger }: Channel): {
  readonly settings: JsonObject;
  readonly sealed: string | undefined;
} {
  const [settings, sealed] = [valueAt(entry, "settings"), valueAt(entry, "secrets")];
  if (settings instanceof Withheld || sealed instanceof Withheld) {
    throw new LedgerDamagedError(
      ledger,
      `what channel ${name} is configured with is not what was recorded, or is gone`,
    );
  }
  return { settings: objectOf(settings), sealed: typeof sealed === "string" ? sealed : undefined };
}
