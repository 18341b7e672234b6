import { factOf } from "../../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import { termsOf } from "../actions/terms.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Configuration } from "./configuration.ts";
import type { ChannelKind, Driver, OpenChannel } from "./driver.ts";
import { channelNames, type NewNotice, queueNotices, readNotices } from "./notices.ts";
import { type Wanted, want } from "./outbox.ts";
import { type ChannelHome, listChannels } from "./store.ts";

/** A notice to be, and when: at once, or when the action escalates to the groups of the channel. */
interface Planned extends NewNotice {
  readonly notBefore: Date | undefined;
}

export interface RecorderOptions {
  readonly db: Queryable;
  readonly home: ChannelHome;
  readonly ledgers: Pick<Ledgers, "appendTogether">;
  readonly configuration: Pick<Configuration, "opened">;
  readonly drivers: ReadonlyMap<ChannelKind, Driver>;
}

/** Makes notices of entries. */
export interface Recorder {
  /**
   * Records who is told of the actions that `entries` propose, and notes what has to be sent. Looking at entries again changes nothing.
   * Throws LedgerUnavailableError.
   */
  take(ledger: LedgerId, entries: readonly LedgerEntry[]): Promise<void>;
}

const ADVANCE = "UPDATE oc_work.notice_work SET position = greatest(position, $2::bigint) WHERE ledger = $1";

export function createRecorder(options: RecorderOptions): Recorder {
  const { db, home, ledgers, configuration, drivers } = options;

  async function openChannels(ledger: LedgerId): Promise<readonly OpenChannel[]> {
    const opened = await Promise.all((await listChannels(home, home.of(ledger))).map(configuration.opened));
    return opened.filter((channel) => channel !== undefined);
  }

  function plan(proposals: readonly LedgerEntry[], channels: readonly OpenChannel[]): readonly Planned[] {
    return proposals.flatMap((proposal) =>
      channels.flatMap((channel): readonly Planned[] => {
        const due = whenAsked(proposal, channel);
        const to = drivers.get(channel.kind)?.to(channel);
        if (due === undefined || to === undefined) return [];
        const { name, kind } = channel;
        const notBefore = due === "NOW" ? undefined : due;
        return [{ actionId: termsOf(proposal).actionId, channel: name, kind, to, notBefore }];
      }),
    );
  }

  /** What notices need, those that were just queued and those of actions that have moved on. */
  async function wantedOf(ledger: LedgerId, versions: ReadonlyMap<string, number>): Promise<readonly Wanted[]> {
    if (versions.size === 0) return [];
    const notices = await readNotices(db, ledger, [...versions.keys()], await channelNames(home.db, home.of(ledger)));
    return notices.flatMap(({ actionId, channel, queued, state }) => {
      const version = versions.get(actionId);
      // What was sent said what the proposal says.
      if (version === undefined || state.status === "FAILED" || (state.status === "SENT" && version === 1)) return [];
      return [{ actionId, channel, firstSeq: queued.seq, version }];
    });
  }

  return {
    async take(ledger, entries) {
      const last = entries.at(-1);
      if (last === undefined) return;
      const versions = versionsIn(entries);
      const proposals = entries.filter(isPending);
      const planned = proposals.length === 0 ? [] : plan(proposals, await openChannels(ledger));
      await queueNotices(ledgers, ledger, planned);
      const later = new Map(planned.map(({ actionId, channel, notBefore }) => [`${actionId} ${channel}`, notBefore]));
      const wanted = await wantedOf(ledger, versions);
      await want(
        db,
        ledger,
        wanted.map((one) => ({ ...one, notBefore: later.get(`${one.actionId} ${one.channel}`) })),
      );
      await withLedgerErrors(db.query(ADVANCE, [ledger, last.seq]));
    },
  };
}

/** The version that each action has come to. */
function versionsIn(entries: readonly LedgerEntry[]): ReadonlyMap<string, number> {
  const versions = new Map<string, number>();
  for (const entry of entries) {
    const fact = factOf(entry);
    for (const { kind, id, version } of "states" in fact ? (fact.states ?? []) : []) {
      if (kind === "ACTION") versions.set(id, version);
    }
  }
  return versions;
}

function isPending(entry: LedgerEntry): boolean {
  const fact = factOf(entry);
  return fact.type === "ACTION_PROPOSED" && fact.states[0].state.status === "PENDING";
}

/** When a channel is told of a proposal; undefined: never. */
function whenAsked(proposal: LedgerEntry, { groups }: Pick<OpenChannel, "groups">): "NOW" | Date | undefined {
  const { requirements } = termsOf(proposal);
  if (groups.length === 0 || requirements.some(({ group }) => groups.includes(group))) return "NOW";
  const later = requirements.flatMap(({ escalation }) =>
    escalation !== undefined && groups.includes(escalation.group) ? [new Date(escalation.at)] : [],
  );
  return later.sort((one, other) => one.getTime() - other.getTime())[0];
}
