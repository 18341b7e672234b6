import type { NoticeMessage } from "../driver.ts";

/** UTF-16 code units of what would run that a mail has at most. */
const MAX_CONTENT = 20_000;

/** The subject: reference, tool, severity, and where the action stands. */
export function subjectOf({ reference, platform, tool, severity, status }: NoticeMessage): string {
  const stands = status === "PENDING" ? "waits for approval" : status.toLowerCase();
  return oneLine(`[${reference}] ${tool} on ${platform} ${stands} (${severity.toLowerCase()})`);
}

/** The body, plain text. */
export function bodyOf(message: NoticeMessage): string {
  const { reference, platform, tool, effect, severity, status, deadline, requirements, decisions, content, link } =
    message;
  const lines = [
    status === "PENDING"
      ? "An agent asks for approval."
      : `Nobody has to decide any more: the action is ${status.toLowerCase()}.`,
    "",
    `Reference: ${reference}`,
    `Tool:      ${oneLine(tool)} on ${oneLine(platform)} (${effect.toLowerCase()})`,
    `Severity:  ${severity.toLowerCase()}`,
    ...(deadline === undefined ? [] : [`Decide by: ${deadline.toISOString()}`]),
    ...requirements.map(
      ({ group, needed, approved }) => `Asked:     ${approved} of ${needed} approved of group ${oneLine(group)}`,
    ),
    ...decisions.map(
      ({ verdict, by, channel, at }) =>
        `${verdict === "APPROVE" ? "Approved" : "Denied"} by ${oneLine(by)}, ${channel}, ${at.toISOString()}`,
    ),
    ...(content === undefined ? [] : ["", "What would run:", "", content.rendered.slice(0, MAX_CONTENT)]),
    "",
    "Sign in to look at it and to decide. Opening this address decides nothing, and neither does a reply:",
    link,
  ];
  return `${lines.join("\n")}\n`;
}

/** `text` without anything that could begin another line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 200);
}
