import type { JsonValue } from "../../facts/canonical.ts";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { isSame } from "../../facts/members.ts";
import { isText, nameProblem } from "../../facts/text.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { CommitFunction } from "../commit.ts";
import type { Administers } from "../directory/directory.ts";
import type { Caller } from "../identity/principal.ts";
import type { ChannelKind, Driver, OpenChannel } from "./driver.ts";
import { refuse } from "./errors.ts";
import type { Sealing } from "./sealing.ts";
import {
  CHANNEL_NAME,
  type Channel,
  type ChannelSource,
  listChannels,
  MAX_CHANNELS,
  readChannel,
  settingsIn,
} from "./store.ts";

export interface ConfigureInput {
  readonly name: string;
  readonly kind: ChannelKind;
  /** Whose requests go there; none: those of every group. */
  readonly groups: readonly string[];
  readonly settings: unknown;
  /** Left out for a channel in use that has the same settings: as they are. */
  readonly secrets?: unknown;
  readonly note?: string | undefined;
}

export interface ChannelResult {
  readonly channel: Channel;
  readonly entry: LedgerEntry;
}

/** What administrators say of channels. All throw ChannelRefusal, LedgerUnavailableError. */
export interface Configuration {
  configure(caller: Caller, input: ConfigureInput): Promise<ChannelResult>;
  remove(caller: Caller, name: string, note?: string): Promise<ChannelResult>;
  /** The channel with its secrets, if it is in use. Throws LedgerDamagedError. */
  open(ledger: LedgerId, name: string): Promise<OpenChannel | undefined>;
  /** The same of one that was read. undefined: this server has no such kind, or not the key its secrets were encrypted with. */
  opened(channel: Channel): Promise<OpenChannel | undefined>;
  /** Where it leads, as people name it; undefined: its settings cannot be read here. Needs no secrets. */
  leadsTo(channel: Channel): string | undefined;
}

const MAX_NOTE = 2_000;
const MAX_GROUPS = 50;
const MAX_GROUP = 200;

export interface ConfigurationOptions extends ChannelSource {
  readonly commit: CommitFunction;
  /** The region that has the channels of an organization. */
  readonly region: string;
  readonly administers: Administers;
  readonly drivers: ReadonlyMap<ChannelKind, Driver>;
  readonly sealing: Sealing;
  /** Called with the ledger when a channel of it was configured or removed. */
  readonly changed: (ledger: LedgerId) => void;
}

export function createConfiguration(options: ConfigurationOptions): Configuration {
  const { commit, region, administers, drivers, sealing, changed } = options;
  const ledgerOfCaller = ({ principal }: Caller) => ledgerOf(principal.organization, region);
  const purposeOf = (ledger: LedgerId, name: string, kind: ChannelKind) => `channel ${ledger} ${kind} ${name}`;

  async function checkAdministrator(caller: Caller): Promise<void> {
    // The entry records the roles of the call, which have to say so as well.
    if (caller.principal.roles.includes("admin") && (await administers(caller))) return;
    throw refuse("ADMINISTRATORS_ONLY", "this is for administrators, who are people");
  }

  async function readAsAdministrator(caller: Caller, ledger: LedgerId, name: string): Promise<Channel | undefined> {
    await checkAdministrator(caller);
    return readChannel(options, ledger, name);
  }

  async function opened(channel: Channel): Promise<OpenChannel | undefined> {
    const { ledger, name, kind, groups, isActive, entry } = channel;
    const driver = drivers.get(kind);
    if (!isActive || driver === undefined) return undefined;
    const { settings: recorded, sealed } = settingsIn(channel);
    const secrets = sealed === undefined ? {} : await sealing.open(purposeOf(ledger, name, kind), sealed);
    const settings = driver.settings.safeParse(recorded);
    const known = driver.secrets.safeParse(secrets);
    if (!settings.success || !known.success) return undefined;
    const organization = ledger.slice(0, ledger.indexOf("/"));
    return { organization, name, kind, groups, settings: settings.data, secrets: known.data, configuredAt: entry.seq };
  }

  async function check(
    input: ConfigureInput,
    before: Channel | undefined,
  ): Promise<{ readonly settings: object; readonly secrets: unknown }> {
    const { name, kind, groups, note } = input;
    if (!CHANNEL_NAME.test(name)) {
      throw refuse("INVALID_INPUT", "must be 1 to 64 small letters, digits and hyphens, such as ops-approvals", "name");
    }
    checkNote(note);
    if (groups.length > MAX_GROUPS) throw refuse("INVALID_INPUT", `must be at most ${MAX_GROUPS}`, "groups");
    for (const group of groups) {
      const problem = nameProblem(group, MAX_GROUP);
      if (problem !== undefined) throw refuse("INVALID_INPUT", problem, "groups");
    }
    const driver = drivers.get(kind);
    if (driver === undefined) throw refuse("INVALID_INPUT", `this server has no channels of kind ${kind}`, "kind");
    const settings = driver.settings.safeParse(input.settings);
    if (!settings.success) throw refuse("INVALID_INPUT", ...problemOf(settings.error.issues, kind));
    // Secrets that were given for one place are not sent to another, which whoever cannot read them could have named.
    const keeps =
      input.secrets === undefined &&
      before?.kind === kind &&
      isSame(settingsIn(before).settings, settings.data as JsonValue);
    const kept = keeps ? (await opened(before))?.secrets : undefined;
    const secrets = driver.secrets.safeParse(kept ?? input.secrets ?? {});
    if (!secrets.success) throw refuse("INVALID_INPUT", ...problemOf(secrets.error.issues, kind));
    const problem = driver.problem?.({ settings: settings.data, secrets: secrets.data });
    if (problem !== undefined) throw refuse("INVALID_INPUT", problem, kind.toLowerCase());
    return { settings: settings.data as object, secrets: secrets.data };
  }

  return {
    configure: (caller, input) => {
      const ledger = ledgerOfCaller(caller);
      const { name, kind, groups, note } = input;
      return commit<Channel | undefined, ChannelResult>({
        ledger,
        by: caller,
        load: () => readAsAdministrator(caller, ledger, name),
        async decide(before) {
          const { settings, secrets } = await check(input, before);
          if (before?.isActive !== true && (await listChannels(options, ledger)).length >= MAX_CHANNELS) {
            throw refuse("CHANNEL_LIMIT", `${MAX_CHANNELS} channels are in use: remove one first`);
          }
          const version = (before?.version ?? 0) + 1;
          const state = { status: "ACTIVE", kind, groups: [...new Set(groups)] } as const;
          return {
            kind: "record",
            fact: {
              type: "CHANNEL_CONFIGURED",
              channel: name,
              settings: new Erasable(settings),
              secrets: new Erasable(await sealing.seal(purposeOf(ledger, name, kind), secrets)),
              note: note === undefined ? undefined : new Erasable(note),
              states: [{ kind: "CHANNEL", id: name, version, state }],
            },
            result(entry) {
              changed(ledger);
              return { channel: { ledger, name, kind, groups: state.groups, isActive: true, version, entry }, entry };
            },
          };
        },
      });
    },
    remove: (caller, name, note) => {
      const ledger = ledgerOfCaller(caller);
      return commit<Channel | undefined, ChannelResult>({
        ledger,
        by: caller,
        load: () => readAsAdministrator(caller, ledger, name),
        decide(before) {
          checkNote(note);
          if (before?.isActive !== true) throw refuse("NOT_FOUND", "there is no such channel", "name");
          const { kind, groups } = before;
          const version = before.version + 1;
          return {
            kind: "record",
            fact: {
              type: "CHANNEL_REMOVED",
              channel: name,
              note: note === undefined ? undefined : new Erasable(note),
              states: [{ kind: "CHANNEL", id: name, version, state: { status: "REMOVED", kind, groups } }],
            },
            result(entry) {
              changed(ledger);
              return { channel: { ...before, isActive: false, version, entry }, entry };
            },
          };
        },
      });
    },
    async open(ledger, name) {
      const channel = await readChannel(options, ledger, name);
      return channel && opened(channel);
    },
    opened,
    leadsTo(channel) {
      const driver = drivers.get(channel.kind);
      const { settings: recorded } = unlessGone(channel);
      const settings = driver?.settings.safeParse(recorded);
      return settings?.success === true ? driver?.to({ settings: settings.data }) : undefined;
    },
  };
}

/** Settings that are gone keep no other channel from being told: whoever sends by this one meets that. */
function unlessGone(channel: Channel): { readonly settings: Readonly<Record<string, unknown>> | undefined } {
  try {
    return settingsIn(channel);
  } catch (error) {
    if (error instanceof LedgerDamagedError) return { settings: undefined };
    throw error;
  }
}

/** The message of what is wrong, and the path of the member in the input of the API. */
function problemOf(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
  kind: ChannelKind,
): [string, ...string[]] {
  const [first] = issues;
  return [first?.message ?? "cannot be used", kind.toLowerCase(), ...(first?.path ?? []).map(String)];
}

function checkNote(note: string | undefined): void {
  if (note === undefined || isText(note, MAX_NOTE)) return;
  const message = `must say something, in at most ${MAX_NOTE} characters of well-formed Unicode without U+0000`;
  throw refuse("INVALID_INPUT", message, "note");
}
