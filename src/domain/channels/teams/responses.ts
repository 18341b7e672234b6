import type { ChannelResponse } from "../driver.ts";
import { type AdaptiveCard, CARD_TYPE } from "./card.ts";

/** Responses to invokes (https://learn.microsoft.com/adaptive-cards/authoring-cards/universal-action-model#response-format). */

const JSON_TYPE = "application/json; charset=utf-8";

function invokeResponse(statusCode: number, type: string, value: unknown): ChannelResponse {
  return { status: 200, contentType: JSON_TYPE, body: JSON.stringify({ statusCode, type, value }) };
}

/** A card in place of the one that was pressed, for who pressed it. */
export function cardResponse(card: AdaptiveCard): ChannelResponse {
  return invokeResponse(200, CARD_TYPE, card);
}

/** A message beside the card, for who pressed it. */
export function messageResponse(message: string): ChannelResponse {
  return invokeResponse(200, "application/vnd.microsoft.activity.message", message);
}

/** 400: the request can never succeed; 500: it may later. */
export function errorResponse(statusCode: 400 | 500, code: string, message: string): ChannelResponse {
  return invokeResponse(statusCode, "application/vnd.microsoft.error", { code, message });
}

/** A response without a body, as to what was only acknowledged or is not for us. */
export function emptyResponse(status: number): ChannelResponse {
  return { status };
}
