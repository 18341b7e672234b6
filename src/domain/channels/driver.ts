import type { z } from "zod";
import type { ActionStatus } from "../../facts/areas/actions.ts";
import type { ChannelKind } from "../../facts/areas/channels.ts";
import type { Hash } from "../../facts/hash.ts";
import type { Effect } from "../policy/catalog.ts";

/** What a kind of channel has to do; each kind has a folder of its own. */

export type { ChannelKind } from "../../facts/areas/channels.ts";

/** A channel that an administrator configured, with its secrets opened. `Settings` and `Secrets` are those of its kind. */
export interface OpenChannel<Settings = unknown, Secrets = unknown> {
  readonly organization: string;
  /** Unique within the organization: small letters, digits and hyphens, at most 64. */
  readonly name: string;
  readonly kind: ChannelKind;
  /** Whose requests go there; none: those of every group. */
  readonly groups: readonly string[];
  readonly settings: Settings;
  readonly secrets: Secrets;
  /** Position of the entry that configured it last: a channel with another one has to be opened anew. */
  readonly configuredAt: bigint;
}

export const SEVERITIES = ["LOW", "MEDIUM", "HIGH", "CRITICAL"] as const;
/** LOW: a read. MEDIUM: a write. HIGH: a write that handles data of a category, or asks several people. CRITICAL: glass was broken for it. */
export type Severity = (typeof SEVERITIES)[number];

export interface MessageDecision {
  readonly verdict: "APPROVE" | "DENY";
  /** Id of who decided. */
  readonly by: string;
  readonly channel: string;
  /** By the clock of the database. */
  readonly at: Date;
}

/** What a notice says of an action, as the latest entry has it. It has what was typed or proposed only where `content` is there. */
export interface NoticeMessage {
  /** Id of the notice: a UUID. The same for every message about one action in one channel. */
  readonly noticeId: string;
  readonly organization: string;
  readonly region: string;
  /** UUID of the action. */
  readonly actionId: string;
  /** For people to name the action by: the first characters of its digest. */
  readonly reference: string;
  readonly platform: string;
  readonly tool: string;
  readonly effect: Effect;
  readonly severity: Severity;
  readonly status: ActionStatus;
  /** Version of the action's state: a message of a later version replaces one of an earlier version. */
  readonly version: number;
  /** What an approval has to repeat. */
  readonly digest: Hash;
  /** When people must have decided; undefined where the action does not wait for them. */
  readonly deadline: Date | undefined;
  readonly requirements: readonly { readonly group: string; readonly needed: number; readonly approved: number }[];
  readonly decisions: readonly MessageDecision[];
  /** Where the policy lets the channel have them: what would run, as approvers are shown it, a text of one line for each value. */
  readonly content: { readonly rendered: string } | undefined;
  /** Where the person looks at the action and decides, signed in. Opening it decides nothing. */
  readonly link: string;
}

/**
 * Why something could not be sent. Without `retry` it never can, and the notice is a dead letter: only what the other side says of this message
 * alone is so. What any other message would have met, as where the channel is configured wrongly, is `down`, and is tried until it passes.
 */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  readonly retry: boolean;
  /** Milliseconds for which the other side asked to be left alone. */
  readonly retryAfter: number | undefined;
  /** Whether nothing else could have been sent there either: it counts for the channel, and not against the notice. */
  readonly down: boolean;
  constructor(
    message: string,
    options: {
      readonly retry: boolean;
      readonly retryAfter?: number;
      readonly down?: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.retry = options.retry;
    this.retryAfter = options.retryAfter;
    this.down = options.down ?? options.retryAfter !== undefined;
  }
}

/** An account of another service as that service states it: never its display name. */
export interface Account {
  readonly kind: Extract<ChannelKind, "SLACK" | "TEAMS">;
  /** Team or tenant, as the service names it. */
  readonly tenant: string;
  readonly id: string;
}

export type Verdict = "APPROVE" | "DENY";

/** What became of a decision; each has the message as it stands now, where there is one. */
export type Decided =
  | { readonly outcome: "RECORDED"; readonly message: NoticeMessage | undefined }
  /** The same person had decided so before: the button was pressed twice, or the request came twice. */
  | { readonly outcome: "REPEATED"; readonly message: NoticeMessage | undefined }
  /** `code` is that of the API; `reason` says what happened and what to do. */
  | {
      readonly outcome: "REFUSED";
      readonly code: string;
      readonly reason: string;
      readonly message: NoticeMessage | undefined;
    }
  /** No person is linked to the account. */
  | { readonly outcome: "UNLINKED" };

export type Linked =
  | { readonly outcome: "LINKED"; readonly principalId: string }
  | { readonly outcome: "REFUSED"; readonly reason: string };

/** What a channel can ask of the server for an account whose request it verified. All throw LedgerUnavailableError. */
export interface Door {
  /** Decides as the person who is linked to the account. Never decides twice. `digest` is that of the message they were shown. */
  decide(
    channel: OpenChannel,
    account: Account,
    decision: {
      readonly actionId: string;
      readonly digest: string;
      readonly verdict: Verdict;
      readonly note?: string | undefined;
    },
  ): Promise<Decided>;
  /** Links the account to the person who made `code` while they were signed in. A code is valid once, for ten minutes. */
  link(channel: OpenChannel, account: Account, code: string): Promise<Linked>;
  /** Records that the linked person opened the notice, the first time. An account that is not linked opens nothing. */
  opened(channel: OpenChannel, account: Account, actionId: string): Promise<void>;
  /** The message about an action as it stands now; undefined: this channel has no notice of it. */
  message(channel: OpenChannel, actionId: string): Promise<NoticeMessage | undefined>;
}

/** A request at the path of a channel, as it came. */
export interface ChannelRequest {
  readonly method: string;
  /** Behind the name of the channel; empty or beginning with a slash. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** At most 256 KiB. */
  readonly body: Buffer;
}

export interface ChannelResponse {
  readonly status: number;
  readonly contentType?: string;
  readonly body?: string;
}

/** What was accepted. */
export interface Sent {
  /** What names it at the other side, for `update`: at most 400 characters without anything personal; undefined where nothing can be updated. */
  readonly message: string | undefined;
  /** Where it went, if not everywhere that `to` says: at most 400 characters. */
  readonly to?: string | undefined;
}

/** One kind of channel. */
export interface Driver<Settings = unknown, Secrets = unknown> {
  readonly kind: ChannelKind;
  /** What an administrator configures, beside the groups. Its messages are for them. */
  readonly settings: z.ZodType<Settings>;
  readonly secrets: z.ZodType<Secrets>;
  /** What is missing, or contradicts itself, in settings and secrets that are each as their schema says; undefined: nothing. */
  problem?(configured: { readonly settings: Settings; readonly secrets: Secrets }): string | undefined;
  /** Where it leads, as people name it, at most 400 characters; recorded with each notice that is sent there, as an erasable value. */
  to(channel: Pick<OpenChannel<Settings, Secrets>, "settings">): string;
  /**
   * Without `update`: whether people are told of what `message` says in a further message, once the first was sent. Left out: of every
   * change.
   */
  tells?(message: NoticeMessage): boolean;
  /**
   * Sends the first message of a notice. The same message may be sent again when nobody knows whether it arrived: what the
   * other side can recognize it by has to be made of `noticeId` and `version`. Throws DeliveryError.
   */
  send(channel: OpenChannel<Settings, Secrets>, message: NoticeMessage, signal: AbortSignal): Promise<Sent>;
  /**
   * The name of the first message of a notice that was sent already, where the other side can be asked: a server ended before it had recorded that.
   * undefined: there is none, or the channel may not ask. Throws DeliveryError.
   */
  find?(
    channel: OpenChannel<Settings, Secrets>,
    message: NoticeMessage,
    since: Date,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Makes a message that was sent say what `message` says. Left out: later versions are sent as messages of their own. Throws DeliveryError. */
  update?(
    channel: OpenChannel<Settings, Secrets>,
    message: NoticeMessage,
    sent: string,
    signal: AbortSignal,
  ): Promise<void>;
  /** Responds to a request of the other side. Verifies where it comes from before anything else. */
  receive?(channel: OpenChannel<Settings, Secrets>, request: ChannelRequest, door: Door): Promise<ChannelResponse>;
  /** Keeps a connection to the other side open until `signal` aborts, connecting again with back-off; for channels that are configured so. */
  connect?(channel: OpenChannel<Settings, Secrets>, door: Door, signal: AbortSignal): Promise<void>;
}
