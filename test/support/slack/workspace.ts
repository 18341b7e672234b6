import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type Block, readBlocks, readView, type View } from "./blocks.ts";

/** What a workspace has, and the methods of the Web API that change it. */

export interface SlackUser {
  readonly id: string;
  readonly team_id: string;
  readonly deleted: boolean;
  readonly is_bot: boolean;
  readonly is_restricted: boolean;
  readonly is_ultra_restricted: boolean;
  readonly is_stranger?: boolean;
}

export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  text: string;
  blocks: readonly Block[];
  metadata: unknown;
  /** How often it was changed. */
  edits: number;
  /** The only one who sees it. */
  readonly onlyFor: string | undefined;
}

export interface OpenView {
  readonly id: string;
  readonly user: string;
  view: View;
  /** Set when the dialog was closed. */
  closed: boolean;
  /** By block, what the last submission was refused with. */
  errors: Readonly<Record<string, string>> | undefined;
}

/** Values of the arguments of a method; those of forms are texts. */
export type Arguments = Readonly<Record<string, unknown>>;
export type Result = { readonly ok: true } | { readonly ok: false; readonly error: string };

const TRIGGER_MS = 3_000;
const refused = (error: string): Result => ({ ok: false, error });
const metadata = z.strictObject({ event_type: z.string().min(1), event_payload: z.looseObject({}) });

/** Structures in forms are JSON in a text. */
function structure(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export function createWorkspace({ now, ...names }: WorkspaceNames & { readonly now: () => number }) {
  const users = new Map<string, SlackUser>();
  /** Channels that the app was invited to. */
  const channels = new Set<string>();
  const messages: SlackMessage[] = [];
  const views: OpenView[] = [];
  const triggers = new Map<string, { readonly user: string; readonly at: number; isExchanged: boolean }>();
  let count = 0;
  const nextTs = () => {
    count += 1;
    return `${Math.floor(now() / 1_000)}.${String(count).padStart(6, "0")}`;
  };

  function place(channel: unknown): string | undefined {
    if (typeof channel !== "string" || channel === "") return "invalid_arguments";
    return channels.has(channel) ? undefined : "channel_not_found";
  }

  function said({ text, blocks }: Arguments): { readonly text: string; readonly blocks: readonly Block[] } | string {
    const read = blocks === undefined ? [] : readBlocks(structure(blocks));
    if (typeof read === "string") return read;
    if (text !== undefined && typeof text !== "string") return "invalid_arguments";
    if (text !== undefined && text.length > 40_000) return "msg_too_long";
    return !text && read.length === 0 ? "no_text" : { text: text ?? "", blocks: read };
  }

  function post(given: Arguments, onlyFor?: string): Result {
    const problem = place(given.channel);
    if (problem !== undefined) return refused(problem);
    const what = said(given);
    if (typeof what === "string") return refused(what);
    const about = given.metadata === undefined ? undefined : structure(given.metadata);
    if (about !== undefined && !metadata.safeParse(about).success) return refused("invalid_metadata_format");
    const message = { ...what, channel: String(given.channel), ts: nextTs(), metadata: about, edits: 0, onlyFor };
    messages.push(message);
    const { ts, channel } = message;
    return Object.assign({ ok: true } as const, onlyFor === undefined ? { channel, ts, message } : { message_ts: ts });
  }

  const methods: Readonly<Record<string, (given: Arguments) => Result>> = {
    "auth.test": () =>
      Object.assign({ ok: true } as const, { team_id: names.teamId, user_id: names.botUserId, bot_id: "B0BOT" }),
    "chat.postMessage": (given) => post(given),
    "chat.postEphemeral": (given) =>
      typeof given.user === "string" && users.has(given.user)
        ? post(given, given.user)
        : refused("user_not_in_channel"),
    "chat.update": (given) => {
      const message = messages.find(({ channel, ts }) => channel === given.channel && ts === given.ts);
      if (message === undefined || message.onlyFor !== undefined) return refused("message_not_found");
      const what = said(given);
      if (typeof what === "string") return refused(what);
      message.text = what.text;
      // Blocks that are not sent stay as they were, buttons included.
      if (given.blocks !== undefined) message.blocks = what.blocks;
      if (given.metadata !== undefined) message.metadata = structure(given.metadata);
      message.edits += 1;
      return Object.assign({ ok: true } as const, { channel: message.channel, ts: message.ts, text: message.text });
    },
    "conversations.history": ({ channel, oldest = "0", limit = 100, cursor = "", include_all_metadata: all }) => {
      const problem = place(channel);
      if (problem !== undefined) return refused(problem);
      const found = messages
        .filter((one) => one.channel === channel && one.onlyFor === undefined && Number(one.ts) >= Number(oldest))
        .reverse();
      const from = Number(cursor);
      const next = from + Number(limit);
      return Object.assign({ ok: true } as const, {
        messages: found.slice(from, next).map(({ ts, text, blocks, metadata: about }) => ({
          type: "message",
          ts,
          text,
          blocks,
          ...(all === true && { metadata: about }),
        })),
        has_more: next < found.length,
        response_metadata: { next_cursor: next < found.length ? String(next) : "" },
      });
    },
    "views.open": (given) => {
      const trigger = triggers.get(String(given.trigger_id));
      if (trigger === undefined) return refused("invalid_trigger_id");
      if (trigger.isExchanged) return refused("exchanged_trigger_id");
      if (now() - trigger.at > TRIGGER_MS) return refused("expired_trigger_id");
      const view = readView(structure(given.view));
      if (typeof view === "string") return refused(view);
      trigger.isExchanged = true;
      const opened = { id: `V${randomUUID()}`, user: trigger.user, view, closed: false, errors: undefined };
      views.push(opened);
      return Object.assign({ ok: true } as const, { view: { id: opened.id, ...view } });
    },
    "users.info": ({ user }) => {
      const found = users.get(String(user));
      return found === undefined ? refused("user_not_found") : Object.assign({ ok: true } as const, { user: found });
    },
  };

  return {
    ...names,
    now,
    users,
    channels,
    messages,
    views,
    methods,
    nextTs,
    /** What a press or a submission can be exchanged for a dialog by: once, within three seconds. */
    trigger(user: string): string {
      const id = `${count}.${randomUUID()}`;
      triggers.set(id, { user, at: now(), isExchanged: false });
      return id;
    },
  };
}

export interface WorkspaceNames {
  readonly teamId: string;
  readonly appId: string;
  readonly botUserId: string;
}
export type Workspace = ReturnType<typeof createWorkspace>;
