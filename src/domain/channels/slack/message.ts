import type { ActionStatus } from "../../../facts/areas/actions.ts";
import type { MessageDecision, NoticeMessage } from "../driver.ts";
import { beginning, brief, utc } from "./text.ts";

/** What a notice looks like in Slack, in Block Kit (https://docs.slack.dev/block-kit/). */

/** Slack refuses a message of more than about 13,200 characters in all; that is not documented. */
const MOST = 9_000;
const MOST_LINES = 10;
const NAME = 120;
const LINK = 3_000;

/** The ids of buttons. They are in messages that were sent: they never change. */
export const BUTTONS = {
  approve: "approve",
  note: "approve_with_note",
  deny: "deny",
  open: "open",
  link: "link",
} as const;

const STATUS: Readonly<Record<ActionStatus, string>> = {
  ALLOWED: "Allowed by the policy",
  PENDING: "Waiting for approval",
  APPROVED: "Approved",
  DENIED: "Denied",
  BLOCKED: "Forbidden by the policy",
  EXPIRED: "Expired: nobody decided in time",
  CANCELLED: "Cancelled",
  EXECUTING: "Approved, being executed",
  SUCCEEDED: "Approved and executed",
  FAILED: "Approved, but its execution failed",
  AMBIGUOUS: "Approved, but nobody reported what became of it",
};

/** How a decision came in, to those who read it in Slack. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  API: "the API",
  CONSOLE: "the console",
  TEAMS: "Teams",
  WEBHOOK: "a webhook",
};

export interface SlackText {
  /** What phones show, and clients that have no blocks. */
  readonly text: string;
  readonly blocks: readonly object[];
}

export const plain = (text: string) => ({ type: "plain_text", text, emoji: false });
export const section = (text: string) => ({ type: "section", text: plain(text) });

function decisionLine({ verdict, by, channel, at }: MessageDecision): string {
  const what = verdict === "APPROVE" ? "Approved" : "Denied";
  const where = channel === "SLACK" ? "in Slack" : `decided elsewhere (${ELSEWHERE[channel] ?? brief(channel, 40)})`;
  return `${what} by ${brief(by, NAME)}, ${where}, ${utc(at)}`;
}

/** The lines, the last ones where they are too many. */
function lines(all: readonly string[]): string {
  const left = all.length - MOST_LINES;
  return left > 0 ? [`${left} more`, ...all.slice(left)].join("\n") : all.join("\n");
}

/** What a button says to the server when it is pressed: which action, and what the person was shown of it. */
function buttonValue({ actionId, digest }: NoticeMessage): string {
  return JSON.stringify({ action: actionId, digest });
}

function buttons(message: NoticeMessage, isWaiting: boolean): readonly object[] {
  const value = buttonValue(message);
  const button = (id: string, label: string, more: object = {}) => ({
    type: "button",
    action_id: id,
    text: plain(label),
    value,
    ...more,
  });
  const deciding = [
    button(BUTTONS.approve, "Approve", { style: "primary" }),
    button(BUTTONS.note, "Approve with note…"),
    button(BUTTONS.deny, "Deny…", { style: "danger" }),
  ];
  const opening = message.link.length <= LINK ? [button(BUTTONS.open, "Open", { url: message.link })] : [];
  const elements = [...(isWaiting ? deciding : []), ...opening];
  return elements.length === 0 ? [] : [{ type: "actions", elements }];
}

function contentBlocks({ content }: NoticeMessage, most: number): readonly object[] {
  if (content === undefined) return [];
  const { shown, left } = beginning(content.rendered, most);
  const text = shown === "" ? "(nothing)" : shown;
  const whole = {
    type: "rich_text",
    elements: [{ type: "rich_text_preformatted", elements: [{ type: "text", text }] }],
  };
  return left === 0 ? [whole] : [whole, section(`Not all of it: ${left} characters more. Open it to see them.`)];
}

/** What is around the text of a content, in JSON. */
const AROUND_CONTENT = 350;

/** The notice as it stands. Buttons that decide are there while the action waits for people, and content where the policy lets it be. */
export function slackText(message: NoticeMessage): SlackText {
  const { reference, region, platform, tool, effect, severity, status, deadline, requirements, decisions } = message;
  const isWaiting = status === "PENDING";
  const field = (name: string, value: string) => plain(`${name}: ${brief(value, NAME)}`);
  const until = isWaiting && deadline !== undefined ? [field("Decide by", utc(deadline))] : [];
  const head = [
    { type: "header", text: plain(brief(isWaiting ? `Approve ${tool}?` : `${STATUS[status]}: ${tool}`, 150)) },
    {
      type: "section",
      fields: [
        field("Reference", reference),
        field("Severity", severity),
        field("Platform", platform),
        field("Tool", tool),
        field("Effect", effect),
        field("Region", region),
        field("Status", STATUS[status]),
        ...until,
      ],
    },
    ...(requirements.length === 0
      ? []
      : [
          section(
            lines(
              requirements.map(
                ({ group, needed, approved }) => `${brief(group, NAME)}: ${approved} of ${needed} approved`,
              ),
            ),
          ),
        ]),
    ...(decisions.length === 0 ? [] : [section(lines(decisions.map(decisionLine)))]),
  ];
  const tail = buttons(message, isWaiting);
  const left = MOST - JSON.stringify([...head, ...tail]).length - AROUND_CONTENT;
  const summary = [
    isWaiting ? "Approval needed" : STATUS[status],
    `${brief(reference, NAME)} ${brief(platform, NAME)} ${brief(tool, NAME)}`,
    `severity ${severity}`,
    ...(isWaiting && deadline !== undefined ? [`decide by ${utc(deadline)}`] : []),
  ];
  return { text: summary.join(" · "), blocks: [...head, ...contentBlocks(message, left), ...tail] };
}
