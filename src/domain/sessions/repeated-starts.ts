import { createHash } from "node:crypto";
import { stringify } from "uuid";
import type { LedgerId } from "../../facts/entry.ts";
import { newId } from "../../facts/random.ts";
import type { Caller } from "../identity/principal.ts";

/** Milliseconds of a window: equal starts within one are one session. Windows begin at multiples of it. */
const WINDOW = 60_000;
/** Sessions that one window can hold when each is ended before the next equal start; further ones have ids of their own. */
const TURNS = 8;

/**
 * The ids that equal starts of one window have, in this order: whatever server they are sent to, they compete for the same id. The
 * last one is new. Starts are equal when nothing that a start records differs but its trace and the raw headers of its client.
 */
export function idsOfStart(ledger: LedgerId, caller: Caller, conversation: string, now: Date): readonly string[] {
  const { principal, client, method, address, key, sessionId } = caller;
  // Raw headers differ for signed requests, which have a nonce.
  const { evidence: _, ...identified } = client;
  const recorded = { ledger, principal, client: identified, method, address, key, sessionId, conversation };
  const text = JSON.stringify({ ...recorded, window: Math.floor(now.getTime() / WINDOW) });
  return [...Array.from({ length: TURNS }, (_, turn) => idOf(`${turn} ${text}`)), newId()];
}

/** A UUID of version 8 (RFC 9562, section 5.8) made of a hash. */
function idOf(text: string): string {
  const bytes = createHash("sha256").update(`countersign/session/v1\0${text}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return stringify(bytes);
}
