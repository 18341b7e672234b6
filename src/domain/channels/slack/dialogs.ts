import { z } from "zod";
import type { NoticeMessage, Verdict } from "../driver.ts";
import { BUTTONS, plain, type SlackText, section } from "./message.ts";
import { brief } from "./text.ts";

/** Dialogs, and messages that one person alone sees. */

export const DIALOGS = { decide: "decide", link: "link_account" } as const;
/** The block and the field of the one input that a dialog has. */
export const INPUT = "input";
/** Characters that Slack takes in one field. */
export const MAX_INPUT = 3_000;

/** What a dialog remembers of the message it was opened from. */
export const dialogMemory = z.strictObject({
  action: z.uuid(),
  digest: z.string().max(200),
  verdict: z.enum(["APPROVE", "DENY"]),
  channel: z.string().max(40),
  ts: z.string().max(30),
});
export type DialogMemory = z.infer<typeof dialogMemory>;

function dialog(id: string, title: string, submit: string, said: string, label: string, more: object): object {
  return {
    type: "modal",
    callback_id: id,
    title: plain(title),
    submit: plain(submit),
    close: plain("Cancel"),
    blocks: [
      section(said),
      {
        type: "input",
        block_id: INPUT,
        label: plain(label),
        element: { type: "plain_text_input", action_id: INPUT, max_length: MAX_INPUT, ...more },
      },
    ],
  };
}

/** Asks for the note of an approval, or the reason of a denial, without which there is none. */
export function decisionDialog(verdict: Verdict, { reference, platform, tool }: NoticeMessage, memory: DialogMemory) {
  const [title, label] = verdict === "APPROVE" ? ["Approve", "Note"] : ["Deny", "Reason"];
  const said = `${title} ${brief(tool, 120)} on ${brief(platform, 120)}, reference ${brief(reference, 120)}. The ${label.toLowerCase()} is recorded.`;
  const asked = dialog(DIALOGS.decide, title, title, said, label, { multiline: true });
  return { ...asked, private_metadata: JSON.stringify(memory) };
}

export function linkDialog(channelName: string): object {
  const said = `Sign in to Countersign, call startAccountLink with the channel ${channelName}, and enter the code that it returns. It is valid once, for ten minutes. From then on, what you press in Slack is your decision.`;
  return dialog(DIALOGS.link, "Link account", "Link", said, "Code", {});
}

/** In the place of a dialog that is done. */
export function doneDialog(said: string): object {
  return { type: "modal", title: plain("Countersign"), close: plain("Close"), blocks: [section(brief(said, 2_000))] };
}

/** A message of plain words. */
export function saying(text: string): SlackText {
  const shown = brief(text, 2_000);
  return { text: shown, blocks: [section(shown)] };
}

/** For whoever pressed a button with an account that is nobody's. */
export function invitation(): SlackText {
  const text =
    "Nothing was decided: this Slack account is not linked to a person in Countersign. Link it, then press again.";
  const button = { type: "button", action_id: BUTTONS.link, text: plain("Link account…"), value: "link" };
  return { text, blocks: [section(text), { type: "actions", elements: [button] }] };
}
