import { asError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError, LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Logger } from "../../log.ts";
import type { Configuration } from "./configuration.ts";
import type { Damage } from "./damage.ts";
import { type ChannelKind, DeliveryError, type Driver, type NoticeMessage, type OpenChannel } from "./driver.ts";
import type { InFlight } from "./in-flight.ts";
import type { Messages } from "./message.ts";
import { type Notice, type NoticeChanges, readNotice, type SentMessage } from "./notices.ts";
import { begin, type Due, done, nextDue, resume, want, wasDown, wasRefused } from "./outbox.ts";
import { type Channel, type ChannelHome, rememberingChannels } from "./store.ts";

export interface DeliveryOptions {
  readonly db: Queryable;
  readonly home: ChannelHome;
  readonly ledgers: Pick<Ledgers, "assertRecording">;
  readonly damage: Damage;
  readonly configuration: Pick<Configuration, "opened">;
  readonly drivers: ReadonlyMap<ChannelKind, Driver>;
  readonly messages: Messages;
  readonly changes: Pick<NoticeChanges, "sent" | "gaveUp">;
  readonly log: Pick<Logger, "warn">;
}

export interface Delivery {
  /**
   * Sends what a channel gets next, or sets it aside. What is `inFlight` is not looked at. False when there is nothing to be sent now. `signal` cuts what is under way. Throws
   * LedgerUnavailableError.
   */
  next(ledger: LedgerId, channel: string, inFlight: InFlight, signal: AbortSignal): Promise<boolean>;
}

/** Attempts that count against a notice before it is given up: the other side responded, and asked for another attempt. */
const MAX_ATTEMPTS = 12;
/** Milliseconds that one attempt may take. */
const ATTEMPT_LIMIT = 20_000;

/** Nothing has to be said of any version. */
const ANY_VERSION = 2_147_483_647;

/** What became of an attempt. `version`: what was said, or needs not be said; `reached`: whether the other side responded. */
interface Attempt {
  readonly version: number;
  readonly reached: boolean;
  /** Where it has to be recorded that a message was sent. */
  readonly record?: () => Promise<void>;
}

/** What is due, with the notice that it is of. */
interface Known {
  readonly notice: Notice;
  readonly due: Due;
}

const UNUSABLE =
  "this server cannot use the channel: it has another key than the one that its secrets were encrypted with, or does not know its settings";

const NOTHING: Attempt = { version: ANY_VERSION, reached: false };

export function createDelivery(options: DeliveryOptions): Delivery {
  const { db, home, ledgers, damage, configuration, drivers, messages, changes, log } = options;

  const readChannel = rememberingChannels(home);
  const open = new WeakMap<Channel, OpenChannel>();
  const load = (ledger: LedgerId, { actionId, channel }: Due) => readNotice(db, ledger, actionId, channel);

  async function opened(channel: Channel): Promise<OpenChannel | undefined> {
    const known = open.get(channel);
    if (known !== undefined) return known;
    const found = await configuration.opened(channel);
    if (found !== undefined) open.set(channel, found);
    return found;
  }

  async function send(
    ledger: LedgerId,
    { notice, due }: Known,
    { channel, driver }: { readonly channel: OpenChannel; readonly driver: Driver },
    message: NoticeMessage,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { status, message: sent } = notice.state;
    const said: Attempt = { version: message.version, reached: true };
    if (status === "QUEUED") {
      // What cannot be recorded would be sent again and again.
      await ledgers.assertRecording(ledger);
      const queuedAt = new Date(notice.queued.recordedAt);
      // A message that nobody knows of would never be changed.
      const found = due.tried ? await driver.find?.(channel, message, queuedAt, signal) : undefined;
      await begin(db, ledger, due);
      const { message: name, to = driver.to(channel) } =
        found === undefined ? await driver.send(channel, message, signal) : { message: found };
      const recording = () => record(ledger, { notice, due }, { name, to });
      if (found === undefined) return { ...said, record: recording };
      await recording();
      await driver.update?.(channel, message, found, signal);
      return said;
    }
    if (driver.update !== undefined) {
      if (sent === undefined) return { ...said, reached: false };
      await driver.update(channel, message, sent, signal);
      return said;
    }
    if (driver.tells?.(message) === false) return { ...said, reached: false };
    await driver.send(channel, message, signal);
    return said;
  }

  /** Should that fail, the next attempt waits as long as after any other failure: it sends the message again. */
  async function record(ledger: LedgerId, { notice, due }: Known, sent: SentMessage): Promise<void> {
    try {
      await changes.sent(ledger, notice, new Date(), sent);
    } catch (error) {
      const failure = { problem: asError(error).message, retryAfter: undefined };
      await wasDown(db, ledger, due, failure).catch(() => undefined);
      throw error;
    }
  }

  async function attempt(ledger: LedgerId, due: Due, signal: AbortSignal): Promise<Attempt> {
    const [notice, configured] = await Promise.all([load(ledger, due), readChannel(home.of(ledger), due.channel)]);
    if (notice === undefined || notice.state.status === "FAILED") return NOTHING;
    if (configured?.isActive !== true || configured.kind !== notice.kind) {
      await changes.gaveUp(ledger, notice, "CHANNEL_REMOVED");
      return NOTHING;
    }
    const channel = await opened(configured);
    const driver = drivers.get(configured.kind);
    if (channel === undefined || driver === undefined) throw new DeliveryError(UNUSABLE, { retry: true, down: true });
    const message = await messages.of(ledger, due.actionId, channel);
    if (message === undefined) throw new Error(`there is a notice of ${due.actionId}, and no such action`);
    if (due.escalates && message.status !== "PENDING") {
      await changes.gaveUp(ledger, notice, "NOT_NEEDED");
      return NOTHING;
    }
    return send(ledger, { notice, due }, { channel, driver }, message, signal);
  }

  /** Returns whether there may be something else to be sent now. */
  async function onFailure(ledger: LedgerId, due: Due, error: unknown): Promise<boolean> {
    const known = error instanceof DeliveryError ? error : undefined;
    const about = { ledger, channel: due.channel, action: due.actionId, err: asError(damage.note(error)) };
    const failure = { problem: asError(error).message, retryAfter: known?.retryAfter };
    if (known?.retry !== false) {
      const isDown = known?.down === true;
      if (isDown) await wasDown(db, ledger, due, failure);
      // What is no word of the other side is a fault of ours, which concerns this notice.
      const counts = !(error instanceof LedgerDamagedError);
      const attempts = isDown ? 0 : await wasRefused(db, ledger, due, { ...failure, counts });
      if (attempts < MAX_ATTEMPTS) {
        log.warn(about, "a notice could not be sent; it is tried again");
        return !isDown;
      }
    }
    log.warn(about, "a notice is not tried any more");
    const notice = await load(ledger, due);
    if (notice !== undefined) await changes.gaveUp(ledger, notice, known?.retry === false ? "REFUSED" : "GAVE_UP");
    // What was sent before says what it says until the action changes again.
    await done(db, ledger, due, due.wanted);
    await wantRetried(ledger, due);
    return true;
  }

  /** Should an administrator have had a notice tried again before what is due was deleted, it is due again. */
  async function wantRetried(ledger: LedgerId, due: Due): Promise<void> {
    const notice = await load(ledger, due);
    if (notice?.state.status !== "QUEUED") return;
    const { channel, actionId, firstSeq } = due;
    await want(db, ledger, [{ channel, actionId, firstSeq, version: 1 }]);
  }

  async function finish(ledger: LedgerId, due: Due, { version, reached, record }: Attempt): Promise<void> {
    const { channel, actionId, firstSeq } = due;
    await record?.();
    // Whoever took over meanwhile may have said something later before this came through: it is said once more.
    if (!(await done(db, ledger, due, version)) && reached) {
      await want(db, ledger, [{ channel, actionId, firstSeq, version }]);
    }
    if (reached && due.failing) await resume(db, ledger, channel);
    if (version === ANY_VERSION) await wantRetried(ledger, due);
  }

  async function unlessUnavailable(ledger: LedgerId, due: Due, error: unknown): Promise<boolean> {
    if (error instanceof LedgerUnavailableError && !(error instanceof LedgerDamagedError)) throw error;
    return onFailure(ledger, due, error);
  }

  return {
    async next(ledger, channel, inFlight, signal) {
      const due = await nextDue(db, ledger, channel, inFlight.actions);
      if (due === undefined) return false;
      try {
        const limited = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_LIMIT)]);
        const made = await attempt(ledger, due, limited);
        // After one in vain, it is known first that the channel is back.
        if (made.record === undefined || due.failing) {
          await finish(ledger, due, made);
          return true;
        }
        const finishing = finish(ledger, due, made).catch(async (error: unknown) => {
          await unlessUnavailable(ledger, due, error);
        });
        await inFlight.add(due.actionId, finishing);
        return true;
      } catch (error) {
        if (signal.aborted && !(error instanceof LedgerUnavailableError)) return false;
        return unlessUnavailable(ledger, due, error);
      }
    },
  };
}
