import type { JsonObject, JsonValue } from "../facts/canonical.ts";

/** The SHA-256 of `bytes` as 64 lowercase hex digits. A parameter: what is fast in Node is not there in a browser. */
export type Sha256 = (bytes: Uint8Array) => string;

/** Columns of an entry that were derived from its bytes to search by, in the order of the table. */
export const SEARCH_COLUMNS = [
  "recorded_at",
  "id",
  "type",
  "actor_id",
  "on_behalf_of_id",
  "session_id",
  "action_id",
  "state_version",
  "platform",
  "tool",
  "effect",
  "chain",
  "source_chain",
] as const;

/**
 * One entry as stored. The byte arrays are read while it is checked and not kept, so they may be views of a buffer that is
 * used again.
 */
export interface StoredEntry {
  readonly seq: bigint;
  /** UTF-8. */
  readonly entry: Uint8Array;
  /** 64 lowercase hex digits, as `prevHash`. */
  readonly hash: string;
  readonly prevHash: string;
  /** As text, in the order of SEARCH_COLUMNS: UUIDs in lower case, times as RFC 3339 with six decimals. */
  readonly columns: readonly (string | null)[];
  /** UTF-8; null when there is no row. */
  readonly payload: Uint8Array | null;
  /** When the row of the payload says that its entry was recorded, like the column of the entry; null when there is no row. */
  readonly payloadTime: string | null;
  /** The rows of its edges, as JSON text (`edgeProblems`); null when there is none, undefined where they are not looked at. */
  readonly edges?: string | null;
}

/** One row of oc_state as stored. */
export interface StoredState {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  /** JSON text. */
  readonly state: string;
  readonly status: string | null;
  /** RFC 3339 with six decimals. */
  readonly expiresAt: string | null;
  readonly actorId: string | null;
  readonly onBehalfOfId: string | null;
  readonly conversation: string;
  readonly firstSeq: bigint;
  readonly updatedSeq: bigint;
  readonly entries: readonly bigint[];
  /** 64 lowercase hex digits. */
  readonly hash: string;
}

/** The state of one subject in an entry: an item of `body.states`. */
export interface EntryState {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly state: JsonObject;
}

/** Who created a state, for whom, and in which conversation ("": none), as in the entry of its first version. */
export interface Maker {
  readonly actorId: string | null;
  readonly onBehalfOfId: string | null;
  readonly conversation: string;
}

/** Names a thing among all of a ledger. A kind has no space in it. */
export const thingKey = (kind: string, id: string): string => `${kind} ${id}`;

/** A member of `value`, if that is an object and the member its own. */
export function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}
