import type { NoticeFailure } from "../../facts/areas/channels.ts";
import { bodyOf } from "../../facts/encode.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import type { FactDraft, State } from "../../facts/registry.ts";
import { DraftRefusedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenVersion, STORED_STATE, type StoredState } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import { loadStates, type RecordedState } from "../../ledger/states.ts";
import type { CommitFunction } from "../commit.ts";
import type { Caller } from "../identity/principal.ts";
import { callerFacts } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { ChannelKind } from "./driver.ts";
import { refuse } from "./errors.ts";

/** That people are told of an action by one channel, as the entries have it. */
export interface Notice {
  readonly actionId: string;
  readonly channel: string;
  readonly kind: ChannelKind;
  readonly state: State<"NOTICE">;
  readonly version: number;
  /** The entry that queued it. */
  readonly queued: LedgerEntry;
  /** The one that changed it last. */
  readonly latest: LedgerEntry;
  /** The one that says that it was sent; undefined where it was not. */
  readonly sent?: LedgerEntry | undefined;
}

/** What a notice is about, before there is one. */
export interface NewNotice {
  readonly actionId: string;
  readonly channel: string;
  readonly kind: ChannelKind;
}

/** A first message that was accepted: what names it at the other side, and where it went. */
export interface SentMessage {
  readonly name: string | undefined;
  readonly to: string;
}

const idOf = (actionId: string, channel: string) => `${actionId}/${channel}`;

function toNotice({ id, state, version, first, latest }: RecordedState<"NOTICE">): Notice {
  const [actionId = "", channel = ""] = id.split("/");
  const kind = (first.body.notice as { readonly kind: ChannelKind }).kind;
  const sent = latest.type === "NOTICE_SENT" ? latest : undefined;
  return { actionId, channel, kind, state, version, queued: first, latest, sent };
}

/** What is read of a notice: with the entry before the one that changed it last. Whoever opens one that was sent changes it once more, nobody after that. */
const STORED_NOTICE = `${STORED_STATE}, s.entries[s.version - 1] AS before`;
type StoredNotice = StoredState & { readonly before: string | null };

async function load(db: Queryable, ledger: LedgerId, rows: readonly StoredNotice[]): Promise<readonly Notice[]> {
  const notices = (await loadStates(db, ledger, "NOTICE", rows)).map(toNotice);
  const isOpened = ({ state, sent }: Notice) => state.status === "SENT" && sent === undefined;
  const seqs = rows.flatMap(({ before }, at) => (isOpened(notices[at]!) && before !== null ? [BigInt(before)] : []));
  if (seqs.length === 0) return notices;
  const found = new Map((await readEntryRows(db, ledger, seqs)).map((row) => [row.seq, row]));
  return notices.map((notice, at) => {
    if (!isOpened(notice)) return notice;
    const row = found.get(rows[at]?.before ?? "");
    const sent = row && provenEntry(ledger, row);
    const id = idOf(notice.actionId, notice.channel);
    provenVersion(ledger, sent, "NOTICE", { id, version: notice.version - 1 });
    return { ...notice, sent };
  });
}

const ONE = `SELECT ${STORED_NOTICE} FROM oc_state s WHERE s.ledger = $1 AND s.kind = 'NOTICE' AND s.id = $2`;

/** The notice about an action by a channel. Throws LedgerDamagedError, LedgerUnavailableError. */
export async function readNotice(
  db: Queryable,
  ledger: LedgerId,
  actionId: string,
  channel: string,
): Promise<Notice | undefined> {
  const { rows } = await withLedgerErrors(db.query<StoredNotice>(ONE, [ledger, idOf(actionId, channel)]));
  return (await withLedgerErrors(load(db, ledger, rows)))[0];
}

const OF_ACTIONS = `
  SELECT ${STORED_NOTICE} FROM oc_state s
   WHERE s.ledger = $1 AND s.kind = 'NOTICE' AND split_part(s.id, '/', 1) = ANY ($2::text[])`;

/** The notices about these actions by all channels, in no order. Throws LedgerDamagedError, LedgerUnavailableError. */
export async function readNotices(
  db: Queryable,
  ledger: LedgerId,
  actionIds: readonly string[],
): Promise<readonly Notice[]> {
  if (actionIds.length === 0) return [];
  const { rows } = await withLedgerErrors(db.query<StoredNotice>(OF_ACTIONS, [ledger, actionIds]));
  return withLedgerErrors(load(db, ledger, rows));
}

const UNSENT = `
  SELECT ${STORED_NOTICE} FROM oc_state s
   WHERE s.ledger = $1 AND s.kind = 'NOTICE' AND s.status <> 'SENT' AND s.status = $2 AND s.first_seq > $3::bigint
   ORDER BY s.first_seq LIMIT $4`;

/** Notices that wait, or were given up, in the order in which they were queued. Throws LedgerUnavailableError. */
export async function unsentNotices(
  db: Queryable,
  ledger: LedgerId,
  status: "QUEUED" | "FAILED",
  { after, limit }: { readonly after: bigint | undefined; readonly limit: number },
): Promise<readonly Notice[]> {
  const { rows } = await withLedgerErrors(db.query<StoredNotice>(UNSENT, [ledger, status, after ?? 0n, limit]));
  return withLedgerErrors(load(db, ledger, rows));
}

type NoticeFact = FactDraft<"NOTICE_QUEUED" | "NOTICE_SENT" | "NOTICE_FAILED" | "NOTICE_OPENED" | "NOTICE_RETRIED">;

function moved({ actionId, channel, kind, version }: Notice, state: State<"NOTICE">) {
  return {
    notice: { action: actionId, channel, kind },
    states: [{ kind: "NOTICE", id: idOf(actionId, channel), version: version + 1, state }] as const,
  } as const;
}

/** Facts that one transaction records at most. */
const BATCH = 128;

/** Records notices to be sent; of one that is there already nothing is recorded. Throws LedgerUnavailableError. */
export async function queueNotices(
  ledgers: Pick<Ledgers, "appendTogether">,
  ledger: LedgerId,
  notices: readonly NewNotice[],
): Promise<void> {
  for (let from = 0; from < notices.length; from += BATCH) {
    const facts = notices.slice(from, from + BATCH).map(({ actionId, channel, kind }) => ({
      body: bodyOf(callerFacts("system"), {
        type: "NOTICE_QUEUED",
        notice: { action: actionId, channel, kind },
        states: [
          { kind: "NOTICE", id: idOf(actionId, channel), version: 1, state: { status: "QUEUED", opened: false } },
        ],
      } satisfies NoticeFact),
    }));
    for (const outcome of await ledgers.appendTogether(ledger, facts)) {
      if (outcome.status === "rejected" && !(outcome.reason instanceof DraftRefusedError)) throw outcome.reason;
    }
  }
}

export interface NoticeChanges {
  /** The other side accepted it at `at`. Does nothing where it is not queued any more. */
  sent(ledger: LedgerId, notice: Notice, at: Date, message: SentMessage): Promise<void>;
  /** Nobody tries it any more. */
  gaveUp(ledger: LedgerId, notice: Notice, reason: NoticeFailure): Promise<void>;
  /** A person opened it; only the first time is recorded. */
  opened(ledger: LedgerId, caller: Caller, actionId: string, channel: string): Promise<Notice | undefined>;
  /** An administrator has it tried again. Throws ChannelRefusal. */
  retried(ledger: LedgerId, caller: Caller, actionId: string, channel: string): Promise<Notice>;
}

/** All throw LedgerUnavailableError. */
export function createNoticeChanges({
  commit,
  db,
}: {
  readonly commit: CommitFunction;
  readonly db: Queryable;
}): NoticeChanges {
  function change(
    ledger: LedgerId,
    by: Caller | "system",
    about: Pick<Notice, "actionId" | "channel"> | Notice,
    next: (notice: Notice | undefined) => NoticeFact | undefined,
  ): Promise<Notice | undefined> {
    const { actionId, channel } = about;
    // One that was just read is taken as it is: an append that follows an older state is refused, and it is read then.
    let known = "state" in about ? about : undefined;
    return commit<Notice | undefined, Notice | undefined>({
      ledger,
      by,
      async load() {
        const notice = known ?? (await readNotice(db, ledger, actionId, channel));
        known = undefined;
        return notice;
      },
      decide(notice) {
        const fact = next(notice);
        if (fact === undefined || notice === undefined) return { kind: "done", result: notice };
        const { version, state } = fact.states[0];
        return {
          kind: "record",
          fact,
          result: (latest) => ({
            ...notice,
            state,
            version,
            latest,
            sent: fact.type === "NOTICE_SENT" ? latest : notice.sent,
          }),
        };
      },
    });
  }

  return {
    async sent(ledger, notice, at, { name, to }) {
      await change(ledger, "system", notice, (now) => {
        if (now?.state.status !== "QUEUED") return undefined;
        const { opened, openedAt } = now.state;
        const state = {
          status: "SENT",
          opened,
          sentAt: instant(at),
          ...(openedAt === undefined ? {} : { openedAt }),
          ...(name === undefined ? {} : { message: name }),
        } as const;
        return { type: "NOTICE_SENT", ...moved(now, state), to: new Erasable(to) };
      });
    },
    async gaveUp(ledger, notice, reason) {
      await change(ledger, "system", notice, (now) =>
        now?.state.status === "QUEUED"
          ? { type: "NOTICE_FAILED", ...moved(now, { ...now.state, status: "FAILED" }), reason }
          : undefined,
      );
    },
    opened: (ledger, caller, actionId, channel) =>
      change(ledger, caller, { actionId, channel }, (now) =>
        now === undefined || now.state.opened
          ? undefined
          : {
              type: "NOTICE_OPENED",
              ...moved(now, { ...now.state, opened: true, openedAt: instant(new Date()) }),
            },
      ),
    async retried(ledger, caller, actionId, channel) {
      const found = await change(ledger, caller, { actionId, channel }, (now) => {
        if (now?.state.status !== "FAILED") {
          throw refuse("NOTHING_TO_RETRY", "there is no such notice that was given up", "actionId");
        }
        return { type: "NOTICE_RETRIED", ...moved(now, { ...now.state, status: "QUEUED" }) };
      });
      if (found === undefined) throw new Error("a notice was recorded that there is not");
      return found;
    },
  };
}
