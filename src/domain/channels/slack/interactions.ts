import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { Logger } from "../../../log.ts";
import { type Account, type Decided, DeliveryError, type Door, type NoticeMessage, type Verdict } from "../driver.ts";
import {
  DIALOGS,
  type DialogMemory,
  decisionDialog,
  dialogMemory,
  doneDialog,
  INPUT,
  invitation,
  linkDialog,
  saying,
} from "./dialogs.ts";
import { jsonOf } from "./json.ts";
import type { MemberCheck } from "./members.ts";
import { BUTTONS, type SlackText } from "./message.ts";
import { buttonValue, type Interaction, type Press, readInteraction, type Submission } from "./payload.ts";
import type { SlackChannel } from "./settings.ts";
import type { SlackApi } from "./web-api.ts";

/** What a press of a button or a submitted dialog does. */

/** Milliseconds after which Slack is given an empty response, of the three seconds that it waits. What was begun goes on. */
const PATIENCE = 2_000;
/** Milliseconds for a call of Slack. */
const TIMEOUT = 5_000;
/** Milliseconds for which an interaction is recognized: twice as long as its signature is accepted. */
const RECOGNIZED = 1_200_000;
const MOST_RECOGNIZED = 2_000;
/** How often a message is brought up to date again, when the action changed in the meantime. */
const ROUNDS = 5;

const NOTHING_RECORDED = "Nothing was recorded, because the ledger cannot be reached now. Press again in a moment.";
const NOBODY_KNOWS =
  "It is not known whether this was recorded. Press again in a moment: whoever has decided cannot decide a second time.";
const GONE = "Nothing was decided: this message is not one of the channel as it is configured now.";

/** MALFORMED and FOREIGN: nothing was done. `body`: what Slack is to be told; undefined: nothing. */
export interface Reply {
  readonly outcome: "DONE" | "MALFORMED" | "FOREIGN";
  readonly body?: object;
}

export interface InteractionsOptions {
  readonly api: SlackApi;
  readonly checkMember: MemberCheck;
  /** Makes a message of Slack say what the notice says. Throws DeliveryError. */
  readonly show: (channel: SlackChannel, at: Place, message: NoticeMessage) => Promise<void>;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** Milliseconds. */
  readonly now: () => number;
}

/** A message of Slack. */
export interface Place {
  readonly channel: string;
  readonly ts: string;
}

/** One interaction while it is handled. */
interface Turn {
  readonly channel: SlackChannel;
  readonly door: Door;
  readonly account: Account;
  /** Whether Slack was given its response, so that a result has to be told otherwise. */
  isOver: boolean;
}

/** Never rejects. */
export type Interactions = (channel: SlackChannel, payload: unknown, door: Door) => Promise<Reply>;

const DONE: Reply = { outcome: "DONE" };

/** `payload` comes from Slack: by a signature, or by a connection that this server opened. */
export function createInteractions({ api, checkMember, show, log, now }: InteractionsOptions): Interactions {
  const handled = new LRUCache<string, Promise<Reply>>({
    max: MOST_RECOGNIZED,
    ttl: RECOGNIZED,
    ttlResolution: 0,
    perf: { now },
  });

  const aboutChannel = ({ organization, name }: SlackChannel) => ({ organization, channel: name });

  /** Work that Slack does not wait for. */
  function aside({ channel }: Turn, what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => log.warn({ err: error, ...aboutChannel(channel) }, what));
  }

  /** Tells the person alone, in the channel. */
  function tell(turn: Turn, place: string, { text, blocks }: SlackText): void {
    const { channel, account } = turn;
    const body = { channel: place, user: account.id, text, blocks, link_names: false };
    const sent = api("chat.postEphemeral", channel.secrets.botToken, body, { timeout: TIMEOUT });
    aside(turn, "somebody in Slack could not be told what became of their press", sent);
  }

  /** Brings a message up to date, and again when the action changed while that was under way: the last to write says what is so. */
  async function refresh({ channel, door }: Turn, place: Place, first: NoticeMessage): Promise<void> {
    let message = first;
    for (let round = 0; round < ROUNDS; round += 1) {
      await show(channel, place, message);
      const latest = await door.message(channel, message.actionId);
      if (latest === undefined || latest.version === message.version) return;
      message = latest;
    }
  }

  async function decide(
    turn: Turn,
    place: Place,
    asked: { readonly action: string; readonly digest: string },
    verdict: Verdict,
    note?: string,
  ): Promise<Decided> {
    const { channel, door, account } = turn;
    const decision = { actionId: asked.action, digest: asked.digest, verdict, note };
    const decided = await door.decide(channel, account, decision);
    if (decided.outcome === "REPEATED" || decided.outcome === "REFUSED") {
      const { message } = decided;
      // Whoever pressed saw a message that was out of date, or a copy that nobody keeps up to date.
      if (message !== undefined) aside(turn, "a message in Slack is out of date", refresh(turn, place, message));
    }
    return decided;
  }

  async function openDialog(turn: Turn, trigger: string, view: object): Promise<Reply> {
    const { channel } = turn;
    try {
      await api("views.open", channel.secrets.botToken, { trigger_id: trigger, view }, { timeout: TIMEOUT });
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error;
      log.warn({ err: error, ...aboutChannel(channel) }, "a dialog could not be opened in Slack");
      tell(turn, channel.settings.channelId, saying("Nothing was decided: Slack opened no dialog. Press again."));
    }
    return DONE;
  }

  async function pressed(turn: Turn, { container, actions, trigger_id }: Press): Promise<Reply> {
    const { channel, door, account } = turn;
    const place = { channel: container.channel_id, ts: container.message_ts };
    const [button] = actions;
    const id = Object.values(BUTTONS).find((known) => known === button?.action_id);
    if (id === undefined) return DONE;
    if (place.channel !== channel.settings.channelId) {
      tell(turn, place.channel, saying(GONE));
      return DONE;
    }
    const problem = await checkMember(channel, account.id);
    if (problem !== undefined) {
      tell(turn, place.channel, saying(problem));
      return DONE;
    }
    if (id === BUTTONS.link) return openDialog(turn, trigger_id, linkDialog(channel.name));
    const asked = buttonValue.safeParse(jsonOf(button?.value ?? "")).data;
    if (asked === undefined) return { outcome: "MALFORMED" };
    if (id === BUTTONS.approve) {
      const decided = await decide(turn, place, asked, "APPROVE");
      if (decided.outcome === "UNLINKED") tell(turn, place.channel, invitation());
      if (decided.outcome === "REFUSED") tell(turn, place.channel, saying(`Nothing was decided: ${decided.reason}`));
      return DONE;
    }
    const message = await door.message(channel, asked.action);
    if (message === undefined) {
      tell(turn, place.channel, saying(GONE));
      return DONE;
    }
    aside(turn, "it was not recorded that a notice was opened", door.opened(channel, account, asked.action));
    if (id === BUTTONS.open) return DONE;
    if (message.status !== "PENDING") {
      aside(turn, "a message in Slack is out of date", refresh(turn, place, message));
      tell(turn, place.channel, saying("Nothing was decided: this action does not wait for approval any more."));
      return DONE;
    }
    const verdict = id === BUTTONS.note ? "APPROVE" : "DENY";
    const memory = { ...asked, verdict, ...place } as const;
    return openDialog(turn, trigger_id, decisionDialog(verdict, message, memory));
  }

  /** What stops a submission: in the dialog while Slack waits for it, and else as a message. */
  function stop(turn: Turn, place: string, reason: string): Reply {
    if (!turn.isOver) return { outcome: "DONE", body: { response_action: "errors", errors: { [INPUT]: reason } } };
    tell(turn, place, saying(reason));
    return DONE;
  }

  async function submitted(turn: Turn, { view }: Submission): Promise<Reply> {
    const { channel, door, account } = turn;
    const home = channel.settings.channelId;
    const text = view.state.values[INPUT]?.[INPUT]?.value?.trim() ?? "";
    if (view.callback_id === DIALOGS.link) {
      const problem = await checkMember(channel, account.id);
      if (problem !== undefined) return stop(turn, home, problem);
      const linked = await door.link(channel, account, text);
      if (linked.outcome === "REFUSED") return stop(turn, home, linked.reason);
      const said = `This Slack account is linked to ${linked.principalId}. Press the button of the message again to decide.`;
      if (!turn.isOver) return { outcome: "DONE", body: { response_action: "update", view: doneDialog(said) } };
      tell(turn, home, saying(said));
      return DONE;
    }
    if (view.callback_id !== DIALOGS.decide) return DONE;
    const memory: DialogMemory | undefined = dialogMemory.safeParse(jsonOf(view.private_metadata)).data;
    if (memory === undefined) return { outcome: "MALFORMED" };
    if (memory.channel !== home) return stop(turn, home, GONE);
    const problem = await checkMember(channel, account.id);
    if (problem !== undefined) return stop(turn, home, problem);
    if (text === "") return stop(turn, home, "Say why.");
    const { verdict } = memory;
    const decided = await decide(turn, memory, memory, verdict, text);
    if (decided.outcome === "REFUSED") return stop(turn, home, decided.reason);
    if (decided.outcome !== "UNLINKED") return DONE;
    tell(turn, home, invitation());
    return stop(turn, home, "Nothing was decided: link your Slack account first, with the button below the message.");
  }

  /** Never throws: what fails is told to whoever pressed. */
  async function handle(turn: Turn, given: Interaction): Promise<Reply> {
    const isPress = given.type === "block_actions";
    try {
      return isPress ? await pressed(turn, given) : await submitted(turn, given);
    } catch (error) {
      const { channel } = turn;
      const isUnavailable = error instanceof LedgerUnavailableError;
      if (isUnavailable)
        log.warn({ err: error, ...aboutChannel(channel) }, "the ledger could not be reached for a press in Slack");
      else log.error({ err: error, ...aboutChannel(channel) }, "what somebody did in Slack failed");
      const said = isUnavailable && error.outcome === "NOTHING" ? NOTHING_RECORDED : NOBODY_KNOWS;
      if (!isPress) return stop(turn, channel.settings.channelId, said);
      tell(turn, given.container.channel_id, saying(said));
      return DONE;
    }
  }

  async function respond(channel: SlackChannel, given: Interaction, door: Door): Promise<Reply> {
    const { teamId, appId } = channel.settings;
    const isOwn = given.type === "block_actions" || given.view.app_id === appId;
    if (given.team.id !== teamId || given.api_app_id !== appId || !isOwn) return { outcome: "FOREIGN" };
    const account = { kind: "SLACK", tenant: teamId, id: given.user.id } as const;
    const turn: Turn = { channel, door, account, isOver: false };
    if (given.user.team_id !== teamId) {
      // Slack Connect shows the message to people of other organizations as well.
      if (given.type === "view_submission") return stop(turn, channel.settings.channelId, FOREIGN_USER);
      tell(turn, given.container.channel_id, saying(FOREIGN_USER));
      return DONE;
    }
    const work = handle(turn, given);
    const { promise: patience, resolve } = Promise.withResolvers<Reply>();
    const timer = setTimeout(() => {
      turn.isOver = true;
      resolve(DONE);
    }, PATIENCE);
    return Promise.race([work, patience]).finally(() => clearTimeout(timer));
  }

  return async (channel, payload, door) => {
    const given = readInteraction(payload);
    if (given === "UNKNOWN") return DONE;
    if (given === "MALFORMED") return { outcome: "MALFORMED" };
    // What comes again is the same interaction, in whichever request or envelope: Slack makes a trigger for each.
    const digest = createHash("sha256").update(JSON.stringify(given)).digest("base64");
    const key = JSON.stringify([channel.organization, channel.name, String(channel.configuredAt), digest]);
    const earlier = handled.get(key);
    if (earlier !== undefined) return earlier;
    const reply = respond(channel, given, door);
    handled.set(key, reply);
    return reply;
  };
}

const FOREIGN_USER = "Nothing was decided: only people of this workspace decide here.";
