import { factOf } from "../../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import { termsOf } from "../actions/terms.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { type NewNotice, queueNotices, readNotices } from "./notices.ts";
import { type Wanted, want } from "./outbox.ts";
import { type Channel, type ChannelHome, listChannels } from "./store.ts";

/** A notice to be, and when: at once, or when the action escalates to the groups of the channel. */
interface Planned extends NewNotice {
  readonly notBefore: Date | undefined;
}

export interface RecorderOptions {
  readonly db: Queryable;
  readonly home: ChannelHome;
  readonly ledgers: Pick<Ledgers, "appendTogether">;
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
  const { db, home, ledgers } = options;

  function plan(proposals: readonly LedgerEntry[], channels: readonly Channel[]): readonly Planned[] {
    return proposals.flatMap((proposal) =>
      channels.flatMap((channel): readonly Planned[] => {
        const due = whenAsked(proposal, channel);
        if (due === undefined) return [];
        const { name, kind } = channel;
        const notBefore = due === "NOW" ? undefined : due;
        return [{ actionId: termsOf(proposal).actionId, channel: name, kind, notBefore }];
      }),
    );
  }

  /** What notices need, those that were just queued and those of actions that have moved on. */
  async function wantedOf(ledger: LedgerId, versions: ReadonlyMap<string, number>): Promise<readonly Wanted[]> {
    if (versions.size === 0) return [];
    const notices = await readNotices(db, ledger, [...versions.keys()]);
    return notices.flatMap(({ actionId, channel, queued, state }) => {
      const version = versions.get(actionId);
      // What was sent said what the proposal says.
      if (version === undefined || state.status === "FAILED" || (state.status === "SENT" && version === 1)) return [];
      return [{ actionId, channel, firstSeq: queued.seq, version }];
    });
  }

  /** Notices that an administrator had tried again: the server that recorded it may have ended before it noted what is to be sent. */
  async function retriedIn(ledger: LedgerId, entries: readonly LedgerEntry[]): Promise<readonly Wanted[]> {
    const found = entries.flatMap((entry) => {
      const fact = factOf(entry);
      return fact.type === "NOTICE_RETRIED" ? [fact.notice] : [];
    });
    const retried = new Set(found.map(({ action, channel }) => `${action} ${channel}`));
    const notices = await readNotices(db, ledger, [...new Set(found.map(({ action }) => action))]);
    return notices
      .filter(({ actionId, channel, state }) => retried.has(`${actionId} ${channel}`) && state.status === "QUEUED")
      .map(({ actionId, channel, queued }) => ({ actionId, channel, firstSeq: queued.seq, version: 1 }));
  }

  return {
    async take(ledger, entries) {
      const last = entries.at(-1);
      if (last === undefined) return;
      const versions = versionsIn(entries);
      const proposals = entries.filter(isPending);
      const planned = proposals.length === 0 ? [] : plan(proposals, await listChannels(home, home.of(ledger)));
      await queueNotices(ledgers, ledger, planned);
      const later = new Map(planned.map(({ actionId, channel, notBefore }) => [`${actionId} ${channel}`, notBefore]));
      const wanted = [...(await wantedOf(ledger, versions)), ...(await retriedIn(ledger, entries))];
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
function whenAsked(proposal: LedgerEntry, { groups }: Pick<Channel, "groups">): "NOW" | Date | undefined {
  const { requirements } = termsOf(proposal);
  if (groups.length === 0 || requirements.some(({ group }) => groups.includes(group))) return "NOW";
  const later = requirements.flatMap(({ escalation }) =>
    escalation !== undefined && groups.includes(escalation.group) ? [new Date(escalation.at)] : [],
  );
  return later.sort((one, other) => one.getTime() - other.getTime())[0];
}
