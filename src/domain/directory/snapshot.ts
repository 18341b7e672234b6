import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { unseal } from "../../facts/commitment.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";

/** Personal values of a principal, erasable. */
export interface Profile {
  readonly displayName?: string;
  readonly email?: string;
}

/** What `entry` says of `id`, who acted in it or was acted for. */
export function snapshotOf(entry: LedgerEntry, id: string): Principal | undefined {
  const actor = actorOf(entry);
  return actor.id === id ? actor : actor.onBehalfOf;
}

/** What the latest entry about a principal says of it: every one repeats the profile, as far as it was not erased. */
export function recordedProfile(entry: LedgerEntry, id: string): Profile {
  const subject = object(unseal(entry.body, entry.payload).subject);
  const { displayName, email } = subject.id === id ? object(subject.profile) : {};
  return {
    ...(typeof displayName === "string" ? { displayName } : {}),
    ...(typeof email === "string" ? { email } : {}),
  };
}

function object(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
