import { factOf } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf, type Profile, profileIn } from "../identity/recorded.ts";

/** The snapshot of `id`, the actor or the person acted for, in `entry`. */
export function snapshotOf(entry: LedgerEntry, id: string): Principal | undefined {
  const actor = actorOf(entry);
  return actor.id === id ? actor : actor.onBehalfOf;
}

/** The profile in the latest entry about a principal: each entry repeats the profile, unless it was erased. */
export function recordedProfile(entry: LedgerEntry, id: string): Profile {
  const fact = factOf(entry);
  return "subject" in fact && fact.subject.id === id ? profileIn(entry, "subject.profile") : {};
}
