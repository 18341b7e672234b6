/** Text of people and agents in messages of Slack, where it must never be a mention, a link or formatting. */

const ESCAPED: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** How much of a body of JSON the piece of a string is. */
const jsonLength = (piece: string) => JSON.stringify(piece).length - 2;

/** `shown`: what of the text is there, escaped; `left`: UTF-16 code units of the text that are not. */
export interface Beginning {
  readonly shown: string;
  readonly left: number;
}

/** As much of the text as takes `most` characters in JSON once `&`, `<` and `>` are escaped (https://docs.slack.dev/messaging/formatting-message-text). */
export function beginning(text: string, most: number): Beginning {
  let shown = "";
  let [taken, length] = [0, 0];
  for (const character of text) {
    const piece = ESCAPED[character] ?? character.toWellFormed();
    length += jsonLength(piece);
    if (length > most) break;
    shown += piece;
    taken += character.length;
  }
  return { shown, left: text.length - taken };
}

/** The same in one piece: what is too long ends in an ellipsis, and nothing is a dash. */
export function brief(text: string, most: number): string {
  const { shown, left } = beginning(text, most);
  if (left > 0) return `${beginning(text, most - 1).shown}…`;
  return shown === "" ? "–" : shown;
}

/** An instant for people, to the minute. */
export function utc(instant: Date): string {
  return `${instant.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
