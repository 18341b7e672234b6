import type { ActionStatus } from "../../../facts/areas/actions.ts";
import type { MessageDecision, NoticeMessage } from "../driver.ts";
import { plainText } from "./plain-text.ts";

/**
 * The Adaptive Card (https://adaptivecards.io/explorer/) of a notice. Whatever comes from outside is the text of a TextRun, which clients show as
 * it is: in a TextBlock it would be Markdown, with links and pictures.
 */

export const CARD_TYPE = "application/vnd.microsoft.card.adaptive";
/** Teams refuses messages of more than 28 KiB of UTF-16, which are 14,336 code units. */
const MAX_CARD = 13_500;
const MAX_CONTENT = 6_000;
const MAX_LINES = 60;
/** What it takes to say how many lines are left out. */
const MORE_LINES = 200;
const MAX_LINE = 400;
const MAX_NAME = 100;
const MAX_LISTED = 6;
const NO_BREAK = "\u00a0";
const MAX_NOTE = 2_000;

/** What a button of a card says was pressed. */
export const VERBS = { approve: "APPROVE", deny: "DENY" } as const;
export const REFRESH = "refresh";

const HEADLINES: Readonly<Record<ActionStatus, string>> = {
  ALLOWED: "Allowed by the policy",
  PENDING: "Approval requested",
  APPROVED: "Approved",
  DENIED: "Denied",
  BLOCKED: "Blocked by the policy",
  EXPIRED: "Expired: too few decided in time",
  CANCELLED: "Cancelled",
  EXECUTING: "Approved, and being executed",
  SUCCEEDED: "Approved and executed",
  FAILED: "Approved, but the execution failed",
  AMBIGUOUS: "Approved; how the execution ended is unknown",
};

/** How decisions name the channel that they came by. */
const HERE = "TEAMS";
const PLACES: Readonly<Record<string, string>> = {
  API: "by the API",
  CONSOLE: "in the console",
  SLACK: "in Slack",
  TEAMS: "in Teams",
};

type Element = Readonly<Record<string, unknown>>;

export interface AdaptiveCard {
  readonly type: "AdaptiveCard";
  readonly version: "1.5";
  readonly body: readonly Element[];
  readonly actions: readonly Element[];
  readonly [member: string]: unknown;
}

export interface CardOptions {
  /** Whether what is pressed comes to us: with a bot. */
  readonly decides: boolean;
  /** Something to tell the person who pressed, above everything else. */
  readonly remark?: string;
}

/** Whether people can still decide. */
export function isWaiting({ status, deadline }: NoticeMessage): boolean {
  return status === "PENDING" && deadline !== undefined;
}

export function noticeCard(message: NoticeMessage, { decides, remark }: CardOptions): AdaptiveCard {
  const { actionId, digest, link } = message;
  const asks = decides && isWaiting(message);
  const open = { type: "Action.OpenUrl", title: "Open in Countersign", url: link };
  const data = { actionId, digest };
  const refresh = { action: { type: "Action.Execute", title: "Refresh", verb: REFRESH, data: { actionId } } };
  const cardWith = (shown: readonly Element[]): AdaptiveCard => ({
    type: "AdaptiveCard",
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    version: "1.5",
    ...(asks && { refresh }),
    body: [
      ...(remark === undefined ? [] : [line([{ text: plainText(remark, 500), weight: "Bolder", color: "Attention" }])]),
      {
        type: "TextBlock",
        text: headline(message),
        size: "Medium",
        weight: "Bolder",
        color: colorOf(message),
        wrap: true,
      },
      ...facts(message),
      ...decisions(message.decisions),
      ...shown,
      ...(asks ? [NOTE] : []),
    ],
    actions: asks
      ? [press("Approve", "approve", "positive", data), press("Deny", "deny", "destructive", data), open]
      : [open],
  });
  const room = Math.min(MAX_CONTENT, MAX_CARD - JSON.stringify(cardWith([])).length);
  return cardWith(content(message.content?.rendered, room));
}

const NOTE: Element = {
  type: "Input.Text",
  id: "note",
  label: "Note (a denial needs one)",
  isMultiline: true,
  maxLength: MAX_NOTE,
};

/** The activity that posts or replaces a card. `summary` is what phones show of it. */
export function cardActivity(message: NoticeMessage, card: AdaptiveCard): object {
  return {
    type: "message",
    summary: `${HEADLINES[message.status]}: ${plainText(message.tool, MAX_NAME)} (${message.severity})`,
    attachments: [{ contentType: CARD_TYPE, content: card }],
  };
}

/** A button, for clients that know universal actions and for those that know only the older ones. */
function press(title: string, verb: keyof typeof VERBS, style: string, data: object): Element {
  const fallback = { type: "Action.Submit", title, data: { verb, ...data } };
  return { type: "Action.Execute", title, verb, style, data, fallback };
}

function headline(message: NoticeMessage): string {
  const last = message.decisions.at(-1);
  const isElsewhere = !isWaiting(message) && last !== undefined && last.channel !== HERE;
  return isElsewhere ? `Decided elsewhere: ${HEADLINES[message.status]}` : HEADLINES[message.status];
}

function colorOf(message: NoticeMessage): string {
  if (isWaiting(message))
    return message.severity === "CRITICAL" || message.severity === "HIGH" ? "Attention" : "Accent";
  return ["DENIED", "BLOCKED", "FAILED", "AMBIGUOUS"].includes(message.status) ? "Warning" : "Default";
}

function facts(message: NoticeMessage): readonly Element[] {
  const { reference, tool, platform, effect, region, severity, deadline, requirements } = message;
  const lines = [
    fact("Reference", name(reference)),
    fact("Tool", name(tool)),
    fact("Platform", `${name(platform)} (${effect}, region ${name(region)})`),
    fact("Severity", severity),
  ];
  if (deadline !== undefined) lines.push(fact("Decide until", timeOf(deadline)));
  for (const { group, needed, approved } of requirements.slice(0, MAX_LISTED)) {
    lines.push(fact("Approvals", `${approved} of ${needed} by ${name(group)}`));
  }
  return [...lines, ...more(requirements.length, "groups are asked")];
}

function decisions(made: readonly MessageDecision[]): readonly Element[] {
  const lines = made
    .slice(0, MAX_LISTED)
    .map(({ verdict, by, channel, at }) =>
      fact(
        verdict === "APPROVE" ? "Approved" : "Denied",
        `${name(by)}, ${PLACES[channel] ?? `by ${name(channel)}`}, ${timeOf(at)}`,
      ),
    );
  return [...lines, ...more(made.length, "people decided")];
}

function more(all: number, what: string): readonly Element[] {
  return all > MAX_LISTED ? [line([{ text: `${all - MAX_LISTED} more ${what}` }])] : [];
}

/** What would run, as far as there is room for its JSON. */
function content(rendered: string | undefined, room: number): readonly Element[] {
  if (rendered === undefined) return [];
  const shown: Element[] = [];
  let size = MORE_LINES;
  const lines = rendered.split("\n");
  for (const one of lines.slice(0, MAX_LINES)) {
    // Blanks at the begin of a line would not be shown.
    const words = plainText(one, MAX_LINE).replace(/^ +/, (blanks) => NO_BREAK.repeat(blanks.length)) || NO_BREAK;
    const element = { ...line([{ text: words, fontType: "Monospace" }]), spacing: "None" };
    size += JSON.stringify(element).length;
    if (size > room) break;
    shown.push(element);
  }
  const rest = lines.length - shown.length;
  if (rest === 0) return shown;
  return [
    ...shown,
    line([{ text: `${rest} more lines are not shown: open the action before you decide.`, weight: "Bolder" }]),
  ];
}

/** `value` is plain text already. */
function fact(label: string, value: string): Element {
  return line([{ text: `${label}: `, weight: "Bolder" }, { text: value }]);
}

function line(runs: readonly { readonly text: string; readonly [member: string]: string }[]): Element {
  return { type: "RichTextBlock", spacing: "Small", inlines: runs.map((run) => ({ type: "TextRun", ...run })) };
}

const name = (text: string) => plainText(text, MAX_NAME);

/** In UTC, because people in several places read the same card. */
function timeOf(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
