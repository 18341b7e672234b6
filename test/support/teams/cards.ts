import { createRequire } from "node:module";
import type * as AdaptiveCards from "adaptivecards";

// Its modules name each other without extensions, which only a bundler finds.
const reader: typeof AdaptiveCards = createRequire(import.meta.url)("adaptivecards/dist/adaptivecards.js");

/** Adaptive Cards as they are on the wire, as far as clients of Teams and tests look at them. */
export interface CardElement {
  readonly type: string;
  readonly id?: string;
  readonly text?: string;
  readonly color?: string;
  readonly inlines?: readonly { readonly type: string; readonly text: string }[];
}

export interface CardAction {
  readonly type: string;
  readonly title?: string;
  readonly verb?: string;
  readonly url?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly fallback?: CardAction;
}

export interface Card {
  readonly type: "AdaptiveCard";
  readonly version: string;
  readonly body: readonly CardElement[];
  readonly actions?: readonly CardAction[];
  readonly refresh?: { readonly action: CardAction; readonly userIds?: readonly string[] };
}

export const CARD_TYPE = "application/vnd.microsoft.card.adaptive";
/** Bytes of a message, in the UTF-16 that Teams counts in. */
const MAX_MESSAGE = 28 * 1024;
/** What a person reads, a line for each element. */
export function cardText(card: Card): string {
  return card.body.map(({ text, inlines = [] }) => text ?? inlines.map((run) => run.text).join("")).join("\n");
}

/** What Teams refuses in an activity with a card; undefined: nothing. */
export function activityProblem(activity: Readonly<Record<string, unknown>>, raw: string): string | undefined {
  if (Buffer.byteLength(raw, "utf16le") > MAX_MESSAGE) return "MessageSizeTooBig";
  if (activity.type !== "message") return `activities of type ${String(activity.type)} cannot be sent`;
  const attachments = (activity.attachments ?? []) as readonly { contentType?: string; content?: Card }[];
  for (const { contentType, content } of attachments) {
    if (contentType !== CARD_TYPE || content === undefined) return `attachments of ${contentType} are not cards`;
    const problem = cardProblem(content);
    if (problem !== undefined) return problem;
  }
  return attachments.length === 0 && typeof activity.text !== "string"
    ? "a message has no text and no card"
    : undefined;
}

/** What Microsoft's own reader of cards does not know in a card, and what Teams refuses beyond that. */
function cardProblem(card: Card): string | undefined {
  if (card.type !== "AdaptiveCard" || typeof card.version !== "string") return "it is no card";
  // The version that clients on phones know.
  const context = new reader.SerializationContext(reader.Versions.v1_5);
  new reader.AdaptiveCard().parse(card, context);
  const events = Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at).message);
  if (events.length > 0) return events.join("; ");
  if ((card.actions ?? []).length > 6) return "more than six actions";
  if ((card.refresh?.userIds?.length ?? 0) > 60) return "more than 60 users to refresh for";
  return undefined;
}
